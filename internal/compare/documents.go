package compare

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/table"
)

// plainDoubles says whether one of the sides prints whole doubles of JSON
// documents without ".0", as MySQL 5.7 does; such texts are compared without it.
// What stands behind a middleware is not known, so it counts as old.
func (r *run) plainDoubles(ctx context.Context, m *dialect.Mapping) (bool, error) {
	if !slices.ContainsFunc(m.Source.Columns, func(c table.Column) bool { return c.Type == table.TypeJSON }) {
		return false, nil
	}
	switch r.Destination.Dialect().Kind() {
	case dialect.MariaDB: // keeps the text as it was written
	case dialect.MySQL:
		old, err := printsPlain(ctx, r.Destination.DB())
		if old || err != nil {
			return old, err
		}
	default:
		return true, nil
	}
	return printsPlain(ctx, r.Source.DB())
}

func printsPlain(ctx context.Context, db *sql.DB) (bool, error) {
	var text string
	if err := db.QueryRowContext(ctx, "SELECT CAST(CAST(1e0 AS JSON) AS CHAR)").Scan(&text); err != nil {
		return false, fmt.Errorf("ask how a double is printed: %w", mysqlconn.Fault(err, "JSON"))
	}
	return text == "1", nil
}
