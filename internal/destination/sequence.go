package destination

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/table"
)

// Sequence is a DDM sequence, or a Vitess one with the keyspace of its table.
// Name has no schema; on DDM a table's own sequence bears the table's name. Start is what SHOW SEQUENCES prints as its start or current
// value, ok is false when no such column is there.
type Sequence struct {
	Schema string
	Name   string
	Start  uint64
	Known  bool
}

// HasSequences says whether sharded and broadcast tables take their ids from
// sequences.
func (d *Destination) HasSequences() bool {
	return d.info.Kind == dialect.DDM || d.info.Kind == dialect.Vitess
}

// Sequences returns the sequences of a schema's tables by the tables' lower-case
// names (on DDM: all sequences, by their own).
func (d *Destination) Sequences(ctx context.Context, schema string) (map[string]Sequence, error) {
	if !d.HasSequences() {
		return map[string]Sequence{}, nil
	}
	if d.info.Kind == dialect.Vitess {
		return d.vitessSequences(ctx, schema)
	}
	var out map[string]Sequence
	err := d.in(ctx, schema, func(conn *sql.Conn) (err error) {
		out, err = sequencesOn(ctx, conn, schema)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list sequences of %s: %w", schema, err)
	}
	return out, nil
}

// sequencesOn reads SHOW SEQUENCES, whose columns the manual shows in a picture
// only: the name may carry the schema, and the value's column is looked for.
func sequencesOn(ctx context.Context, conn *sql.Conn, schema string) (map[string]Sequence, error) {
	list, err := records(ctx, conn, "SHOW SEQUENCES")
	if err != nil {
		return nil, err
	}
	out := map[string]Sequence{}
	for _, r := range list {
		name := r.first("name", "sequence_name", "sequence", "table_name")
		if name == "" {
			return nil, fault.SequenceUnreadable.New(schema, "SHOW SEQUENCES has no column of names")
		}
		if in, own, ok := strings.Cut(name, "."); ok {
			if !strings.EqualFold(strings.Trim(in, "`"), schema) {
				continue
			}
			name = own
		}
		if in := r.first("schema", "schema_name", "db", "database"); in != "" && !strings.EqualFold(in, schema) {
			continue
		}
		s := Sequence{Schema: schema, Name: strings.Trim(name, "`")}
		if text := r.first("value", "current_value", "current", "start_with", "start_value", "start"); text != "" {
			n, err := strconv.ParseUint(text, 10, 64)
			s.Start, s.Known = n, err == nil
		}
		out[strings.ToLower(s.Name)] = s
	}
	return out, nil
}

// NextValue takes the next value of a sequence; it is used up.
func (d *Destination) NextValue(ctx context.Context, s Sequence) (uint64, error) {
	if d.info.Kind == dialect.Vitess {
		return d.vitessNext(ctx, s, 1)
	}
	var n uint64
	err := d.in(ctx, s.Schema, func(conn *sql.Conn) error {
		query := "SELECT " + dialect.QuoteName(s.Name) + ".nextval"
		err := conn.QueryRowContext(ctx, query).Scan(&n)
		if mysqlconn.IsSyntax(err) {
			err = conn.QueryRowContext(ctx, "SELECT "+s.Name+".nextval").Scan(&n)
		}
		return mysqlconn.Fault(err, s.Schema+"."+s.Name)
	})
	if err != nil {
		return 0, fmt.Errorf("take a value of sequence %s.%s: %w", s.Schema, s.Name, err)
	}
	return n, nil
}

// SetSequence makes next the sequence's next value. The caller makes sure that
// this does not lower it.
func (d *Destination) SetSequence(ctx context.Context, s Sequence, next uint64) error {
	if d.info.Kind == dialect.Vitess {
		return d.setVitess(ctx, s, next)
	}
	err := d.in(ctx, s.Schema, func(conn *sql.Conn) error {
		_, err := conn.ExecContext(ctx, "ALTER SEQUENCE "+s.Name+" START WITH "+strconv.FormatUint(next, 10))
		return mysqlconn.Fault(err, s.Schema+"."+s.Name)
	})
	if err != nil {
		return fmt.Errorf("set sequence %s.%s: %w", s.Schema, s.Name, err)
	}
	return nil
}

// FreshAllSequences lets DDM (kernel 3.0.4.1 and later) raise every sequence of
// every schema above its table's largest key.
// Vitess has nothing like it: each sequence is set by itself anyway.
func (d *Destination) FreshAllSequences(ctx context.Context) error {
	if d.info.Kind == dialect.Vitess {
		return nil
	}
	if _, err := d.db.ExecContext(ctx, "fresh all sequence start value"); err != nil {
		return fmt.Errorf("refresh all sequences: %w", mysqlconn.Fault(err, "destination"))
	}
	return nil
}

// MaxValue returns the largest value of an integer column on all shards;
// ok is false for a table without rows and for one with negative values only.
func (d *Destination) MaxValue(ctx context.Context, n table.Name, column string) (value uint64, ok bool, err error) {
	var text sql.NullString
	query := d.Hint() + "SELECT MAX(" + dialect.QuoteName(column) + ") FROM " + dialect.QuoteName(n.Schema, n.Table)
	if err := d.db.QueryRowContext(ctx, query).Scan(&text); err != nil {
		return 0, false, fmt.Errorf("read the largest %s of %s: %w", column, n, mysqlconn.Fault(err, n.String()))
	}
	if !text.Valid || strings.HasPrefix(text.String, "-") {
		return 0, false, nil
	}
	whole, _, _ := strings.Cut(text.String, ".") // FLOAT and DOUBLE may be AUTO_INCREMENT
	value, err = strconv.ParseUint(whole, 10, 64)
	if err != nil {
		return 0, false, fmt.Errorf("read the largest %s of %s: not a whole number", column, n)
	}
	return value, true, nil
}

// AutoIncrement returns the next value of a single table's AUTO_INCREMENT;
// ok is false where the server does not tell it.
func (d *Destination) AutoIncrement(ctx context.Context, n table.Name) (next uint64, ok bool, err error) {
	if d.restricted() {
		return d.shownAutoIncrement(ctx, n)
	}
	query := "SELECT AUTO_INCREMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = " + quote(n.Schema) + " AND TABLE_NAME = " + quote(n.Table)
	var value sql.NullString
	if err := d.db.QueryRowContext(ctx, query).Scan(&value); err != nil {
		return 0, false, fmt.Errorf("read AUTO_INCREMENT of %s: %w", n, mysqlconn.Fault(err, n.String()))
	}
	next, err = strconv.ParseUint(value.String, 10, 64)
	return next, value.Valid && err == nil, nil
}

// shownAutoIncrement reads SHOW CREATE TABLE, which leaves the value out while
// it is 1.
func (d *Destination) shownAutoIncrement(ctx context.Context, n table.Name) (uint64, bool, error) {
	created, err := records(ctx, d.db, "SHOW CREATE TABLE "+dialect.QuoteName(n.Schema, n.Table))
	if err != nil {
		return 0, false, fmt.Errorf("read AUTO_INCREMENT of %s: %w", n, err)
	}
	for _, r := range created {
		if text := option(options(r["create table"]), autoIncrementOption); text != "" {
			next, err := strconv.ParseUint(text, 10, 64)
			return next, err == nil, nil
		}
	}
	return 1, true, nil
}

// SetAutoIncrement makes next the next AUTO_INCREMENT value of a single table.
// Servers never go below the table's largest value.
func (d *Destination) SetAutoIncrement(ctx context.Context, n table.Name, next uint64) error {
	statement := "ALTER TABLE " + dialect.QuoteName(n.Table) + " AUTO_INCREMENT = " + strconv.FormatUint(next, 10)
	if err := d.Define(ctx, n.Schema, statement); err != nil {
		return fmt.Errorf("set AUTO_INCREMENT of %s: %w", n, err)
	}
	return nil
}

// quote writes a string literal for a sql_mode without NO_BACKSLASH_ESCAPES.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\x00", `\0`).Replace(s) + "'"
}
