package mysqlconn

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"shardlift/internal/table"
)

// SystemVersioned is the Engine of MariaDB's tables with system versioning:
// they are listed so that nobody misses them silently, and cannot be moved.
const SystemVersioned = "SYSTEM VERSIONED"

// Catalogue reads the definitions of a schema's base tables from
// information_schema, sorted by name; names limits it, nil means all. A name
// that is no base table of the schema is left out. Hidden generated primary
// keys are seen only when the session has
// show_gipk_in_create_table_and_information_schema=ON (GIPKSetting).
func Catalogue(ctx context.Context, q Querier, schema string, names []string) ([]*table.Table, error) {
	r := catalogueReader{q: q, schema: schema, names: names, byName: map[string]*table.Table{}}
	for _, step := range []func(context.Context) error{r.tables, r.columns, r.keys, r.foreignKeys} {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("read the catalogue of schema %s: %w", schema, Fault(err, schema))
		}
	}
	return slices.SortedFunc(func(yield func(*table.Table) bool) {
		for _, t := range r.byName {
			if !yield(t) {
				return
			}
		}
	}, func(a, b *table.Table) int { return a.Name.Compare(b.Name) }), nil
}

// Columns reads only the columns of one table, none when it does not exist: the
// cheap way to see that a definition has not changed.
func Columns(ctx context.Context, q Querier, n table.Name) ([]table.Column, error) {
	t := &table.Table{Name: n}
	r := catalogueReader{q: q, schema: n.Schema, names: []string{n.Table}, byName: map[string]*table.Table{n.Table: t}}
	if err := r.columns(ctx); err != nil {
		return nil, fmt.Errorf("read the columns of %s: %w", n, Fault(err, n.String()))
	}
	return t.Columns, nil
}

// Records reads a result of unknown columns: one map per row from lower-case
// column names to values, NULL as "". For SHOW statements, whose columns differ
// between versions.
func Records(ctx context.Context, q Querier, query string) ([]map[string]string, error) {
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var out []map[string]string
	values, into := make([]sql.RawBytes, len(names)), make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		record := make(map[string]string, len(names))
		for i, name := range names {
			record[strings.ToLower(name)] = string(values[i])
		}
		out = append(out, record)
	}
	return out, rows.Err()
}

// GIPKSetting shows generated invisible primary keys in the catalogue: the row
// image has them in any case.
func GIPKSetting() Setting {
	return Setting{Name: "show_gipk_in_create_table_and_information_schema", Value: "ON", Optional: true}
}

// StatisticsSetting switches off MySQL 8's cache of table statistics and
// AUTO_INCREMENT, which may be a day old.
func StatisticsSetting() Setting {
	return Setting{Name: "information_schema_stats_expiry", Value: "0", Optional: true}
}

type catalogueReader struct {
	q      Querier
	schema string
	names  []string
	byName map[string]*table.Table
}

// where limits a query to the schema and, for one name, to the table: a server
// before 8.0 opens every table of the schema otherwise. Comparison may ignore
// case there, so the rows are filtered again.
func (r *catalogueReader) where(prefix string) (string, []any) {
	text, args := " WHERE "+prefix+"_SCHEMA = ?", []any{r.schema}
	if len(r.names) == 1 {
		text, args = text+" AND TABLE_NAME = ?", append(args, r.names[0])
	}
	return text, args
}

// each runs a query and calls scan for every row.
func (r *catalogueReader) each(ctx context.Context, query string, args []any, scan func(*sql.Rows) error) error {
	rows, err := r.q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (r *catalogueReader) tables(ctx context.Context) error {
	where, args := r.where("TABLE")
	query := "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_COLLATION, TABLE_ROWS, DATA_LENGTH FROM information_schema.TABLES" +
		where + " AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')"
	return r.each(ctx, query, args, func(rows *sql.Rows) error {
		var schema, name, kind string
		var engine, collation sql.NullString
		var count, size sql.NullInt64
		if err := rows.Scan(&schema, &name, &kind, &engine, &collation, &count, &size); err != nil {
			return err
		}
		if schema != r.schema || r.names != nil && !slices.Contains(r.names, name) {
			return nil
		}
		t := &table.Table{Name: table.Name{Schema: schema, Table: name}, Engine: engine.String, Rows: -1, Bytes: -1}
		if kind == SystemVersioned {
			t.Engine = SystemVersioned
		}
		t.Charset, t.Collation = charset(collation.String)
		if count.Valid {
			t.Rows = count.Int64
		}
		if size.Valid {
			t.Bytes = size.Int64
		}
		r.byName[name] = t
		return nil
	})
}

func (r *catalogueReader) columns(ctx context.Context) error {
	where, args := r.where("TABLE")
	query := "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, COLLATION_NAME, EXTRA, IS_NULLABLE, COLUMN_DEFAULT FROM information_schema.COLUMNS" +
		where + " ORDER BY TABLE_NAME, ORDINAL_POSITION"
	return r.each(ctx, query, args, func(rows *sql.Rows) error {
		var schema, name, nullable string
		var collation, value sql.NullString
		var text ColumnText
		if err := rows.Scan(&schema, &name, &text.Name, &text.Type, &collation, &text.Extra, &nullable, &value); err != nil {
			return err
		}
		t := r.table(schema, name)
		if t == nil {
			return nil
		}
		text.Collation, text.Nullable = collation.String, nullable == "YES"
		text.HasDefault = value.Valid && !(text.Nullable && value.String == "NULL") || strings.Contains(text.Extra, "DEFAULT_GENERATED")
		c, err := ParseColumn(text)
		if err != nil {
			return fmt.Errorf("table %s: %w", t.Name, err)
		}
		t.Columns = append(t.Columns, c)
		return nil
	})
}

func (r *catalogueReader) keys(ctx context.Context) error {
	where, args := r.where("TABLE")
	query := "SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, NON_UNIQUE, COLUMN_NAME, SUB_PART FROM information_schema.STATISTICS" +
		where + " ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX"
	err := r.each(ctx, query, args, func(rows *sql.Rows) error {
		var schema, name, index string
		var notUnique int
		var column sql.NullString
		var prefix sql.NullInt64
		if err := rows.Scan(&schema, &name, &index, &notUnique, &column, &prefix); err != nil {
			return err
		}
		t := r.table(schema, name)
		if t == nil {
			return nil
		}
		part := table.KeyPart{Column: -1, Prefix: int(prefix.Int64)}
		if column.Valid {
			part.Column = t.Column(column.String)
		}
		if n := len(t.Keys); n > 0 && t.Keys[n-1].Name == index {
			t.Keys[n-1].Parts = append(t.Keys[n-1].Parts, part)
		} else {
			t.Keys = append(t.Keys, table.Key{Name: index, Unique: notUnique == 0, Parts: []table.KeyPart{part}})
		}
		return nil
	})
	for _, t := range r.byName {
		slices.SortStableFunc(t.Keys, primaryFirst)
	}
	return err
}

func primaryFirst(a, b table.Key) int {
	switch {
	case a.Name == table.PrimaryName && b.Name != table.PrimaryName:
		return -1
	case b.Name == table.PrimaryName && a.Name != table.PrimaryName:
		return 1
	default:
		return 0
	}
}

func (r *catalogueReader) foreignKeys(ctx context.Context) error {
	where, args := r.where("CONSTRAINT")
	query := "SELECT CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, UNIQUE_CONSTRAINT_SCHEMA, REFERENCED_TABLE_NAME, DELETE_RULE, UPDATE_RULE FROM information_schema.REFERENTIAL_CONSTRAINTS" +
		where + " ORDER BY TABLE_NAME, CONSTRAINT_NAME"
	return r.each(ctx, query, args, func(rows *sql.Rows) error {
		var schema, name string
		var key table.ForeignKey
		if err := rows.Scan(&schema, &name, &key.Name, &key.Referenced.Schema, &key.Referenced.Table, &key.OnDelete, &key.OnUpdate); err != nil {
			return err
		}
		if t := r.table(schema, name); t != nil {
			t.ForeignKeys = append(t.ForeignKeys, key)
		}
		return nil
	})
}

func (r *catalogueReader) table(schema, name string) *table.Table {
	if schema != r.schema {
		return nil
	}
	return r.byName[name]
}
