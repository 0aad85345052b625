package precheck

import (
	"context"

	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
)

func inventoryItems() []item {
	return []item{
		{code: "srcTriggerAndEventCheck", group: groupSource, title: "Views, routines, triggers, events and accounts that are not moved", needs: onSource, run: notMoved},
	}
}

// notMoved (PC-49) counts what stays behind: only rows of base tables move.
// What triggers and events of the source change is in its binlog.
func notMoved(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	rights, err := e.grantsOfSource(ctx)
	if err != nil {
		return finding{}, err
	}
	var g graded
	for _, schema := range e.config.Spec.Objects.Schemas() {
		for _, kind := range []struct{ what, query string }{
			{"views", "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_TYPE LIKE '%VIEW'"},
			{"routines", "SELECT COUNT(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ?"},
			{"triggers", "SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ?"},
			{"events", "SELECT COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ?"},
		} {
			n, err := one(ctx, s.db, kind.query, schema)
			if err != nil && !refused(err) {
				return finding{}, mysqlconn.Fault(err, schema)
			}
			if err != nil || n != "0" {
				g.alarm("%s: %s %s", schema, n, kind.what)
			}
		}
		if rights.readable && !rights.onSchema("TRIGGER", schema) {
			g.alarm("%s: triggers are not seen without TRIGGER (%s)", schema, rights.statement([]string{"TRIGGER"}, dialect.QuoteName(schema)+".*", sourceUser))
		}
	}
	if len(g.alarms) == 0 {
		return pass("the selected schemas have nothing besides base tables; accounts and their privileges are not moved either"), nil
	}
	n, err := one(ctx, s.db, "SELECT COUNT(*) FROM mysql.user")
	switch {
	case err == nil:
		g.alarm("%s accounts with their privileges", n)
	case refused(err):
		g.alarm("accounts with their privileges (not seen without SELECT on mysql.user)")
	default:
		return finding{}, mysqlconn.Fault(err, "accounts")
	}
	return g.finding("", "", "objects of the source are not moved",
		"create on the destination what the application needs before the switch (SHOW CREATE VIEW, PROCEDURE, FUNCTION, TRIGGER, EVENT; SHOW GRANTS). DDM has no views, routines, triggers and events: move their work into the application"), nil
}

// returnItems say whether rows could flow back after the switch.
func returnItems() []item {
	return []item{
		{code: "dstWayBack", group: groupTarget, title: "Rows could be brought back after the switch", needs: onDestination, incremental: true, run: wayBack},
	}
}

// wayBack looks at what a way back needs: binlogs of the destination's data
// nodes, as the way there needs the source's.
func wayBack(ctx context.Context, e *Env) (finding, error) {
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	nodes, err := e.nodes(ctx)
	if err != nil {
		return finding{}, err
	}
	const remedy = "[mysqld]\nlog_bin = binlog\nbinlog_format = ROW\nbinlog_row_image = FULL\ngtid_mode = ON\nenforce_gtid_consistency = ON\non the destination's data nodes; or keep a backup of the source and decide by it"
	var g graded
	if plain(d) {
		c, err := mysqlconn.Probe(ctx, d.DB())
		if err != nil {
			return finding{}, err
		}
		g.returns("destination", c)
	} else {
		for _, n := range answering(nodes) {
			g.returns(n.name, n.capabilities)
		}
		if missing := len(nodes) - len(answering(nodes)); missing > 0 || len(nodes) == 0 {
			g.alarm("the binlogs of the data nodes are not seen: %s", nameNodes)
		}
	}
	return g.finding("the destination keeps binlogs from which rows could be brought back", "", "after the switch there is no way back by replication", remedy), nil
}

func (g *graded) returns(name string, c mysqlconn.Capabilities) {
	if !c.IsOn("log_bin") {
		g.alarm("%s: no binlog", name)
		return
	}
	for _, want := range []struct{ variable, value string }{{"binlog_format", "ROW"}, {"binlog_row_image", "FULL"}} {
		if v := c.VariableOr(want.variable, want.value); v != want.value {
			g.alarm("%s: %s is %s", name, want.variable, v)
		}
	}
	if !c.GTID {
		g.alarm("%s: no GTIDs, so that changes are tied to one server's files", name)
	}
}
