//go:build faultpoint

package soak

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The oracle reads both sides by statements of its own and compares texts. It
// knows what is stored where, and nothing of the engine.

// exact selects a column so that its text differs when its value does.
func exact(c column) string {
	switch kind := strings.ToUpper(strings.FieldsFunc(c.sql, func(r rune) bool { return r == ' ' || r == '(' })[0]); kind {
	case "FLOAT":
		return "CONCAT(" + c.name + " + 0e0)"
	case "CHAR", "VARCHAR", "TEXT", "BINARY", "VARBINARY", "BLOB", "ENUM", "SET":
		return "HEX(" + c.name + ")"
	case "BIT":
		return "HEX(" + c.name + " + 0)"
	case "JSON":
		return "HEX(CAST(" + c.name + " AS CHAR CHARACTER SET utf8mb4))"
	default:
		return "CONCAT(" + c.name + ")"
	}
}

// rowsOf reads a table in a database, sorted.
func rowsOf(ctx context.Context, conn *sql.Conn, database string, s *shape) (out []string, err error) {
	var list []string
	for _, c := range s.columns() {
		list = append(list, "IFNULL("+exact(c)+", 'NULL')")
	}
	rows, err := conn.QueryContext(ctx, "SELECT CONCAT_WS('|', "+strings.Join(list, ", ")+") FROM `"+database+"`."+s.name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return out, rows.Err()
}

// differences compares a table on both sides; nothing means equal.
func (p *place) differences(ctx context.Context, s *shape) ([]string, error) {
	conn, err := utc(ctx, p.db)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	want, err := rowsOf(ctx, conn, p.schema, s)
	if err != nil {
		return nil, err
	}
	var found, all []string
	broadcast := p.sim != nil && s.rule == "BROADCAST"
	for shard, database := range p.databases(s) {
		got, err := p.stored(ctx, shard, database, s)
		if err != nil {
			return nil, err
		}
		if broadcast {
			found = append(found, compareTexts(fmt.Sprintf("%s on shard %d", s.name, shard), want, got)...)
			continue
		}
		for _, text := range got {
			if right := p.shardOf(s, text); right != shard {
				found = append(found, fmt.Sprintf("%s: row on shard %d belongs on shard %d: %s", s.name, shard, right, text))
			}
		}
		all = append(all, got...)
	}
	if broadcast {
		return found, nil
	}
	slices.Sort(all)
	return append(found, compareTexts(s.name, want, all)...), nil
}

func (p *place) stored(ctx context.Context, shard int, database string, s *shape) ([]string, error) {
	conn, err := utc(ctx, p.nodes[shard%len(p.nodes)])
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	return rowsOf(ctx, conn, database, s)
}

// databases are those that hold the table, by shard.
func (p *place) databases(s *shape) []string {
	if p.sim == nil {
		return []string{p.to}
	}
	shards := shards
	if s.rule == "" {
		shards = 1 // a single table stands on the first
	}
	var out []string
	for n := range shards {
		out = append(out, p.sim.Physical(n))
	}
	return out
}

// shardOf says where a row belongs.
func (p *place) shardOf(s *shape, text string) int {
	if p.sim == nil || s.mod == "" {
		return 0
	}
	at := slices.IndexFunc(s.columns(), func(c column) bool { return c.name == s.mod })
	n, err := strconv.Atoi(strings.Split(text, "|")[at])
	if err != nil {
		return -1
	}
	return n % shards
}

func compareTexts(what string, want, got []string) (found []string) {
	for _, text := range minus(want, got) {
		found = append(found, fmt.Sprintf("%s: lost or changed: %s", what, text))
	}
	for _, text := range minus(got, want) {
		found = append(found, fmt.Sprintf("%s: too much: %s", what, text))
	}
	return found
}

// minus is what sorted a has more than sorted b, counted.
func minus(a, b []string) (out []string) {
	for _, text := range a {
		for len(b) > 0 && b[0] < text {
			b = b[1:]
		}
		if len(b) > 0 && b[0] == text {
			b = b[1:]
			continue
		}
		out = append(out, text)
	}
	return out
}

func utc(ctx context.Context, db *sql.DB) (*sql.Conn, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.ExecContext(ctx, "SET time_zone = '+00:00'"); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}
