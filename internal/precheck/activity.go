package precheck

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"shardlift/internal/binlog"
	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/table"
)

func activityItems() []item {
	return []item{
		{code: "srcLongTransactions", group: groupSource, title: "No long transaction or backup lock is in the way", needs: onSource, incremental: true, run: longTransactions},
	}
}

// longTransaction is what counts as long.
const longTransaction = 60 * time.Second

// longTransactions (PC-D24): an open transaction may keep a lock that the start
// position waits for, and its rows come when it commits; a backup's lock holds
// every writer, the source's own commits included.
func longTransactions(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	var g graded
	// trx_started has the server's own zone, our session is at +00:00.
	const long = "SELECT TIMESTAMPDIFF(SECOND, trx_started, CONVERT_TZ(NOW(), '+00:00', 'SYSTEM')) AS age, trx_rows_modified AS changed FROM information_schema.INNODB_TRX HAVING age >= %d ORDER BY age DESC LIMIT 100"
	rows, err := records(ctx, s.db, fmt.Sprintf(long, int(longTransaction.Seconds())))
	switch {
	case mysqlconn.IsAccessDenied(err):
		g.alarm("without PROCESS: open transactions and locks of other accounts are not seen")
	case err != nil:
		return finding{}, mysqlconn.Fault(err, "open transactions")
	}
	for _, r := range rows {
		g.alarm("a transaction is open for %s s and has changed %s rows", r["age"], r["changed"])
	}
	if err := g.locks(ctx, s); err != nil {
		return finding{}, err
	}
	return g.finding("no transaction is open for more than a minute, no lock holds writers", "", "long transactions or backup locks are there, or are not seen",
		"wait for them or end them: SELECT trx_mysql_thread_id, trx_started FROM information_schema.INNODB_TRX ORDER BY trx_started; KILL <id>; start the task when no backup runs"), nil
}

// locks looks for global locks: held ones where the server tells, waiting
// threads everywhere.
func (g *graded) locks(ctx context.Context, s *server) error {
	if s.capabilities.IsOn("performance_schema") && s.capabilities.Flavor == position.MySQL && s.capabilities.Number >= 50700 {
		rows, err := records(ctx, s.db, "SELECT OBJECT_TYPE AS what, LOCK_TYPE AS mode FROM performance_schema.metadata_locks WHERE LOCK_STATUS = 'GRANTED' AND "+
			"(OBJECT_TYPE IN ('GLOBAL', 'COMMIT') AND LOCK_TYPE = 'SHARED' OR OBJECT_TYPE = 'BACKUP LOCK' AND LOCK_TYPE = 'SHARED') LIMIT 10")
		if err != nil && !refused(err) {
			return mysqlconn.Fault(err, "locks")
		}
		for _, r := range rows {
			g.alarm("somebody holds a %s lock (FLUSH TABLES WITH READ LOCK, or a backup)", strings.ToLower(r["what"]))
		}
	}
	rows, err := records(ctx, s.db, "SHOW PROCESSLIST")
	if refused(err) {
		return nil
	}
	if err != nil {
		return mysqlconn.Fault(err, "processes")
	}
	waiting := map[string]int{}
	for _, r := range rows {
		for _, state := range []string{"Waiting for global read lock", "Waiting for backup lock", "Waiting for commit lock"} {
			if strings.HasPrefix(r["state"], state) {
				waiting[state]++
			}
		}
	}
	for state, n := range waiting {
		g.alarm("%d threads: %s", n, state)
	}
	return nil
}

// binlogCompression: compressed transactions (MySQL from 8.0.20) and compressed
// events (MariaDB) are unpacked as a stream.
func binlogCompression(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	for _, name := range []string{"binlog_transaction_compression", "log_bin_compress"} {
		if s.capabilities.IsOn(name) {
			return pass("%s is ON: the binlog is compressed; workers unpack it as a stream", name), nil
		}
	}
	return pass("the binlog is not compressed"), nil
}

// dumpTime is how long a source may take to send the first of its binlog.
const dumpTime = 10 * time.Second

// binlogDump (PC-D25) asks for the binlog from now on, with the task's own
// server id, as the task will: rights, server ids and firewalls that only show
// then, show now.
func binlogDump(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	status, err := binlogStatus(ctx, s)
	if err != nil {
		return finding{}, err
	}
	var offset uint64
	if _, err := fmt.Sscan(status["position"], &offset); err != nil {
		return fail("the source does not tell its binlog position", "see srcDbBinlogIsOff and srcDbPrivilegesIsEnoughForIncre"), nil
	}
	c := s.capabilities
	err = tryDump(ctx, binlog.Config{
		Conn: e.config.Source.Settled(c), Capabilities: c, ServerID: binlog.ServerID(e.config.TaskID, 0),
		From:           position.Position{Flavor: c.Flavor, Server: c.Identity(), File: status["file"], Offset: offset},
		StatementsOnly: true, Tables: noTables{}, Heartbeat: 500 * time.Millisecond,
	})
	if err == nil || errors.Is(err, fault.XAUnknown) { // the end of somebody's XA transaction came, which is sent too
		return pass("the source sends its binlog to the task's server id"), nil
	}
	if f, ok := fault.As(err); ok && ctx.Err() == nil {
		return fail("the source does not send its binlog: "+f.Message, f.Remedy, f.Error()), nil
	}
	return finding{}, err
}

// tryDump reads one event, a heartbeat at the latest.
func tryDump(ctx context.Context, c binlog.Config) error {
	ctx, cancel := context.WithTimeout(ctx, dumpTime)
	defer cancel()
	stream, err := binlog.Open(ctx, c)
	if err != nil {
		return err
	}
	defer stream.Close()
	_, err = stream.Next(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return fault.ConnectionLost.New("binlog", "nothing came for %.0f s", dumpTime.Seconds())
	}
	return err
}

// noTables stands for a task without tables.
type noTables struct{}

func (noTables) Table(n table.Name) (*table.Table, error) {
	return nil, fault.TableUnplanned.New(n.String(), "")
}
