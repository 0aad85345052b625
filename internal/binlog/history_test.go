package binlog

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/secret"
	"shardlift/internal/selection"
	"shardlift/internal/source"
	"shardlift/internal/testdb"
)

// withoutGTID are the options that make a server's positions file and offset.
var withoutGTID = []string{"--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"}

// lost says that a history is not the task's any more: only a reset goes on.
func lost(err error) bool {
	return errors.Is(err, fault.HistoryLost) || errors.Is(err, fault.ServerChanged) || errors.Is(err, fault.BinlogPurged)
}

// A source that comes back from a backup has files of the same names with other
// content, and the GTIDs of the lost transactions mean new ones: by sets alone
// nothing is missing (rule 9).
func TestRule9_RestoredSourceStops(t *testing.T) {
	type server struct {
		name    string
		options []string
	}
	servers := []server{{"mysql97", withoutGTID}}
	for _, name := range fewer("mysql57", "mariadb") {
		servers = append(servers, server{name, nil})
	}
	for _, c := range servers {
		t.Run(fmt.Sprint(c.name, " ", len(c.options)), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, testdb.Own(t, c.name, c.options...))
			r.exec("CREATE TABLE a (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(200)) ENGINE=InnoDB")
			r.learn()
			var data string
			require.NoError(t, r.db.QueryRowContext(t.Context(), "SELECT @@datadir").Scan(&data))
			backup := filepath.Join(t.TempDir(), "data")
			r.server.Stop(t)
			copyTree(t, data, backup)
			r.server.Start(t)

			write := func(v string, n int) {
				for range n {
					r.exec(fmt.Sprintf("INSERT INTO a (v) VALUES (REPEAT('%s', 100))", v))
				}
			}
			start := r.head()
			stamped, err := Stamp(t.Context(), r.config(start))
			require.NoError(t, err)
			require.NotZero(t, stamped.Created)
			write("x", 5)
			s := r.open(start)
			r.readTo(s, r.head())
			sameFile := s.Position()
			r.exec("FLUSH LOGS", "FLUSH LOGS")
			write("x", 5)
			r.readTo(s, r.head())
			laterFile := s.Position()
			require.Equal(t, start.HasGTID(), laterFile.HasGTID())
			s.Close()
			for _, p := range []position.Position{stamped, sameFile, laterFile} {
				require.NoError(t, r.source.CheckHistory(t.Context(), p))
				require.NoError(t, CheckBirth(t.Context(), r.config(p)))
				r.open(p).Close()
			}

			r.server.Stop(t)
			require.NoError(t, os.RemoveAll(data))
			copyTree(t, backup, data)
			r.server.Start(t)
			<-time.After(time.Second) // a file's time is in seconds
			r.exec("FLUSH LOGS")
			write("y", 30)
			r.exec("FLUSH LOGS", "FLUSH LOGS", "FLUSH LOGS")
			write("y", 30)
			for name, p := range map[string]position.Position{"start": stamped, "same file": sameFile, "later file": laterFile} {
				err := r.failsToOpen(p)
				require.ErrorIs(t, err, fault.HistoryLost, "%s: %s", name, p)
				require.ErrorIs(t, CheckBirth(t.Context(), r.config(p)), fault.HistoryLost, "the copy, %s: %s", name, p)
			}
			require.ErrorIs(t, r.source.CheckHistory(t.Context(), laterFileGone(laterFile)), fault.HistoryLost)
		})
	}
}

// laterFileGone is a position in a file that the restored source has not reached.
func laterFileGone(p position.Position) position.Position {
	p.File = p.File[:strings.LastIndexByte(p.File, '.')] + ".000999"
	return p
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "cp", "-a", strings.TrimSuffix(from, "/"), to).CombinedOutput()
	require.NoError(t, err, string(out))
}

// RESET under the stream: every server leaves the dump waiting at the end of a
// file that is gone. Nothing of the new history comes as if it followed the old,
// and the check that runs beside the stream finds out.
func TestRule9_ResetUnderTheStreamStops(t *testing.T) {
	for _, name := range fewer("mysql55", "mysql57", "mysql97", "mariadb") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, testdb.Own(t, name))
			r.change = func(c *Config) { c.Heartbeat = 200 * time.Millisecond }
			r.exec("CREATE TABLE a (id INT PRIMARY KEY) ENGINE=InnoDB", "FLUSH LOGS")
			r.learn()
			for _, file := range []bool{false, true} {
				start := r.head()
				if file {
					start = r.filePosition()
				}
				s := r.open(start)
				r.exec("DELETE FROM a", "INSERT INTO a VALUES (1)", "INSERT INTO a VALUES (2)")
				r.readTo(s, r.head())
				committed := s.Position()
				reset := "RESET MASTER"
				if name == "mysql97" {
					reset = "RESET BINARY LOGS AND GTIDS"
				}
				r.exec(reset)
				for i := range 40 {
					r.exec(fmt.Sprintf("INSERT INTO a VALUES (%d)", 100+i))
				}
				for beats := 0; beats < 3; {
					e, err := s.Next(t.Context())
					if err != nil {
						break
					}
					require.Empty(t, ops([]Event{e}, true), "a row of the new history")
					if e.Kind == Heartbeat {
						beats++
					}
				}
				s.Close()
				require.ErrorIs(t, r.source.CheckHistory(t.Context(), committed), fault.HistoryLost)
				require.True(t, lost(r.failsToOpen(committed)))
			}
		})
	}
}

// switchboard is an address behind which servers are exchanged.
type switchboard struct {
	listener net.Listener
	mu       sync.Mutex
	target   string
	open     map[net.Conn]bool
	done     sync.WaitGroup
}

func newSwitchboard(t *testing.T, s *testdb.Server) *switchboard {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	b := &switchboard{listener: l, open: map[net.Conn]bool{}}
	b.to(s)
	b.done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.done.Go(func() { b.serve(t, c) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); b.to(s); b.done.Wait() })
	return b
}

// to leads new connections to a server and cuts those that are there.
func (b *switchboard) to(s *testdb.Server) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.target = net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
	for c := range b.open {
		_ = c.Close()
	}
}

func (b *switchboard) serve(t *testing.T, c net.Conn) {
	b.mu.Lock()
	target := b.target
	b.mu.Unlock()
	up, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", target)
	if err != nil {
		_ = c.Close()
		return
	}
	b.mu.Lock()
	b.open[c], b.open[up] = true, true
	b.mu.Unlock()
	var g sync.WaitGroup
	for _, pair := range [][2]net.Conn{{c, up}, {up, c}} {
		g.Go(func() {
			buffer := make([]byte, 32<<10)
			for {
				n, err := pair[1].Read(buffer)
				if _, failed := pair[0].Write(buffer[:n]); err != nil || failed != nil {
					break
				}
			}
			_, _ = pair[0].Close(), pair[1].Close()
		})
	}
	g.Wait()
	b.mu.Lock()
	delete(b.open, c)
	delete(b.open, up)
	b.mu.Unlock()
}

// config is that of the rig's server through the board.
func (b *switchboard) config(s *testdb.Server) mysqlconn.Config {
	host, port, _ := net.SplitHostPort(b.listener.Addr().String())
	number, _ := strconv.Atoi(port)
	return mysqlconn.Config{Host: host, Port: number, User: s.User, Password: secret.NewText(s.Password), MaxConnections: 2, TLS: mysqlconn.TLS{Mode: mysqlconn.TLSDisabled}}
}

// pair is a primary and its replica, with a board before them.
type pair struct {
	*rig
	replica *testdb.Server
	board   *switchboard
}

const replicator, replicatorWord = "follower", "Follower-1-word"

func newPair(t *testing.T, name string) *pair {
	t.Helper()
	p := &pair{replica: testdb.Own(t, name)}
	primary := testdb.Own(t, name)
	// The replica replays everything, accounts included: both are as they were made.
	p.rig = &rig{t: t, server: primary, schema: "failover", tables: catalogue{}, selected: selection.Selection{{Schema: "failover"}}}
	r := p.rig
	on := func(s *testdb.Server, statements ...string) { execOn(t, s.DB(t, ""), statements...) }
	auth := ""
	if name == "mysql97" || name == "mysql80" {
		auth = " WITH caching_sha2_password"
	}
	user := []string{"CREATE USER " + replicator + " IDENTIFIED" + auth + " BY '" + replicatorWord + "'", "GRANT REPLICATION SLAVE ON *.* TO " + replicator}
	on(primary, user...)
	switch {
	case primary.Flavor == "mariadb":
		on(p.replica, fmt.Sprintf("CHANGE MASTER TO MASTER_HOST='%s', MASTER_PORT=%d, MASTER_USER='%s', MASTER_PASSWORD='%s', MASTER_USE_GTID=slave_pos", primary.Host, primary.Port, replicator, replicatorWord), "START SLAVE")
	case name == "mysql97":
		on(p.replica, fmt.Sprintf("CHANGE REPLICATION SOURCE TO SOURCE_HOST='%s', SOURCE_PORT=%d, SOURCE_USER='%s', SOURCE_PASSWORD='%s', SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1", primary.Host, primary.Port, replicator, replicatorWord), "START REPLICA")
	default:
		key := ""
		if name == "mysql80" {
			key = ", GET_MASTER_PUBLIC_KEY=1"
		}
		on(p.replica, fmt.Sprintf("CHANGE MASTER TO MASTER_HOST='%s', MASTER_PORT=%d, MASTER_USER='%s', MASTER_PASSWORD='%s', MASTER_AUTO_POSITION=1"+key, primary.Host, primary.Port, replicator, replicatorWord), "START SLAVE")
	}
	on(primary, "CREATE DATABASE failover", "CREATE TABLE failover.a (id INT PRIMARY KEY, v INT) ENGINE=InnoDB")
	r.db = primary.DB(t, "failover")
	account := []string{"CREATE USER app IDENTIFIED" + auth + " BY '" + replicatorWord + "'", "GRANT ALL ON *.* TO app"}
	on(primary, account...)
	p.board = newSwitchboard(t, primary)
	r.conn = p.board.config(primary)
	r.conn.User, r.conn.Password = "app", secret.NewText(replicatorWord)
	s, err := source.Open(t.Context(), r.conn, 2)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	r.source = s
	r.learn()
	return p
}

// caughtUp waits until the replica has everything of a position.
func (p *pair) caughtUp(at position.Position) {
	p.t.Helper()
	query := "SELECT @@GLOBAL.gtid_executed"
	if at.Flavor == position.MariaDB {
		query = "SELECT @@GLOBAL.gtid_binlog_pos"
	}
	want, err := at.Set()
	require.NoError(p.t, err)
	db := p.replica.DB(p.t, "")
	require.Eventually(p.t, func() bool {
		var text string
		require.NoError(p.t, db.QueryRowContext(p.t.Context(), query).Scan(&text))
		has, err := position.ParseSet(at.Flavor, text)
		require.NoError(p.t, err)
		return has.Contains(want)
	}, time.Minute, 50*time.Millisecond, "the replica does not follow")
}

// promote ends the replica's replication and leads everybody to it.
func (p *pair) promote() {
	p.t.Helper()
	stop := "STOP SLAVE"
	if p.replica.Name == "mysql97" {
		stop = "STOP REPLICA"
	}
	execOn(p.t, p.replica.DB(p.t, ""), stop)
	p.db = p.replica.DB(p.t, "failover")
	p.board.to(p.replica)
}

// TestRule9_FailoverToAPromotedReplica: with GTIDs the stream goes on where it
// was, on the other server.
func TestRule9_FailoverToAPromotedReplica(t *testing.T) {
	for _, name := range failoverServers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, name)
			start := p.head()
			s := p.open(start)
			for i := range 50 {
				p.exec(fmt.Sprintf("INSERT INTO a VALUES (%d, %d)", i, i))
			}
			events := p.read(s, func(e Event) bool { return e.Kind == Commit && len(ops([]Event{e}, true)) == 0 })
			before := p.head()
			p.caughtUp(before)
			p.server.Kill(t)
			p.promote()
			committed := s.Position()
			err := p.fails(s)
			require.Equal(t, fault.Retry, fault.ClassOf(err), "%v", err)
			s.Close()
			p.exec("UPDATE a SET v = v + 1000 WHERE id < 10", "DELETE FROM a WHERE id >= 45", "INSERT INTO a VALUES (100, 1)")

			require.NoError(t, p.source.CheckHistory(t.Context(), committed))
			again := p.open(committed)
			end := p.head()
			// What was read and not committed comes again.
			for len(events) > 0 && events[len(events)-1].Kind != Commit {
				events = events[:len(events)-1]
			}
			events = append(events, p.readTo(again, end)...)
			require.Equal(t, p.selectAll("a"), play(t, events)["a"])
			moved := again.Position()
			require.NotEqual(t, committed.Server, moved.Server, "positions name the server that is read")
			again.Close()

			// From now on the replica is the source.
			p.exec("INSERT INTO a VALUES (101, 1)")
			require.Equal(t, []string{"+101"}, ops(p.readTo(p.open(moved), p.head()), true))
		})
	}
}

// TestRule9_FailoverToAReplicaThatLacksTransactionsStops: what was read is not in
// the new source's history, for the stream and for every connection of the copy.
func TestRule9_FailoverToAReplicaThatLacksTransactionsStops(t *testing.T) {
	for _, name := range failoverServers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, name)
			start := p.head()
			s := p.open(start)
			p.exec("INSERT INTO a VALUES (1, 1)")
			p.readTo(s, p.head())
			p.caughtUp(p.head())
			freeze := "STOP SLAVE"
			if name == "mysql97" {
				freeze = "STOP REPLICA"
			}
			execOn(t, p.replica.DB(t, ""), freeze)
			p.exec("INSERT INTO a VALUES (2, 1)")
			p.readTo(s, p.head())
			committed := s.Position()
			p.source.Pin(committed) // a chunk was read here
			p.server.Kill(t)
			p.promote()
			require.Equal(t, fault.Retry, fault.ClassOf(p.fails(s)))
			s.Close()
			for i := range 10 { // the replica's own history grows
				p.exec(fmt.Sprintf("INSERT INTO a VALUES (%d, 2)", 10+i))
			}
			require.ErrorIs(t, p.failsToOpen(committed), fault.HistoryLost, "the dump's own connection knows")
			_, err := p.source.Head(t.Context())
			require.Equal(t, fault.Fatal, fault.ClassOf(mysqlconn.Fault(err, "source")), "a copy connection: %v", err)

			// A worker that starts again knows of the copy what the metadata says.
			fresh, err := source.Open(t.Context(), p.conn, 2)
			require.NoError(t, err)
			defer func() { require.NoError(t, fresh.Close()) }()
			require.NoError(t, fresh.CheckHistory(t.Context(), start), "the start position is there")
			require.NoError(t, fresh.CheckSeen(t.Context(), []position.Position{start}))
			require.ErrorIs(t, fresh.CheckSeen(t.Context(), []position.Position{start, committed}), fault.HistoryLost)
		})
	}
}

// The end of a stream must not KILL: after a restart the number of the dump's
// connection is that of somebody else's session. The source ends the dump itself.
func TestStream_CloseDisturbsNobody(t *testing.T) {
	for _, name := range fewer("mysql55", "mysql97", "mariadb") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, testdb.Own(t, name))
			s := r.open(r.head())
			id := s.feed.(*syncerFeed).syncer.LastConnectionID()
			dumps := func() (n int) {
				found, err := testdb.Processes(t.Context(), r.db)
				require.NoError(t, err)
				for _, p := range found {
					if p.ID == int64(id) {
						n++
					}
				}
				return n
			}
			require.Equal(t, 1, dumps())
			var before, after, label string
			count := "SHOW GLOBAL STATUS LIKE 'Connections'"
			require.NoError(t, r.db.QueryRowContext(t.Context(), count).Scan(&label, &before))
			s.Close()
			require.NoError(t, r.db.QueryRowContext(t.Context(), count).Scan(&label, &after))
			require.Equal(t, before, after, "another connection was opened to end the dump")
			require.Eventually(t, func() bool { return dumps() == 0 }, time.Minute, 50*time.Millisecond, "the dump stays on the source")
		})
	}
}

// A PURGE never takes a file away from under a dump that reads it: the stream
// goes on, or says so; it never leaves anything out.
func TestRule9_PurgeUnderTheStream(t *testing.T) {
	for _, name := range []string{"mysql55", "mysql97", "mariadb"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, testdb.Own(t, name))
			r.exec("CREATE TABLE a (id INT PRIMARY KEY, v LONGTEXT) ENGINE=InnoDB")
			r.learn()
			r.change = func(c *Config) { c.QueueBytes = 1 } // a slow reader: most stays on the source
			s := r.open(r.head())
			for i := range 40 {
				r.exec(fmt.Sprintf("INSERT INTO a VALUES (%d, REPEAT('x', 500000))", i))
				if i%10 == 9 {
					r.exec("FLUSH LOGS")
				}
			}
			events := r.read(s, func(e Event) bool { return e.Kind == Commit })
			r.exec(fmt.Sprintf("PURGE BINARY LOGS TO '%s'", r.filePosition().File))
			end := r.head()
			for {
				e, err := s.Next(t.Context())
				if err != nil { // and nothing else opens the stream in its place
					require.True(t, lost(err) || lost(r.failsToOpen(s.Position())), "%v", err)
					break
				}
				events = append(events, e)
				if covered, err := e.Position.Covers(end); e.Kind != Rows && err == nil && covered {
					break
				}
			}
			var want []string
			for i := range 40 {
				want = append(want, fmt.Sprintf("+%d", i))
			}
			got := ops(events, true)
			require.Equal(t, want[:len(got)], got, "what came is what was written, from the start without a gap")
		})
	}
}

// binlog_checksum may change while the stream runs: the next file has it or not.
func TestStream_ChecksumChangesWhileItRuns(t *testing.T) {
	for _, name := range testdb.Versions()[1:] { // 5.5 has none
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, testdb.Own(t, name))
			r.exec("CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(100)) ENGINE=InnoDB")
			r.learn()
			start, file := r.head(), r.filePosition()
			s := r.open(start)
			for i, checksum := range []string{"CRC32", "NONE", "CRC32", "NONE"} {
				r.exec(fmt.Sprintf("INSERT INTO a VALUES (%d, 'before')", 10*i), "SET GLOBAL binlog_checksum = "+checksum, fmt.Sprintf("INSERT INTO a VALUES (%d, 'after')", 10*i+1))
				if name == "mysql97" {
					c := r.session()
					execOn(t, c, "SET SESSION binlog_transaction_compression = ON", fmt.Sprintf("INSERT INTO a VALUES (%d, REPEAT('x', 90))", 10*i+2))
				}
			}
			end := r.head()
			require.Equal(t, r.selectAll("a"), play(t, r.readTo(s, end))["a"])
			require.Equal(t, r.selectAll("a"), play(t, r.readTo(r.open(start), end))["a"], "from the start")
			require.Equal(t, r.selectAll("a"), play(t, r.readTo(r.open(file), r.filePosition()))["a"], "by file")
		})
	}
}

// A source that dies in the middle of statements on a table without
// transactions: what its binlog has arrives once, from one life to the next.
func TestStream_SourceCrashWithNonTransactionalTables(t *testing.T) {
	for _, name := range []string{"mysql55", "mysql97", "mariadb"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, testdb.Own(t, name))
			r.exec("CREATE TABLE m (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(100)) ENGINE=MyISAM", "CREATE TABLE a (id INT PRIMARY KEY AUTO_INCREMENT) ENGINE=InnoDB")
			r.learn()
			start := r.head()
			s := r.open(start)
			written := make(chan int)
			go func() { // until the server dies
				n := 0
				for {
					if _, err := r.db.ExecContext(t.Context(), "INSERT INTO m (v) VALUES "+strings.Repeat("('x'),", 199)+"('x')"); err != nil {
						break
					}
					if _, err := r.db.ExecContext(t.Context(), "INSERT INTO a VALUES ()"); err != nil {
						break
					}
					n++
				}
				written <- n
			}()
			rows := 0
			var events, open []Event
			committed := start
			take := func(e Event) {
				rows += len(e.Changes)
				if open = append(open, e); e.Kind == Commit {
					events, open, committed = append(events, open...), nil, e.Position
				}
			}
			r.read(s, func(e Event) bool { take(e); return rows > 1000 })
			r.server.Kill(t)
			for {
				e, err := s.Next(t.Context())
				if err != nil {
					require.Equal(t, fault.Retry, fault.ClassOf(err), "%v", err)
					break
				}
				take(e)
			}
			s.Close()
			require.Positive(t, <-written)
			r.server.Start(t)
			execOn(t, r.db, "REPAIR TABLE m", "INSERT INTO m (id, v) VALUES (1000000, 'next life')", "INSERT INTO a VALUES (1000000)")
			require.NoError(t, r.source.CheckHistory(t.Context(), committed))
			events = append(events, r.readTo(r.open(committed), r.head())...)
			got := play(t, events)
			require.Equal(t, r.selectAll("a"), got["a"])
			// Rows of the last statement may be in the table and not in the binlog:
			// the source itself has lost what its replicas would need.
			there := r.selectAll("m")
			require.LessOrEqual(t, len(there)-len(got["m"]), 200)
			for id := range got["m"] {
				require.Contains(t, there, id)
			}
			require.Contains(t, got["m"], "1000000")
		})
	}
}
