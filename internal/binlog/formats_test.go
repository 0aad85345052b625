package binlog

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/replication"
	driver "github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"shardlift/internal/ddl"
	"shardlift/internal/fault"
	"shardlift/internal/position"
	"shardlift/internal/table"
	"shardlift/internal/testdb"
)

// MIXED writes what is safe as statements and the rest as rows: the first stop.
func TestStream_MixedSessions(t *testing.T) {
	onAll(t, nil, func(t *testing.T, r *rig) {
		r.exec("CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(50)) ENGINE=InnoDB", "CREATE TABLE m (id INT PRIMARY KEY) ENGINE=MyISAM")
		r.learn()
		session := r.session()
		execOn(t, session, "SET SESSION binlog_format = MIXED")
		start := r.head()
		execOn(t, session, "INSERT INTO a VALUES (1, UUID())", "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", "INSERT INTO a VALUES (2, 'x')")
		events := r.readTo(r.open(start), r.head())
		require.Equal(t, r.selectAll("a"), play(t, events)["a"], "written as rows")
		execOn(t, session, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
		for _, statement := range []string{"INSERT INTO a VALUES (3, 'x')", "UPDATE a SET v = 'y'", "DELETE FROM a WHERE id = 1", "INSERT INTO m VALUES (1)"} {
			start = r.head()
			execOn(t, session, statement)
			require.ErrorIs(t, r.fails(r.open(start)), fault.StatementFormat, statement)
		}
	})
}

// The servers write DROP TEMPORARY TABLE when a session ends, some of them with
// the word in a versioned comment; under a wildcard the name is selected.
func TestStream_TemporaryTablesPass(t *testing.T) {
	onAll(t, nil, func(t *testing.T, r *rig) {
		r.exec("CREATE TABLE a (id INT PRIMARY KEY) ENGINE=InnoDB")
		r.learn()
		start := r.head()
		pool := r.server.DB(t, r.schema)
		pool.SetMaxOpenConns(1)
		execOn(t, pool, "CREATE TEMPORARY TABLE tmp (id INT PRIMARY KEY, v INT)", "INSERT INTO tmp VALUES (1, 1)", "ALTER TABLE tmp ADD COLUMN w INT",
			"INSERT INTO a SELECT id FROM tmp", "CREATE TEMPORARY TABLE tmp2 AS SELECT * FROM tmp", "DROP TEMPORARY TABLE tmp2",
			"CREATE TEMPORARY TABLE a (id INT PRIMARY KEY)", "INSERT INTO a VALUES (7)", "DROP TABLE a")
		require.NoError(t, pool.Close())
		pool = r.server.DB(t, r.schema)
		pool.SetMaxOpenConns(1)
		execOn(t, pool, "SET SESSION binlog_format = STATEMENT", "CREATE TEMPORARY TABLE tmp4 (id INT)")
		require.NoError(t, pool.Close())
		if r.isMariaDB() || r.number() < 50600 { // elsewhere GTIDs forbid the mixture
			session := r.session()
			execOn(t, session, "BEGIN", "INSERT INTO a VALUES (2)", "CREATE TEMPORARY TABLE tmp3 (id INT)", "DROP TEMPORARY TABLE tmp3", "COMMIT")
		}
		// The end of the session is noticed by the server when it comes to it.
		before := r.head()
		for range 20 {
			if covered, err := before.Covers(r.head()); err != nil || !covered {
				break
			}
			<-time.After(20 * time.Millisecond)
		}
		r.exec("INSERT INTO a VALUES (3)")
		events := r.readTo(r.open(start), r.head())
		require.NotContains(t, kinds(events), DDL)
		require.Equal(t, r.selectAll("a"), play(t, events)["a"])
	})
}

func TestStream_LoadData(t *testing.T) {
	onAll(t, nil, func(t *testing.T, r *rig) {
		r.exec("SET GLOBAL local_infile = 1", "CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(50)) ENGINE=InnoDB")
		r.learn()
		name := "load-" + r.schema
		var file strings.Builder
		for i := range 3000 {
			fmt.Fprintf(&file, "%d\tvalue %d\n", i, i)
		}
		driver.RegisterReaderHandler(name, func() io.Reader { return strings.NewReader(file.String()) })
		defer driver.DeregisterReaderHandler(name)
		load := "LOAD DATA LOCAL INFILE 'Reader::" + name + "' REPLACE INTO TABLE a"
		start := r.head()
		r.exec(load)
		events := r.readTo(r.open(start), r.head())
		inserts, _, _ := changes(events)
		require.Equal(t, 3000, inserts)
		require.Equal(t, r.selectAll("a"), play(t, events)["a"])
		session := r.session()
		execOn(t, session, "SET SESSION binlog_format = STATEMENT")
		start = r.head()
		execOn(t, session, load)
		require.ErrorIs(t, r.fails(r.open(start)), fault.StatementFormat)
	})
}

// MariaDB may write an ALTER when it starts and again when it has ended: it counts
// once, where it ended, and one that was taken back does not count.
func TestStream_AlterInTwoPhases(t *testing.T) {
	r := newRig(t, testdb.Get(t, "mariadb"))
	r.exec("CREATE TABLE a (id INT PRIMARY KEY, v INT) ENGINE=InnoDB", "INSERT INTO a VALUES (1, 1), (2, 1)")
	r.learn()
	start := r.head()
	c := r.session()
	execOn(t, c, "SET SESSION binlog_alter_two_phase = 1", "ALTER TABLE a COMMENT 'x'", "ALTER TABLE a ADD KEY k (v)")
	_, err := c.ExecContext(t.Context(), "ALTER TABLE a ADD UNIQUE KEY u (v)")
	require.Error(t, err, "it is rolled back")
	execOn(t, c, "INSERT INTO a VALUES (3, 1)")
	var statements []string
	events := r.readTo(r.open(start), r.head())
	for _, e := range events {
		if e.Kind == DDL {
			statements = append(statements, e.Statement)
		}
	}
	require.Equal(t, []string{"ALTER TABLE a COMMENT ?", "ALTER TABLE a ADD KEY k (v)"}, statements)
	require.Equal(t, []string{"+3"}, ops(events, true))
}

// Rows of a sequence come under a wildcard like those of a table that nobody
// planned.
func TestStream_SequencesOfMariaDBPass(t *testing.T) {
	r := newRig(t, testdb.Get(t, "mariadb"))
	r.exec("CREATE TABLE a (id INT PRIMARY KEY) ENGINE=InnoDB", "CREATE SEQUENCE before_start CACHE 2")
	r.learn()
	for n := range r.tables {
		require.Equal(t, "a", n.Table, "the catalogue lists no sequences")
	}
	start := r.head()
	r.exec("SELECT NEXTVAL(before_start)", "SELECT NEXTVAL(before_start)", "SELECT NEXTVAL(before_start)", "CREATE SEQUENCE s START WITH 100 CACHE 1", "SELECT NEXTVAL(s)", "SELECT SETVAL(s, 500)",
		"INSERT INTO a VALUES (NEXTVAL(s))", "ALTER SEQUENCE s INCREMENT 5", "INSERT INTO a SELECT NEXT VALUE FOR s", "DROP SEQUENCE s", "INSERT INTO a VALUES (1)")
	events := r.readTo(r.open(start), r.head())
	require.NotContains(t, kinds(events), DDL)
	require.Equal(t, r.selectAll("a"), play(t, events)["a"])

	// A table that only looks nearly so stops.
	start = r.head()
	r.exec("CREATE TABLE b (a BIGINT PRIMARY KEY, b BIGINT, c BIGINT, d BIGINT, e BIGINT, f BIGINT, g INT, h BIGINT)", "INSERT INTO b VALUES (1, 2, 3, 4, 5, 6, 7, 8)")
	require.ErrorIs(t, r.fails(r.open(start)), fault.TableUnplanned)
}

// xaPrepareBody is the event that ends the first phase.
func xaPrepareBody(onePhase byte, gtrid string) []byte {
	body := append([]byte{onePhase}, le(1, 4)...)
	body = append(append(body, le(uint64(len(gtrid)), 4)...), le(0, 4)...)
	return append(body, gtrid...)
}

func (s *script) xaBegin(id string, ids ...uint32) *script {
	s.query(fmt.Sprintf("XA START X'%x',X'',1", id)).insert(ids...)
	return s.query(fmt.Sprintf("XA END X'%x',X'',1", id)).add(replication.XA_PREPARE_LOG_EVENT, 0, xaPrepareBody(0, id))
}

// TestRule8_XAWaitsForItsVerdict: the rows come at XA COMMIT, never after XA
// ROLLBACK; until then a GTID set has a hole and a place in a file stays.
func TestRule8_XAWaitsForItsVerdict(t *testing.T) {
	build := func() *script {
		s := newScript().gtid(1).query("BEGIN").insert(1).xid()
		s.gtid(2).xaBegin("a", 2).gtid(3).xaBegin("b", 3)
		return s.gtid(4).query("BEGIN").insert(4).xid()
	}
	first := newScript().gtid(1).query("BEGIN").insert(1).xid().offset

	s := build().stream(t, true)
	events, _ := drain(s)
	require.Equal(t, []string{"+1", "+4"}, ops(events, true))
	require.Equal(t, fakeServer+":1:4", *s.Position().GTID)
	s = build().stream(t, false)
	events, _ = drain(s)
	require.Equal(t, []string{"+1", "+4"}, ops(events, true))
	require.Equal(t, first, s.Position().Offset)

	for _, byGTID := range []bool{true, false} {
		s = build().gtid(5).query("XA ROLLBACK X'61',X'',1").stream(t, byGTID)
		events, _ = drain(s)
		require.Equal(t, []string{"+1", "+4"}, ops(events, true))
		require.Greater(t, s.Position().Offset, first, "the second one still waits")
		require.Equal(t, byGTID, s.Position().Offset == build().gtid(5).query("XA ROLLBACK X'61',X'',1").offset)

		whole := build().gtid(5).query("XA ROLLBACK X'61',X'',1").gtid(6).query("XA COMMIT X'62',X'',1")
		s = whole.stream(t, byGTID)
		events, _ = drain(s)
		require.Equal(t, []string{"+1", "+4", "+3"}, ops(events, true))
		require.Equal(t, whole.offset, s.Position().Offset)
		if byGTID {
			require.Equal(t, fakeServer+":1-6", *s.Position().GTID)
		}
		_, err := drain(newScript().gtid(1).query("XA COMMIT X'62',X'',1").stream(t, byGTID))
		require.ErrorIs(t, err, fault.XAUnknown)
		one := newScript().gtid(1).query("XA START X'61',X'',1").insert(7).query("XA END X'61',X'',1").add(replication.XA_PREPARE_LOG_EVENT, 0, xaPrepareBody(1, "a"))
		events, _ = drain(one.stream(t, byGTID))
		require.Equal(t, []string{"+7"}, ops(events, true), "one phase is a commit")
	}
	_, err := drain(newScript().query("BEGIN").add(replication.XA_PREPARE_LOG_EVENT, 0, xaPrepareBody(0, "a")).stream(t, false))
	require.ErrorIs(t, err, fault.MalformedEvent)
	_, err = drain(newScript().query("XA PREPARE X'61',X'',1").stream(t, false))
	require.ErrorIs(t, err, fault.UnknownEvent)
}

// TestRule8_IncompleteRowsStop: a column that is not in an image has a value
// that nobody can know.
func TestRule8_IncompleteRowsStop(t *testing.T) {
	part := func(kind replication.EventType, bitmaps ...byte) *script {
		body := append(append(le(7, 6), le(1, 2)...), 2, 0, 2)
		body = append(append(body, bitmaps...), 0)
		return newScript().query("BEGIN").add(replication.TABLE_MAP_EVENT, 0, tableMapBody()).add(kind, 0, append(body, le(1, 4)...))
	}
	for _, s := range []*script{
		part(replication.WRITE_ROWS_EVENTv2, 1), part(replication.DELETE_ROWS_EVENTv2, 1),
		part(replication.UPDATE_ROWS_EVENTv2, 1, 3), part(replication.UPDATE_ROWS_EVENTv2, 3, 2),
	} {
		_, err := drain(s.stream(t, false))
		require.ErrorIs(t, err, fault.PartialImage)
	}
	partial := append(append(le(7, 6), le(1, 2)...), 2, 0, 2, 3, 3)
	_, err := drain(newScript().query("BEGIN").add(replication.TABLE_MAP_EVENT, 0, tableMapBody()).add(replication.PARTIAL_UPDATE_ROWS_EVENT, 0, partial).stream(t, false))
	require.ErrorIs(t, err, fault.PartialJSON)
}

// TestRule8_RowsThatMariaDBCompressed are unpacked; a length that nothing of this
// size can have takes no memory.
func TestRule8_RowsThatMariaDBCompressed(t *testing.T) {
	compressed := func(plain []byte, claimed uint32) []byte {
		var packed bytes.Buffer
		w := zlib.NewWriter(&packed)
		_, err := w.Write(plain)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return append(append([]byte{0x80 | 4}, binary.BigEndian.AppendUint32(nil, claimed)...), packed.Bytes()...)
	}
	rows := rowsBody(1, 2)[12:] // behind id, flags, extra length, width and bitmap
	head := append(append(le(7, 6), le(1, 2)...), 2, 3)
	build := func(packed []byte) *script {
		s := newScript()
		s.events[1][replication.EventHeaderSize+57+int(replication.MARIADB_WRITE_ROWS_COMPRESSED_EVENT_V1-1)] = 8
		return s.query("BEGIN").add(replication.TABLE_MAP_EVENT, 0, tableMapBody()).add(replication.MARIADB_WRITE_ROWS_COMPRESSED_EVENT_V1, 0, append(bytes.Clone(head), packed...)).xid()
	}
	events, err := drain(build(compressed(rows, uint32(len(rows)))).stream(t, false))
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, []string{"+1", "+2"}, ops(events, true))
	for _, bad := range [][]byte{compressed(rows, 1<<30), compressed(rows, uint32(len(rows)))[:8], {0x87}, {}} {
		_, err := drain(build(bad).stream(t, false))
		require.ErrorIs(t, err, fault.MalformedEvent)
	}
}

// endlessFeed makes the events of one large transaction when they are asked for.
type endlessFeed struct {
	head, tail [][]byte
	body       [][]byte
	repeat     int
}

func (f *endlessFeed) next(ctx context.Context, _ <-chan time.Time) ([]byte, error) {
	if len(f.head) > 0 {
		e := bytes.Clone(f.head[0]) // as from a connection
		f.head = f.head[1:]
		return e, nil
	}
	if f.repeat > 0 {
		f.head, f.repeat = f.body, f.repeat-1
		return f.next(ctx, nil)
	}
	if len(f.tail) > 0 {
		f.head, f.tail = f.tail, nil
		return f.next(ctx, nil)
	}
	return nil, io.EOF
}

func (f *endlessFeed) close() {}

// TestRule5_LargeTransactionNeedsLittleMemory: 400 MB in one transaction.
func TestRule5_LargeTransactionNeedsLittleMemory(t *testing.T) {
	const perEvent, valueBytes, repeat = 10, 20_000, 2000
	part := newScript()
	from := len(part.events)
	mapBody := append(append(le(7, 6), le(1, 2)...), 1, 'd', 0, 1, 't', 0, 2, 3, 252, 1, 4, 2) // INT, LONGBLOB
	rows := append(append(le(7, 6), le(1, 2)...), 2, 0, 2, 3)
	for i := range perEvent {
		rows = append(append(append(append(rows, 0), le(uint64(i), 4)...), le(valueBytes, 4)...), make([]byte, valueBytes)...)
	}
	part.add(replication.TABLE_MAP_EVENT, 0, mapBody).add(replication.WRITE_ROWS_EVENTv2, 0, rows)
	body := part.events[from:]
	for _, e := range body { // without a place: they are sent again and again
		copy(e[13:17], le(0, 4))
	}
	d := fakeTable()
	d.Columns[1] = table.Column{Name: "v", Type: table.TypeBinary, Length: 1<<32 - 1, SQLType: "longblob", Nullable: true}
	start := newScript().gtid(1).query("BEGIN")
	s := start.stream(t, true, func(c *Config) { c.Tables = catalogue{d.Name: d} })
	tail := newScript()
	cut := len(tail.events)
	tail.xid()
	s.feed = &endlessFeed{head: start.events, body: body, repeat: repeat, tail: tail.events[cut:]}
	read, peak := 0, uint64(0)
	var stats runtime.MemStats
	for n := 0; ; n++ {
		e, err := s.Next(t.Context())
		if err != nil {
			require.ErrorIs(t, err, io.EOF)
			break
		}
		read += len(e.Changes)
		if n%200 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&stats)
			peak = max(peak, stats.HeapAlloc)
		}
	}
	require.Equal(t, repeat*perEvent, read)
	require.Less(t, peak, uint64(128<<20), "what can be taken back is bounded (UndoBytes), the rest is not kept")
}

// A panic on the way is a fault that says where, never the end of the worker.
func TestStream_PanicIsAFaultWithItsPlace(t *testing.T) {
	s := newScript().gtid(1).query("BEGIN").insert(1).stream(t, true, func(c *Config) { c.Tables = panicking{} })
	_, err := drain(s)
	require.ErrorIs(t, err, fault.MalformedEvent)
	f, _ := fault.As(err)
	require.Contains(t, f.Object, "bin.000001:")
	s = newScript().gtid(1).stream(t, true)
	s.feed = panicking{}
	_, err = drain(s)
	require.ErrorIs(t, err, fault.MalformedEvent)
}

// panicking stands for any code that the source's bytes may bring down.
type panicking struct{}

func (panicking) Table(table.Name) (*table.Table, error)                 { panic("bytes of a row") }
func (panicking) next(context.Context, <-chan time.Time) ([]byte, error) { panic("bytes of a row") }
func (panicking) close()                                                 {}

// TestRule8_DDLInsideTransactions: a statement that commits by itself, in the
// places where servers write it.
func TestRule8_DDLInsideTransactions(t *testing.T) {
	events, err := drain(newScript().gtid(1).query("CREATE TABLE n (id INT) START TRANSACTION").insert(1).xid().gtid(2).query("ALTER TABLE t ADD x INT").stream(t, true))
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, []Kind{DDL, Rows, Commit, DDL, Commit}, kinds(events))
	require.Equal(t, ddl.CreateTable, events[0].Effects[0].Kind)
	require.Equal(t, position.MySQL, events[0].At.Flavor)
	_, err = drain(newScript().gtid(1).query("XA START X'61',X'',1").query("ALTER TABLE t ADD x INT").stream(t, true))
	require.ErrorIs(t, err, fault.UnknownEvent)
}
