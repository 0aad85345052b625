package source

import (
	"context"
	"database/sql"
	"fmt"

	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/table"
)

// Object is a base table as the catalogue lists it. Estimates are nil before
// MySQL 8.0, where the server would open every table for them.
type Object struct {
	Name        table.Name
	Engine      string
	Rows, Bytes *int64
}

// Objects lists base tables behind a name in the order of bytes, at most limit,
// whose schema.table holds a text (in any case). System schemas are left out.
func (s *Source) Objects(ctx context.Context, search string, after table.Name, limit int) ([]Object, error) {
	columns := "NULL, NULL, NULL"
	if s.capabilities.Number >= 80000 && s.capabilities.Flavor == position.MySQL {
		columns = "ENGINE, TABLE_ROWS, DATA_LENGTH"
	}
	rows, err := s.db.QueryContext(ctx, "SELECT TABLE_SCHEMA, TABLE_NAME, "+columns+` FROM information_schema.TABLES
		WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys', 'ndbinfo')
		AND LOCATE(LOWER(?), LOWER(CONCAT(TABLE_SCHEMA, '.', TABLE_NAME))) > 0
		AND (CAST(TABLE_SCHEMA AS BINARY) > CAST(? AS BINARY) OR CAST(TABLE_SCHEMA AS BINARY) = CAST(? AS BINARY) AND CAST(TABLE_NAME AS BINARY) > CAST(? AS BINARY))
		ORDER BY CAST(TABLE_SCHEMA AS BINARY), CAST(TABLE_NAME AS BINARY) LIMIT ?`, search, after.Schema, after.Schema, after.Table, limit)
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", mysqlconn.Fault(err, "information_schema.TABLES"))
	}
	defer func() { _ = rows.Close() }()
	var out []Object
	for rows.Next() {
		var o Object
		var engine sql.NullString
		if err := rows.Scan(&o.Name.Schema, &o.Name.Table, &engine, &o.Rows, &o.Bytes); err != nil {
			return nil, fault.Internal.Wrap(err, "information_schema.TABLES")
		}
		o.Engine = engine.String
		out = append(out, o)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list tables: %w", mysqlconn.Fault(err, "information_schema.TABLES"))
	}
	return out, nil
}
