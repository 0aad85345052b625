package destination

import (
	"context"
	"database/sql"
	"strings"

	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
)

// sqlMode refuses what would be changed silently, keeps id 0, and takes every
// date that a source may hold (zero dates, 31 February).
const sqlMode = "STRICT_TRANS_TABLES,STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES"

// variable is a session variable that every connection gets.
type variable struct {
	name  string
	value string
	// needed: rule 10 wants it; at least one of the variables of a name group.
	needed string
}

// variables in the order they are set. Those that are not needed are dropped
// where the server does not take them.
var variables = []variable{
	{"autocommit", "1", "autocommit"},
	{"time_zone", "'+00:00'", "time_zone"},
	{"sql_mode", "'" + sqlMode + "'", "sql_mode"},
	{"foreign_key_checks", "0", "foreign_key_checks"},
	{"transaction_isolation", "'READ-COMMITTED'", "isolation"}, // MySQL from 5.7.20, MariaDB from 11.1
	{"tx_isolation", "'READ-COMMITTED'", "isolation"},          // before
	{"innodb_lock_wait_timeout", "10", ""},
	{"transaction_mode", "'multi'", ""}, // Vitess: rows of unknown shards share transactions
	{"max_execution_time", "0", ""},     // MySQL
	{"max_statement_time", "0", ""},     // MariaDB
}

// check is a variable that a session reads back.
type check struct {
	name string
	ok   func(value string) bool
}

// choose tries each variable on conn and returns those to set on every
// connection and those to verify in every session.
func choose(ctx context.Context, conn *sql.Conn) ([]mysqlconn.Setting, []check, error) {
	var settings []mysqlconn.Setting
	var checks []check
	refused := map[string]error{}
	for _, v := range variables {
		_, err := conn.ExecContext(ctx, "SET SESSION "+v.name+" = "+v.value)
		if err != nil && mysqlconn.Number(err) == 0 {
			return nil, nil, mysqlconn.Fault(err, "destination")
		}
		if err != nil {
			if _, done := refused[v.needed]; v.needed != "" && !done {
				refused[v.needed] = err
			}
			continue
		}
		settings = append(settings, mysqlconn.Setting{Name: v.name, Value: v.value})
		if v.needed != "" {
			refused[v.needed] = nil
			checks = append(checks, check{v.name, verifier(v)})
		}
	}
	for group, err := range refused {
		if err == nil {
			continue
		}
		answer := mysqlconn.Fault(err, "session variable "+group)
		if fault.ClassOf(answer) == fault.Retry { // no refusal: a middleware's data node is away
			return nil, nil, answer
		}
		return nil, nil, fault.SessionVariable.Wrap(answer, group)
	}
	return append(settings, mysqlconn.GIPKSetting(), mysqlconn.StatisticsSetting()), checks, nil
}

func verifier(v variable) func(string) bool {
	switch v.name {
	case "sql_mode":
		return isMode
	case "autocommit", "foreign_key_checks":
		return func(got string) bool { return isOn(got) == isOn(v.value) }
	default:
		return func(got string) bool { return strings.EqualFold(got, strings.Trim(v.value, "'")) }
	}
}

func isOn(value string) bool { return value == "1" || strings.EqualFold(value, "ON") }

// isMode wants strictness and id 0 kept, and none of the modes that change what
// our literals mean.
func isMode(got string) bool {
	modes := "," + strings.ToUpper(got) + ","
	has := func(m string) bool { return strings.Contains(modes, ","+m+",") }
	return has("STRICT_TRANS_TABLES") && has("NO_AUTO_VALUE_ON_ZERO") &&
		!has("NO_BACKSLASH_ESCAPES") && !has("ANSI_QUOTES") && !has("NO_ZERO_DATE") && !has("NO_ZERO_IN_DATE")
}

// verify reads the variables back. A middleware may answer from any shard
// (DDM: D-41), so what it says wrongly is tried by effect instead.
func (d *Destination) verify(ctx context.Context, conn *sql.Conn) error {
	names := make([]string, len(d.checks))
	values := make([]sql.NullString, len(d.checks))
	into := make([]any, len(d.checks))
	for i, c := range d.checks {
		names[i], into[i] = "@@SESSION."+c.name, &values[i]
	}
	err := conn.QueryRowContext(ctx, "SELECT "+strings.Join(names, ", ")).Scan(into...)
	if err != nil && (d.isPlain() || mysqlconn.Number(err) == 0) {
		return mysqlconn.Fault(err, "destination")
	}
	for i, c := range d.checks {
		if err == nil && c.ok(values[i].String) {
			continue
		}
		effect := false
		if !d.isPlain() && d.info.Kind != dialect.TiDB {
			var lost error
			if effect, lost = d.hasEffect(ctx, conn, c.name); lost != nil {
				return lost
			}
		}
		if !effect {
			return fault.SessionVariable.New(c.name, "it was set, and reads back otherwise")
		}
	}
	return nil
}

// hasEffect tries what a variable does where that can be seen without a write;
// the others are accepted as the product documents them (DDM: READ COMMITTED
// only, D-61). Strictness is tried by ProbeEffects.
func (d *Destination) hasEffect(ctx context.Context, conn *sql.Conn, name string) (bool, error) {
	var query, want string
	switch name {
	case "time_zone":
		query, want = "SELECT FROM_UNIXTIME(86400)", "1970-01-02 00:00:00"
	case "sql_mode":
		query, want = `SELECT HEX('\\')`, "5C"
	default:
		return true, nil
	}
	var got sql.NullString
	err := conn.QueryRowContext(ctx, query).Scan(&got)
	if err != nil && mysqlconn.Number(err) == 0 {
		return false, mysqlconn.Fault(err, "destination")
	}
	return err != nil || got.String == want, nil
}
