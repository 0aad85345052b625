package source_test

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/source"
	"shardlift/internal/table"
	"shardlift/internal/testdb"
)

// poll is a start position and what a SELECT saw right after it.
type poll struct {
	at   position.Position
	seen int64
}

// transaction is one insert as the binlog has it.
type transaction struct {
	id   int64
	file string
	end  uint64
	gtid string
}

const (
	polls     = 2000
	pollLimit = 7 * time.Second
)

// TestStartPosition_NeverAheadOfSelect is rule 1: no transaction before a start
// position may be invisible to the SELECT that follows it. Whoever copies rows
// after it and replays from it would lose that transaction.
func TestStartPosition_NeverAheadOfSelect(t *testing.T) {
	t.Parallel()
	for _, name := range testdb.Versions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Synchronous as in production: it is between the sync of the binlog
			// and the engine's commit that a transaction is ahead.
			s := testdb.Own(t, name, "--sync-binlog=1", "--innodb-flush-log-at-trx-commit=1")
			c := config(s)
			if name == "mysql55" || name == "mysql56" {
				t.Run("locks", func(t *testing.T) {
					user, password := s.Account(t, "SELECT, LOCK TABLES, REPLICATION CLIENT, REPLICATION SLAVE ON *.*")
					measure(t, s, as(c, user, password))
				})
			}
			measure(t, s, c)
		})
	}
}

func measure(t *testing.T, s *testdb.Server, c mysqlconn.Config) {
	schema := s.Schema(t)
	name := table.Name{Schema: schema, Table: "v"}
	exec(t, s.DB(t, schema), "CREATE TABLE v (id BIGINT PRIMARY KEY, a VARCHAR(50)) ENGINE=InnoDB")
	src := open(t, c, 4)
	begin, err := src.Head(t.Context())
	require.NoError(t, err)

	taken, written := pollWhileWriting(t, s, src, name)
	history := readHistory(t, s, begin, src.Capabilities(), written)
	require.GreaterOrEqual(t, len(taken), 50, "too few polls to mean anything")
	busy := 0
	for _, p := range taken {
		if p.seen > 0 && p.seen < written {
			busy++
		}
		require.LessOrEqual(t, lastBeforeFile(history, p.at), p.seen, "%s is ahead of SELECT by file", p.at)
		if p.at.HasGTID() {
			require.LessOrEqual(t, lastInSet(t, history, p.at), p.seen, "%s is ahead of SELECT by GTID", p.at)
		}
	}
	require.Greater(t, busy, len(taken)/2, "the writer was idle during the polls")
	t.Logf("%s: %d polls, %d transactions", src.Capabilities().Version, len(taken), written)
}

// pollWhileWriting polls while one connection commits single-row inserts.
func pollWhileWriting(t *testing.T, s *testdb.Server, src *source.Source, name table.Name) (taken []poll, written int64) {
	end := time.Now().Add(pollLimit)
	writing, stop := context.WithCancel(t.Context())
	defer stop()
	var g errgroup.Group
	db := s.DB(t, name.Schema)
	g.Go(func() error {
		for writing.Err() == nil {
			if _, err := db.ExecContext(t.Context(), fmt.Sprintf("INSERT INTO v VALUES (%d, 'x')", written+1)); err != nil {
				return err
			}
			written++
		}
		return nil
	})
	for len(taken) < polls && time.Now().Before(end) {
		var p poll
		var err error
		p.at, err = src.StartPosition(t.Context(), []table.Name{name})
		require.NoError(t, err)
		require.NoError(t, src.DB().QueryRowContext(t.Context(), "SELECT COALESCE(MAX(id), 0) FROM "+name.String()).Scan(&p.seen))
		taken = append(taken, p)
	}
	stop()
	require.NoError(t, g.Wait())
	return taken, written
}

// readHistory reads the inserts from the binlog itself.
func readHistory(t *testing.T, s *testdb.Server, from position.Position, found mysqlconn.Capabilities, until int64) []transaction {
	syncer := replication.NewBinlogSyncer(replication.BinlogSyncerConfig{
		ServerID: 424_343, Flavor: s.Flavor, Host: s.Host, Port: uint16(s.Port), User: s.User, Password: s.Password,
		DisableRetrySync: true, Dialer: config(s).Dialer(),
	})
	defer syncer.Close()
	stream, err := syncer.StartSync(mysql.Position{Name: from.File, Pos: uint32(from.Offset)})
	require.NoError(t, err)
	var out []transaction
	var one transaction
	for int64(len(out)) < until {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		event, err := stream.GetEvent(ctx)
		cancel()
		require.NoError(t, err)
		switch e := event.Event.(type) {
		case *replication.RotateEvent:
			one.file = string(e.NextLogName)
		case *replication.GTIDEvent:
			sid, err := uuid.FromBytes(e.SID)
			require.NoError(t, err)
			one.gtid = fmt.Sprintf("%s:%d", sid, e.GNO)
		case *replication.MariadbGTIDEvent:
			one.gtid = e.GTID.String()
		case *replication.RowsEvent:
			one.id = e.Rows[0][0].(int64)
		case *replication.XIDEvent:
			one.end = uint64(event.Header.LogPos)
			out = append(out, one)
		}
	}
	require.True(t, sort.SliceIsSorted(out, func(i, j int) bool { return out[i].id < out[j].id }))
	require.Equal(t, found.GTID, strings.ContainsAny(one.gtid, ":-"))
	return out
}

// lastBeforeFile returns the id of the last transaction before a file position.
// With a safe GTID set the file place is for display and may be ahead.
func lastBeforeFile(history []transaction, p position.Position) int64 {
	if p.HasGTID() && p.Flavor == position.MySQL {
		return 0
	}
	n := sort.Search(len(history), func(i int) bool {
		return position.CompareFile(history[i].file, history[i].end, p.File, p.Offset) > 0
	})
	return idAt(history, n)
}

// lastInSet returns the id of the last transaction that a GTID set holds.
func lastInSet(t *testing.T, history []transaction, p position.Position) int64 {
	set, err := p.Set()
	require.NoError(t, err)
	n := sort.Search(len(history), func(i int) bool {
		one, err := position.ParseSet(p.Flavor, history[i].gtid)
		require.NoError(t, err)
		return !set.Contains(one)
	})
	return idAt(history, n)
}

func idAt(history []transaction, n int) int64 {
	if n == 0 {
		return 0
	}
	return history[n-1].id
}
