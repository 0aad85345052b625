//go:build faultpoint

package soak

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
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
func rowsOf(ctx context.Context, conn *sql.Conn, database string, s *shape, exact func(column) string) (out []string, err error) {
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
	want, err := rowsOf(ctx, conn, p.schema, s, p.kept(s))
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
			if right := p.shardOf(s, text); right != shard && p.storage == nil {
				found = append(found, fmt.Sprintf("%s: row on shard %d belongs on shard %d: %s", s.name, shard, right, text))
			}
		}
		all = append(all, got...)
		if p.storage != nil {
			wrong, err := p.misplaced(ctx, shard, database, s)
			if err != nil {
				return nil, err
			}
			found = append(found, wrong...)
		}
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
	return rowsOf(ctx, conn, database, s, exact)
}

// databases are those that hold the table, by shard.
func (p *place) databases(s *shape) []string {
	if p.storage != nil {
		return p.storage
	}
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
	n, err := routes(s, s.columns()[at], strings.Split(text, "|")[at])
	if err != nil {
		return -1
	}
	return max(n%shards, -n%shards)
}

// routes is the number that the rule of a table takes modulo the shards, by the
// manual of DDM.
func routes(s *shape, c column, text string) (int, error) {
	switch {
	case s.algorithm != "MOD_HASH":
		day, err := time.Parse(time.DateOnly, text[:len(time.DateOnly)])
		if s.algorithm == "YYYYMM" {
			return day.Year()*12 + int(day.Month()), err
		}
		return day.Year()*366 + day.YearDay(), err
	case strings.Contains(c.sql, "CHAR"): // String.hashCode of Java
		plain, err := hex.DecodeString(text)
		var n int32
		for _, unit := range utf16.Encode([]rune(string(plain))) {
			n = 31*n + int32(unit)
		}
		return int(n), err
	default:
		return strconv.Atoi(text)
	}
}

// kept selects a column of the source as the destination keeps it: the simulator,
// as DDM does, drops the fractions of seconds of its sharding keys.
func (p *place) kept(s *shape) func(column) string {
	return func(c column) string {
		if p.sim != nil && c.name == s.mod && strings.HasPrefix(c.sql, "DATETIME(3)") {
			return "CONCAT(DATE_FORMAT(" + c.name + ", '%Y-%m-%d %H:%i:%s'), '.000')"
		}
		return exact(c)
	}
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

// misplaced asks vtgate for each sharding key of a shard: it looks on one shard
// only, and has to find there what this one has.
func (p *place) misplaced(ctx context.Context, shard int, database string, s *shape) (found []string, err error) {
	rows, err := p.nodes[shard].QueryContext(ctx, "SELECT "+s.mod+", COUNT(*) FROM `"+database+"`."+s.name+" GROUP BY "+s.mod)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var key, stored, routed int
		if err := rows.Scan(&key, &stored); err != nil {
			return nil, err
		}
		if err := p.destination.QueryRowContext(ctx, fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE %s = %d", s.name, s.mod, key)).Scan(&routed); err != nil {
			return nil, err
		}
		if stored != routed {
			found = append(found, fmt.Sprintf("%s: shard %d has %d rows of key %d, vtgate finds %d", s.name, shard, stored, key, routed))
		}
	}
	return found, rows.Err()
}
