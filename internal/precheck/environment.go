package precheck

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"shardlift/internal/destination"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/table"
)

func environmentItems() []item {
	i := func(code, title string, run func(context.Context, *Env) (finding, error)) item {
		return item{code: code, group: groupParameters, title: title, needs: onBoth, run: run}
	}
	return []item{
		i("dbServerUuidConsistency", "Source and destination are different servers", differentServers),
		i("dbClockConsistency", "Clocks agree", clocks),
		i("dbTimeZoneConsistency", "Time zones are equal", timeZones),
		i("sqlModeConsistency", "SQL modes are equal", sqlModes),
		{code: "srcXaPreparedCheck", group: groupSource, title: "No prepared XA transaction waits for its verdict", needs: onSource, incremental: true, run: preparedXA},
	}
}

// differentServers: a table that is copied onto itself is lost. On the same
// server, or a data node that is the source, other tables are possible.
func differentServers(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	same, err := sameServer(ctx, s, d)
	if err != nil {
		return finding{}, err
	}
	nodes, err := e.nodes(ctx)
	if err != nil {
		return finding{}, err
	}
	for _, n := range answering(nodes) {
		same = same || s.capabilities.ServerUUID != "" && n.capabilities.ServerUUID == s.capabilities.ServerUUID
	}
	if !same {
		return pass("the servers have different identities"), nil
	}
	const remedy = "give the address of another server"
	if !plain(d) {
		return fail("the source is a data node of the destination", remedy), nil
	}
	pairs, err := e.selectedOnSource(ctx)
	if err != nil {
		return finding{}, err
	}
	selected := map[table.Name]bool{}
	for _, p := range pairs {
		selected[folded(p.source.Name)] = true
	}
	var g graded
	for _, p := range pairs {
		if selected[folded(p.to)] {
			g.fail("%s would be written, which is a selected source table", p.to)
		}
	}
	if len(g.fails) == 0 {
		return alarm("source and destination are the same server, with other tables", "confirm if that is meant; otherwise "+remedy), nil
	}
	return g.finding("", "source and destination are the same tables", "", remedy), nil
}

// sameServer compares server_uuid, and where a server has none what else tells
// one server from another.
func sameServer(ctx context.Context, s *server, d *destination.Destination) (bool, error) {
	if uuid := s.capabilities.ServerUUID; uuid != "" {
		v, err := one(ctx, d.DB(), "SELECT @@server_uuid")
		if err != nil && !refused(err) {
			return false, mysqlconn.Fault(err, "destination")
		}
		return err == nil && v == uuid, nil
	}
	for _, name := range []string{"hostname", "port", "datadir", "server_id"} {
		v, err := one(ctx, d.DB(), "SELECT @@"+name)
		if err != nil && !refused(err) {
			return false, mysqlconn.Fault(err, "destination")
		}
		if mine, _ := s.capabilities.Variable(name); err != nil || v != mine {
			return false, nil
		}
	}
	return true, nil
}

// clockSkew is what the delay may be wrong by without anybody caring.
const clockSkew = 5

func clocks(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	const query = "SELECT UNIX_TIMESTAMP()"
	from, err := one(ctx, s.db, query)
	if err != nil {
		return finding{}, mysqlconn.Fault(err, "source")
	}
	to, err := one(ctx, d.DB(), query)
	if refused(err) {
		return pass("the destination does not tell its clock"), nil
	}
	if err != nil {
		return finding{}, mysqlconn.Fault(err, "destination")
	}
	a, _ := strconv.ParseFloat(from, 64)
	b, _ := strconv.ParseFloat(to, 64)
	if skew := math.Abs(a - b); skew > clockSkew {
		return alarm(fmt.Sprintf("the clocks differ by %.0f s: the delay that is shown is wrong by as much, rows are not touched by it", skew), "set the clocks by NTP"), nil
	}
	return pass("the clocks agree"), nil
}

// timeZones matters to applications only: the task's sessions all have UTC.
func timeZones(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	zone := func(q mysqlconn.Querier) (string, error) {
		v, err := one(ctx, q, "SELECT @@GLOBAL.time_zone")
		if err == nil && v == "SYSTEM" {
			v, err = one(ctx, q, "SELECT @@GLOBAL.system_time_zone")
		}
		return utcName(v), err
	}
	from, err := zone(s.db)
	if err != nil {
		return finding{}, mysqlconn.Fault(err, "source")
	}
	to, err := zone(d.DB())
	if refused(err) {
		return pass("the destination does not tell its time zone; the task itself uses UTC"), nil
	}
	if err != nil {
		return finding{}, mysqlconn.Fault(err, "destination")
	}
	if from != to {
		return alarm(fmt.Sprintf("time zone %s on the source, %s on the destination: applications that set none see other TIMESTAMP values", from, to),
			"SET GLOBAL time_zone = '<the source's>'; on the destination, or let applications set their own. The task itself uses UTC on both sides"), nil
	}
	return pass("both use %s", from), nil
}

func utcName(zone string) string {
	switch strings.ToUpper(zone) {
	case "UTC", "+00:00", "GMT", "ETC/UTC":
		return "UTC"
	default:
		return zone
	}
}

// sqlModes matters to applications only: the task's sessions have their own.
func sqlModes(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	from, err := one(ctx, s.db, "SELECT @@GLOBAL.sql_mode")
	if err != nil {
		return finding{}, mysqlconn.Fault(err, "source")
	}
	to, err := one(ctx, d.DB(), "SELECT @@GLOBAL.sql_mode")
	if refused(err) {
		return pass("the destination does not tell its sql_mode; the task has its own"), nil
	}
	if err != nil {
		return finding{}, mysqlconn.Fault(err, "destination")
	}
	a, b := list(from), list(to)
	var g graded
	for _, m := range a {
		if m != "NO_AUTO_CREATE_USER" && !containsFold(b, m) { // gone in 8.0, about accounts only
			g.alarm("only the source has %s", m)
		}
	}
	for _, m := range b {
		if m != "NO_AUTO_CREATE_USER" && !containsFold(a, m) {
			g.alarm("only the destination has %s", m)
		}
	}
	return g.finding("both have the same sql_mode", "", "sql_mode differs: applications that set none may find statements refused or values changed after the switch",
		"SET GLOBAL sql_mode = '<the source's>'; on the destination. The task itself uses strict mode and takes every value of the source"), nil
}

// preparedXA: the rows of a transaction that was prepared before the start are
// in no binlog event after it but its verdict.
func preparedXA(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	rows, err := records(ctx, s.db, "XA RECOVER")
	switch {
	case err != nil && mysqlconn.IsAccessDenied(err), mysqlconn.Number(err) == errXA:
		g, err := e.grantsOfSource(ctx)
		if err != nil {
			return finding{}, err
		}
		return alarm("the account may not see prepared XA transactions: one that is prepared before the start and committed after it would be missing",
			g.statement([]string{"XA_RECOVER_ADMIN"}, "*.*", sourceUser)+"\nor make sure that no application uses XA"), nil
	case err != nil:
		return finding{}, mysqlconn.Fault(err, "XA RECOVER")
	case len(rows) > 0:
		return fail(fmt.Sprintf("%d XA transactions are prepared and wait for their verdict", len(rows)),
			"end them on the source: XA RECOVER; lists them, then XA COMMIT '<id>'; or XA ROLLBACK '<id>';"), nil
	default:
		return pass("no XA transaction is prepared"), nil
	}
}

// errXA is 8.0's answer to XA RECOVER without XA_RECOVER_ADMIN: ER_XAER_RMERR.
const errXA = 1401
