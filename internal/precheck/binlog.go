package precheck

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"shardlift/internal/binlog"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
)

func binlogItems() []item {
	i := func(code, title string, run func(context.Context, *Env) (finding, error)) item {
		return item{code: code, group: groupParameters, title: title, needs: onSource, incremental: true, run: run}
	}
	return []item{
		i("srcDbBinlogIsOff", "Source writes a binlog", binlogOn),
		i("srcBinlogFormatCheck", "Binlog format is ROW", binlogFormat),
		i("srcBinlogRowImageCheck", "Row images are full", binlogImage),
		i("srcBinlogRowValueOptions", "JSON values are logged whole", binlogPartialJSON),
		i("srcBinlogCompression", "Compressed binlog is understood", binlogCompression),
		i("srcBinlogFilters", "No filter hides a selected schema from the binlog", binlogFilters),
		i("srclogSlaveUpdatesCheck", "Replicated changes reach the source's binlog", binlogReplicated),
		i("srcDbServerIdCheck", "Server ids are set and differ", serverIDs),
		i("srcDbBinlogExpireLogsDays", "Binlog files are kept long enough", binlogRetention),
		i("srcBinlogPurgeHorizon", "Binlog outlives the full copy", purgeHorizon),
		i("srcGtidStatusCheck", "GTIDs are on", gtids),
		i("gtidFormatCheck", "GTID set is understood", gtidFormat),
		i("srcBinlogDump", "Source sends its binlog", binlogDump),
	}
}

func binlogOn(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	if !s.capabilities.IsOn("log_bin") {
		return fail("the source writes no binlog", "[mysqld]\nlog_bin = binlog\nserver_id = <a number of its own>\nbinlog_format = ROW\nThen restart the source."), nil
	}
	return pass("log_bin is ON"), nil
}

// Effect of SET GLOBAL: sessions that are open keep their own value.
const reconnect = "\nSet it in the configuration file too. Sessions that are open keep the old value: end them or restart the source."

func binlogFormat(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	if v := s.capabilities.VariableOr("binlog_format", "ROW"); !strings.EqualFold(v, "ROW") {
		return fail("binlog_format is "+v, "SET GLOBAL binlog_format = 'ROW';"+reconnect), nil
	}
	return pass("binlog_format is ROW"), nil
}

// binlogImage: servers without the variable (before 5.6) always log full images.
func binlogImage(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	if v := s.capabilities.VariableOr("binlog_row_image", "FULL"); !strings.EqualFold(v, "FULL") {
		return fail("binlog_row_image is "+v, "SET GLOBAL binlog_row_image = 'FULL';"+reconnect), nil
	}
	return pass("row images are full"), nil
}

func binlogPartialJSON(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	if v := s.capabilities.VariableOr("binlog_row_value_options", ""); v != "" {
		return fail("binlog_row_value_options is "+v, "SET GLOBAL binlog_row_value_options = '';"+reconnect), nil
	}
	return pass("JSON values are logged whole"), nil
}

// binlogStatus is the row of SHOW BINARY LOG STATUS; nil without a binlog.
func binlogStatus(ctx context.Context, s *server) (record, error) {
	rows, err := show(ctx, s.db, "binlog status", "SHOW BINARY LOG STATUS", "SHOW MASTER STATUS", "SHOW BINLOG STATUS")
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0], nil
}

func binlogFilters(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	status, err := binlogStatus(ctx, s)
	if err != nil {
		return finding{}, err
	}
	do, ignore := list(status["binlog_do_db"]), list(status["binlog_ignore_db"])
	var hidden []string
	for _, schema := range e.config.Spec.Objects.Schemas() {
		switch {
		case len(do) > 0 && !containsFold(do, schema):
			hidden = append(hidden, schema+" is not in binlog_do_db")
		case len(do) == 0 && containsFold(ignore, schema):
			hidden = append(hidden, schema+" is in binlog_ignore_db")
		}
	}
	if len(hidden) > 0 {
		return fail("changes of selected schemas are not written to the binlog", "remove binlog_do_db and binlog_ignore_db from the source's configuration file and restart it", hidden...), nil
	}
	replica, err := replicaStatus(ctx, s)
	if err != nil && !mysqlconn.IsAccessDenied(err) {
		return finding{}, err
	}
	var filters []string
	for _, r := range replica {
		for _, name := range []string{"replicate_do_db", "replicate_ignore_db", "replicate_do_table", "replicate_ignore_table", "replicate_wild_do_table", "replicate_wild_ignore_table"} {
			if r[name] != "" {
				filters = append(filters, name+": "+r[name])
			}
		}
	}
	if len(filters) > 0 {
		return alarm("the source is a replica with filters: it may lack rows that its own source has",
			"see that no filter hides a selected table, or migrate from the primary", filters...), nil
	}
	return pass("no filter hides a selected schema"), nil
}

func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' })
}

func containsFold(names []string, name string) bool {
	for _, n := range names {
		if strings.EqualFold(strings.TrimSpace(n), name) {
			return true
		}
	}
	return false
}

// replicaStatus has a row per source that the source itself replicates from.
func replicaStatus(ctx context.Context, s *server) ([]record, error) {
	statements := []string{"SHOW REPLICA STATUS", "SHOW SLAVE STATUS"}
	if s.capabilities.Flavor == position.MariaDB {
		statements = []string{"SHOW ALL REPLICAS STATUS", "SHOW ALL SLAVES STATUS", "SHOW SLAVE STATUS"}
	}
	return show(ctx, s.db, "replica status", statements...)
}

// binlogReplicated: without log_slave_updates what a replica applies is not in its binlog.
func binlogReplicated(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	c := s.capabilities
	if c.IsOn("log_replica_updates") || c.IsOn("log_slave_updates") {
		return pass("log_slave_updates is ON"), nil
	}
	const remedy = "[mysqld]\nlog_slave_updates = ON\nThen restart the source; or migrate from the primary."
	replica, err := replicaStatus(ctx, s)
	switch {
	case mysqlconn.IsAccessDenied(err):
		return alarm("log_slave_updates is OFF, and the account may not see whether the source is a replica", remedy), nil
	case err != nil:
		return finding{}, err
	case len(replica) > 0:
		return fail("the source is a replica and does not log the changes that it replicates", remedy), nil
	default:
		return alarm("log_slave_updates is OFF: the source is no replica now, but if it becomes one (a switchover) its changes are not in its binlog", remedy), nil
	}
}

// variedBits are the low bits of the task's server id that binlog.Open varies, so
// that a dump that was left behind does not block the next one.
const variedBits = 12

func sameClient(a, b uint32) bool { return a>>variedBits == b>>variedBits }

func serverIDs(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	ours := binlog.ServerID(e.config.TaskID, 0)
	switch id := s.capabilities.ServerID; {
	case id == 0:
		return fail("server_id of the source is 0: it refuses to send its binlog", "SET GLOBAL server_id = <a number of its own>;\nSet it in the configuration file too."), nil
	case sameClient(id, ours):
		return fail(fmt.Sprintf("server_id of the source is %d, which is the task's own", ours), "create the task again: its id decides about its server id; or change server_id of the source"), nil
	}
	taken, err := replicaHas(ctx, s, ours)
	// The task itself may have read the binlog a moment ago: for srcBinlogDump, or
	// before a reset. The source notices the end of it with its next heartbeat.
	for began := time.Now(); err == nil && taken && time.Since(began) < leftBehind; {
		select {
		case <-ctx.Done():
			return finding{}, ctx.Err()
		case <-time.After(leftBehind / 20):
		}
		taken, err = replicaHas(ctx, s, ours)
	}
	switch {
	case mysqlconn.IsAccessDenied(err):
		g, err := e.grantsOfSource(ctx)
		return alarm("the account may not see the ids of the source's replicas", g.statement([]string{"REPLICATION SLAVE"}, "*.*", sourceUser)), err
	case err != nil:
		return finding{}, err
	case taken:
		return fail(fmt.Sprintf("a replica of the source has the server id %d, which is the task's own: they would throw each other out", ours),
			"end the other client with this id (another worker of this very task?), or create the task again"), nil
	}
	return pass("the source has server_id %d, the task %d, and no replica has it", s.capabilities.ServerID, ours), nil
}

// leftBehind is how long a binlog connection of the task may be seen after its end.
const leftBehind = 10 * time.Second

// replicaHas says whether a replica of the source has the task's server id.
func replicaHas(ctx context.Context, s *server, ours uint32) (bool, error) {
	replicas, err := show(ctx, s.db, "replicas", "SHOW REPLICAS", "SHOW SLAVE HOSTS", "SHOW REPLICA HOSTS")
	return slices.ContainsFunc(replicas, func(r record) bool {
		id, err := strconv.ParseUint(r["server_id"], 10, 32)
		return err == nil && sameClient(uint32(id), ours)
	}), err
}

func gtids(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	if s.capabilities.GTID {
		return pass("every transaction has a GTID"), nil
	}
	return alarm("GTIDs are off: the task cannot follow a switchover of the source to another server",
		"gtid_mode = ON and enforce_gtid_consistency = ON where the source's version has them; otherwise make sure that the source stays the same server until the task ends"), nil
}
