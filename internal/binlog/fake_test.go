package binlog

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/replication"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/row"
	"shardlift/internal/selection"
	"shardlift/internal/table"
)

// fakeFeed gives prepared events, then io.EOF. With ticks it is so slow that
// every timer fires once before an event comes.
type fakeFeed struct {
	events [][]byte
	ticks  bool
	ticked bool
}

func (f *fakeFeed) next(_ context.Context, tick <-chan time.Time) ([]byte, error) {
	if f.ticked = f.ticks && tick != nil && !f.ticked; f.ticked {
		return nil, errTick
	}
	if len(f.events) == 0 {
		return nil, io.EOF
	}
	e := f.events[0]
	f.events = f.events[1:]
	return e, nil
}

func (f *fakeFeed) close() {}

// script builds the events of a file as a source sends them.
type script struct {
	events [][]byte
	offset uint64
}

const fakeServer = "3e11fa47-71ca-11e1-9e33-c80aa9429562"

func newScript() *script {
	s := &script{offset: 4}
	s.add(replication.ROTATE_EVENT, replication.LOG_EVENT_ARTIFICIAL_F, append(le(4, 8), "bin.000001"...))
	s.format()
	return s
}

func le(v uint64, n int) []byte {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	return b[:n]
}

// raw makes an event with an end position.
func raw(kind replication.EventType, flags uint16, logPos uint32, body []byte) []byte {
	out := append(le(1700000000, 4), byte(kind))
	out = append(out, le(1, 4)...)
	out = append(out, le(uint64(replication.EventHeaderSize+len(body)), 4)...)
	out = append(out, le(uint64(logPos), 4)...)
	out = append(out, le(uint64(flags), 2)...)
	return append(out, body...)
}

func (s *script) add(kind replication.EventType, flags uint16, body []byte) *script {
	logPos := uint32(0)
	if flags&replication.LOG_EVENT_ARTIFICIAL_F == 0 {
		s.offset += uint64(replication.EventHeaderSize + len(body))
		logPos = uint32(s.offset)
	}
	s.events = append(s.events, raw(kind, flags, logPos, body))
	return s
}

// format adds a format event of 8.0 without checksums.
func (s *script) format() *script {
	body := append(le(4, 2), make([]byte, 50)...)
	copy(body[2:], "8.0.36")
	body = append(body, le(0, 4)...)
	body = append(body, replication.EventHeaderSize)
	lengths := make([]byte, 200)
	lengths[replication.TABLE_MAP_EVENT-1] = 8
	for _, t := range []replication.EventType{replication.WRITE_ROWS_EVENTv2, replication.UPDATE_ROWS_EVENTv2, replication.DELETE_ROWS_EVENTv2} {
		lengths[t-1] = 10
	}
	body = append(body, lengths...)
	return s.add(replication.FORMAT_DESCRIPTION_EVENT, 0, append(body, 0, 0, 0, 0, 0))
}

func (s *script) query(text string) *script {
	return s.add(replication.QUERY_EVENT, 0, queryBody("d", text))
}

func queryBody(schema, text string) []byte {
	body := append(le(1, 4), le(0, 4)...)
	body = append(body, byte(len(schema)), 0, 0, 0, 0)
	body = append(append(body, schema...), 0)
	return append(body, text...)
}

func (s *script) gtid(number uint64) *script {
	sid := []byte{0x3e, 0x11, 0xfa, 0x47, 0x71, 0xca, 0x11, 0xe1, 0x9e, 0x33, 0xc8, 0x0a, 0xa9, 0x42, 0x95, 0x62}
	return s.add(replication.GTID_EVENT, 0, append(append([]byte{0}, sid...), le(number, 8)...))
}

func (s *script) xid() *script { return s.add(replication.XID_EVENT, 0, le(1, 8)) }

// insert adds a table map of d.t (id INT, v VARCHAR(10)) and rows.
func (s *script) insert(ids ...uint32) *script {
	s.add(replication.TABLE_MAP_EVENT, 0, tableMapBody())
	return s.add(replication.WRITE_ROWS_EVENTv2, 0, rowsBody(ids...))
}

func tableMapBody() []byte {
	body := append(le(7, 6), le(1, 2)...)
	body = append(body, 1, 'd', 0, 1, 't', 0)
	return append(body, 2, 3, 15, 2, 40, 0, 2)
}

func rowsBody(ids ...uint32) []byte {
	body := append(le(7, 6), le(1, 2)...)
	body = append(body, 2, 0, 2, 3)
	for _, id := range ids {
		body = append(body, 0)
		body = append(body, le(uint64(id), 4)...)
		body = append(body, 3, 'a', 'b', 'c')
	}
	return body
}

func fakeTable() *table.Table {
	return &table.Table{Name: table.Name{Schema: "d", Table: "t"}, Columns: []table.Column{
		{Name: "id", Type: table.TypeInt, Bits: 32, SQLType: "int"},
		{Name: "v", Type: table.TypeText, Length: 10, SQLType: "varchar(10)", Nullable: true},
	}}
}

// stream runs a script by file or by GTID.
func (s *script) stream(t testing.TB, byGTID bool, change ...func(*Config)) *Stream {
	t.Helper()
	d := fakeTable()
	c := Config{
		Capabilities: mysqlconn.Capabilities{Flavor: position.MySQL, Number: 80036, ServerUUID: fakeServer},
		From:         position.Position{Flavor: position.MySQL, Server: fakeServer, File: "bin.000001", Offset: 4},
		Selection:    selection.Selection{{Schema: "d"}}, Tables: catalogue{d.Name: d},
	}
	if byGTID {
		set := ""
		c.From.GTID = &set
	}
	for _, f := range change {
		f(&c)
	}
	out, err := newStream(c.withDefaults(), &fakeFeed{events: s.events})
	require.NoError(t, err)
	_, out.skipTo = startOffset(c.From)
	t.Cleanup(out.Close)
	return out
}

// drain reads everything up to the error that ends the stream.
func drain(s *Stream) ([]Event, error) {
	var out []Event
	for {
		e, err := s.Next(context.Background())
		if err != nil {
			return out, err
		}
		out = append(out, e)
	}
}

// Every event type has a case; a type that no case names stops the stream
// (rule 8). The list is compared with the names that go-mysql knows, so that an
// upgrade of it that brings a type fails here.
func TestRule8_EveryEventTypeHasACase(t *testing.T) {
	const handled, skipped, refused, unknown = "handled", "skipped", "refused", "unknown"
	want := map[replication.EventType]string{
		replication.UNKNOWN_EVENT: unknown, replication.START_EVENT_V3: refused, replication.QUERY_EVENT: handled,
		replication.STOP_EVENT: skipped, replication.ROTATE_EVENT: handled, replication.INTVAR_EVENT: skipped,
		replication.LOAD_EVENT: refused, replication.SLAVE_EVENT: refused, replication.CREATE_FILE_EVENT: refused,
		replication.APPEND_BLOCK_EVENT: skipped, replication.EXEC_LOAD_EVENT: refused, replication.DELETE_FILE_EVENT: skipped,
		replication.NEW_LOAD_EVENT: refused, replication.RAND_EVENT: skipped, replication.USER_VAR_EVENT: skipped,
		replication.FORMAT_DESCRIPTION_EVENT: handled, replication.XID_EVENT: handled, replication.BEGIN_LOAD_QUERY_EVENT: skipped,
		replication.EXECUTE_LOAD_QUERY_EVENT: handled, replication.TABLE_MAP_EVENT: handled,
		replication.WRITE_ROWS_EVENTv0: refused, replication.UPDATE_ROWS_EVENTv0: refused, replication.DELETE_ROWS_EVENTv0: refused,
		replication.WRITE_ROWS_EVENTv1: handled, replication.UPDATE_ROWS_EVENTv1: handled, replication.DELETE_ROWS_EVENTv1: handled,
		replication.INCIDENT_EVENT: refused, replication.HEARTBEAT_EVENT: handled, replication.IGNORABLE_EVENT: skipped,
		replication.ROWS_QUERY_EVENT: skipped, replication.WRITE_ROWS_EVENTv2: handled, replication.UPDATE_ROWS_EVENTv2: handled,
		replication.DELETE_ROWS_EVENTv2: handled, replication.GTID_EVENT: handled, replication.ANONYMOUS_GTID_EVENT: handled,
		replication.PREVIOUS_GTIDS_EVENT: skipped, replication.TRANSACTION_CONTEXT_EVENT: skipped, replication.VIEW_CHANGE_EVENT: skipped,
		replication.XA_PREPARE_LOG_EVENT: handled, replication.PARTIAL_UPDATE_ROWS_EVENT: refused,
		replication.TRANSACTION_PAYLOAD_EVENT: handled, replication.HEARTBEAT_LOG_EVENT_V2: handled, replication.GTID_TAGGED_LOG_EVENT: handled,
		replication.MARIADB_ANNOTATE_ROWS_EVENT: skipped, replication.MARIADB_BINLOG_CHECKPOINT_EVENT: skipped,
		replication.MARIADB_GTID_EVENT: handled, replication.MARIADB_GTID_LIST_EVENT: skipped, replication.MARIADB_START_ENCRYPTION_EVENT: refused,
		replication.MARIADB_QUERY_COMPRESSED_EVENT: handled, replication.MARIADB_WRITE_ROWS_COMPRESSED_EVENT_V1: handled,
		replication.MARIADB_UPDATE_ROWS_COMPRESSED_EVENT_V1: handled, replication.MARIADB_DELETE_ROWS_COMPRESSED_EVENT_V1: handled,
	}
	for n := range 256 {
		kind := replication.EventType(n)
		expected, known := want[kind]
		if kind.String() != replication.UNKNOWN_EVENT.String() {
			require.True(t, known, "go-mysql knows %s (%d); say here what the stream does with it", kind, n)
		}
		if !known {
			expected = unknown
		}
		for _, flags := range []uint16{0, replication.LOG_EVENT_IGNORABLE_F} {
			events, err := drain(newScript().add(kind, flags, make([]byte, 40)).stream(t, false))
			switch expected {
			case skipped:
				require.ErrorIs(t, err, io.EOF, "%s (%d)", kind, n)
				require.Empty(t, events)
			case unknown:
				require.ErrorIs(t, err, fault.UnknownEvent, "%d", n)
			case refused:
				if kind == replication.MARIADB_START_ENCRYPTION_EVENT && flags != 0 {
					require.ErrorIs(t, err, io.EOF, "MariaDB marks it so when it sends the events decrypted")
					continue
				}
				f, ok := fault.As(err)
				require.True(t, ok, "%s: %v", kind, err)
				require.NotEqual(t, fault.UnknownEvent.Code, f.Code)
				require.NotEqual(t, fault.MalformedEvent.Code, f.Code, "%s", kind)
			case handled: // zeros are no event of most types
				require.NotErrorIs(t, err, fault.UnknownEvent, "%s (%d)", kind, n)
			}
		}
	}
}

// A Commit never stands between the rows of a transaction, whatever was joined
// before it and however slowly the rows come.
func TestStream_JoinedCommitsDoNotCutTransactions(t *testing.T) {
	for _, ticks := range []bool{false, true} {
		script := newScript().gtid(1).query("BEGIN").xid().gtid(2).query("BEGIN").insert(1).insert(2)
		script.add(replication.HEARTBEAT_EVENT, 0, []byte("bin.000001"))
		script.insert(3).xid().gtid(3).query("BEGIN").xid()
		s := script.stream(t, true)
		s.feed.(*fakeFeed).ticks = ticks
		events, err := drain(s)
		require.ErrorIs(t, err, io.EOF)
		rows := 0
		for _, e := range events {
			rows += len(e.Changes)
			require.True(t, e.Kind != Commit || rows == 0 || rows == 3, "a Commit after %d rows", rows)
		}
		last := events[len(events)-1]
		require.Equal(t, ticks, last.Kind == Commit && *last.Position.GTID == fakeServer+":1-3", "what is joined is delivered when nothing follows")
	}
}

func TestStream_FakeSourceGivesRows(t *testing.T) {
	s := newScript().gtid(1).query("BEGIN").insert(1, 2).xid().stream(t, true)
	events, err := drain(s)
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, []Kind{Rows, Commit}, kinds(events))
	require.Equal(t, row.Row{row.Value("2"), row.Value("abc")}, events[0].Changes[1].After)
	require.Equal(t, fakeServer+":1", *events[1].Position.GTID)
}

// The set never holds a transaction whose end was not read (rule 9).
func TestRule9_HalfReadTransactionIsNotCommitted(t *testing.T) {
	s := newScript().gtid(1).query("BEGIN").insert(1).xid().gtid(2).query("BEGIN").insert(2).stream(t, true)
	events, _ := drain(s)
	require.Equal(t, []Kind{Rows, Commit, Rows}, kinds(events))
	require.Equal(t, fakeServer+":1", *s.Position().GTID)

	s = newScript().gtid(1).query("BEGIN").insert(1).xid().query("BEGIN").insert(2).stream(t, false)
	events, _ = drain(s)
	require.Equal(t, events[1].Position, s.Position())
}

// A source that crashed while it wrote leaves a transaction without an end: its
// rows are taken back when the next file or transaction begins.
func TestStream_UnfinishedTransactionOfACrashedSourceIsTakenBack(t *testing.T) {
	for _, byGTID := range []bool{true, false} {
		script := newScript().gtid(1).query("BEGIN").insert(1).xid().gtid(2).query("BEGIN").insert(2, 3).insert(4)
		script.add(replication.ROTATE_EVENT, replication.LOG_EVENT_ARTIFICIAL_F, append(le(4, 8), "bin.000002"...))
		script.offset = 4
		script.format().gtid(2).query("BEGIN").insert(9).xid()
		events, err := drain(script.stream(t, byGTID))
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, []string{"+1", "+2", "+3", "+4", "-4", "-3", "-2", "+9"}, ops(events, true))
		require.Equal(t, "bin.000002", events[len(events)-1].Position.File)
	}
}

func TestStream_RollbackInTheBinlogIsTakenBack(t *testing.T) {
	script := func() *script {
		return newScript().query("BEGIN").insert(1).query("SAVEPOINT a").insert(2).query("SAVEPOINT b").insert(3).query("ROLLBACK TO `a`").insert(4).query("ROLLBACK").query("BEGIN").insert(5).query("COMMIT")
	}
	events, err := drain(script().stream(t, false))
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, []string{"+1", "+2", "+3", "-3", "-2", "+4", "-4", "-1", "+5"}, ops(events, true))

	_, err = drain(script().stream(t, false, func(c *Config) { c.UndoBytes = 200 }))
	require.ErrorIs(t, err, fault.RollbackTooLarge)
	events, err = drain(newScript().query("BEGIN").insert(1).insert(2).query("COMMIT").stream(t, false, func(c *Config) { c.UndoBytes = 200 }))
	require.ErrorIs(t, err, io.EOF, "only a rollback needs them: %v", events)
}

func TestStream_AnonymousTransactionInAStreamByGTIDStops(t *testing.T) {
	body := append(make([]byte, 17), le(0, 8)...)
	_, err := drain(newScript().add(replication.ANONYMOUS_GTID_EVENT, 0, body).stream(t, true))
	require.ErrorIs(t, err, fault.AnonymousInGTID)
	events, err := drain(newScript().add(replication.ANONYMOUS_GTID_EVENT, 0, body).query("BEGIN").insert(1).xid().stream(t, false))
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, []Kind{Rows, Commit}, kinds(events))
}

// Offsets go on beyond 4 GiB, where the header's 32 bits begin again, and a
// stream that starts there drops what lies before.
func TestStream_OffsetsBeyond4GiB(t *testing.T) {
	build := func() *script {
		s := newScript().query("BEGIN").insert(1).xid()
		s.offset += 7 << 29 // 3.5 GiB of rows that nobody has to build here
		s.query("BEGIN").insert(2).xid()
		s.offset += 3 << 29
		s.query("BEGIN").insert(3).xid().query("BEGIN").insert(4).xid()
		return s
	}
	s := build()
	events, err := drain(s.stream(t, false))
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, []string{"+1", "+2", "+3", "+4"}, ops(events, true))
	require.Equal(t, s.offset, events[len(events)-1].Position.Offset)
	require.Greater(t, s.offset, uint64(5<<30))

	from := events[5].Position // after 3
	require.Equal(t, []string{"+3"}, ops(events[4:5], true))
	events, err = drain(build().stream(t, false, func(c *Config) { c.From = from }))
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, []string{"+4"}, ops(events, true))
	require.Equal(t, s.offset, events[len(events)-1].Position.Offset)
}

func TestStream_OffsetsWithoutEndPositions(t *testing.T) {
	// MariaDB 11.4 leaves the end position out inside a transaction.
	p := place{file: "f", offset: 1000}
	p.advance(&replication.EventHeader{EventSize: 100})
	p.advance(&replication.EventHeader{EventSize: 100})
	require.Equal(t, uint64(1200), p.offset)
	p.advance(&replication.EventHeader{EventSize: 50, LogPos: 1262})
	require.Equal(t, uint64(1262), p.offset, "the header is right: sizes lack stripped checksums")
}

func TestStream_HistoryOfAnotherSourceStops(t *testing.T) {
	_, err := drain(newScript().stream(t, false, func(c *Config) { c.From.File = "bin.000002" }))
	require.ErrorIs(t, err, fault.HistoryLost)
	_, err = drain(newScript().stream(t, false, func(c *Config) { c.From.Created = 5 }))
	require.ErrorIs(t, err, fault.HistoryLost)
}

// Numbers that begin again are another history, should a server go on with it.
func TestRule9_HistoryThatBeginsAgainStops(t *testing.T) {
	script := func() *script {
		return newScript().gtid(1).query("BEGIN").insert(1).xid().gtid(2).query("BEGIN").insert(2).xid()
	}
	events, err := drain(script().gtid(1).query("BEGIN").insert(9).xid().stream(t, true))
	require.ErrorIs(t, err, fault.HistoryLost, "a GTID comes twice")
	require.NotContains(t, ops(events, true), "+9")

	s := script()
	s.add(replication.ROTATE_EVENT, replication.LOG_EVENT_ARTIFICIAL_F, append(le(4, 8), "bin.000003"...)).format()
	_, err = drain(s.stream(t, false))
	require.ErrorIs(t, err, io.EOF, "a number may be left out")
	s.add(replication.ROTATE_EVENT, replication.LOG_EVENT_ARTIFICIAL_F, append(le(4, 8), "bin.000002"...)).format()
	for _, byGTID := range []bool{true, false} {
		_, err = drain(s.stream(t, byGTID))
		require.ErrorIs(t, err, fault.HistoryLost, "files go back")
	}
	other := script().add(replication.ROTATE_EVENT, replication.LOG_EVENT_ARTIFICIAL_F, append(le(4, 8), "mysql-bin.000001"...)).format()
	_, err = drain(other.stream(t, true))
	require.ErrorIs(t, err, io.EOF, "a new series after log_bin was changed")
}

func TestStream_StatementsOnlyGivesNoRows(t *testing.T) {
	events, err := drain(newScript().query("BEGIN").insert(1).xid().query("TRUNCATE t").stream(t, false, func(c *Config) { c.StatementsOnly = true }))
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, []Kind{Truncate, Commit}, kinds(events))
}

func TestStream_LoadDataAsAStatementStops(t *testing.T) {
	body := func(text string) []byte {
		b := append(le(1, 4), le(0, 4)...)
		b = append(b, 1, 0, 0, 0, 0)
		b = append(b, make([]byte, 13)...)
		return append(append(b, 'd', 0), text...)
	}
	_, err := drain(newScript().query("BEGIN").add(replication.EXECUTE_LOAD_QUERY_EVENT, 0, body("LOAD DATA INFILE 'x' INTO TABLE t")).stream(t, false))
	require.ErrorIs(t, err, fault.StatementFormat)
	_, err = drain(newScript().query("BEGIN").add(replication.EXECUTE_LOAD_QUERY_EVENT, 0, body("LOAD DATA INFILE 'x' INTO TABLE other.t")).stream(t, false))
	require.ErrorIs(t, err, io.EOF)
}

// payloadBody compresses events as a server does.
func payloadBody(t testing.TB, claimed uint64, events ...[]byte) []byte {
	t.Helper()
	var plain []byte
	for _, e := range events {
		plain = append(plain, e...)
	}
	w, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	defer func() { _ = w.Close() }()
	packed := w.EncodeAll(plain, nil)
	if claimed == 0 {
		claimed = uint64(len(plain))
	}
	body := []byte{payloadCompression, 1, compressionZSTD, payloadUncompressedSize, 9, 0xfe}
	body = append(append(body, le(claimed, 8)...), payloadEnd)
	return append(body, packed...)
}

func TestStream_PayloadIsUnpackedAsAStream(t *testing.T) {
	inner := [][]byte{
		raw(replication.QUERY_EVENT, 0, 0, queryBody("d", "BEGIN")),
		raw(replication.TABLE_MAP_EVENT, 0, 0, tableMapBody()),
		raw(replication.WRITE_ROWS_EVENTv2, 0, 0, rowsBody(1, 2, 3)),
		raw(replication.XID_EVENT, 0, 0, le(1, 8)),
	}
	s := newScript().gtid(1).add(replication.TRANSACTION_PAYLOAD_EVENT, 0, payloadBody(t, 0, inner...)).gtid(2).query("BEGIN").insert(4).xid()
	events, err := drain(s.stream(t, true))
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, []string{"+1", "+2", "+3", "+4"}, ops(events, true))
	require.Equal(t, fakeServer+":1-2", *events[len(events)-1].Position.GTID)

	for name, bad := range map[string][]byte{
		"larger than it says":  payloadBody(t, 20, inner...),
		"cut":                  payloadBody(t, 0, inner...)[:40],
		"no events":            payloadBody(t, 0, []byte(strings.Repeat("x", 100))),
		"a payload in it":      payloadBody(t, 0, raw(replication.TRANSACTION_PAYLOAD_EVENT, 0, 0, payloadBody(t, 0, inner...))),
		"an unknown method":    {payloadCompression, 1, 7, payloadEnd, 1, 2},
		"an event too large":   payloadBody(t, 1<<40, append(append(make([]byte, 9), 0xff, 0xff, 0xff, 0xff), make([]byte, 30)...)),
		"an unknown event":     payloadBody(t, 0, raw(200, 0, 0, []byte("x"))),
		"a difference of JSON": payloadBody(t, 0, raw(replication.PARTIAL_UPDATE_ROWS_EVENT, 0, 0, []byte("x"))),
	} {
		_, err := drain(newScript().gtid(1).add(replication.TRANSACTION_PAYLOAD_EVENT, 0, bad).stream(t, true))
		_, ok := fault.As(err)
		require.True(t, ok, "%s: %v", name, err)
	}
}

// A payload that claims much and is little must not take much memory, and one
// that is much is read with little (the demand of memory is the window's).
func TestStream_LargePayloadNeedsLittleMemory(t *testing.T) {
	ids := make([]uint32, 1000)
	events := [][]byte{raw(replication.QUERY_EVENT, 0, 0, queryBody("d", "BEGIN"))}
	for range 2000 { // 2 million rows, 18 MB
		events = append(events, raw(replication.TABLE_MAP_EVENT, 0, 0, tableMapBody()), raw(replication.WRITE_ROWS_EVENTv2, 0, 0, rowsBody(ids...)))
	}
	events = append(events, raw(replication.XID_EVENT, 0, 0, le(1, 8)))
	s := newScript().gtid(1).add(replication.TRANSACTION_PAYLOAD_EVENT, 0, payloadBody(t, 0, events...)).stream(t, true)
	rows, queued := 0, 0
	for {
		e, err := s.Next(t.Context())
		if err != nil {
			require.ErrorIs(t, err, io.EOF)
			break
		}
		rows += len(e.Changes)
		queued = max(queued, len(s.ready))
	}
	require.Equal(t, 2_000_000, rows)
	require.LessOrEqual(t, queued, 2, "events are unpacked only when they are asked for")
	require.LessOrEqual(t, s.tx.size, s.config.UndoBytes)
}

// Whatever the source sends, the stream ends with an error that shows none of
// its bytes, never with a panic.
func FuzzStream_HostileEvents(f *testing.F) {
	for _, kind := range []replication.EventType{replication.QUERY_EVENT, replication.TABLE_MAP_EVENT, replication.WRITE_ROWS_EVENTv2, replication.TRANSACTION_PAYLOAD_EVENT, replication.GTID_TAGGED_LOG_EVENT, replication.XA_PREPARE_LOG_EVENT, replication.ROTATE_EVENT, replication.FORMAT_DESCRIPTION_EVENT, replication.MARIADB_WRITE_ROWS_COMPRESSED_EVENT_V1, replication.EXECUTE_LOAD_QUERY_EVENT} {
		f.Add(byte(kind), []byte("secretsecretsecretsecretsecretsecret"))
	}
	f.Add(byte(replication.WRITE_ROWS_EVENTv2), rowsBody(1))
	f.Add(byte(replication.TABLE_MAP_EVENT), tableMapBody())
	f.Fuzz(func(t *testing.T, kind byte, body []byte) {
		s := newScript().query("BEGIN").add(replication.TABLE_MAP_EVENT, 0, tableMapBody())
		_, err := drain(s.add(replication.EventType(kind), 0, body).stream(t, false))
		require.Error(t, err)
		require.NotContains(t, err.Error(), "secretsecret")
	})
}

func FuzzJSON_HostileDocuments(f *testing.F) {
	f.Add([]byte{jsonSmallArray, 2, 0, 10, 0, jsonInt16, 1, 0, jsonSmallArray, 4, 0})
	f.Add([]byte{jsonOpaque, 246, 4, 4, 2, 0x80, 1})
	f.Fuzz(func(t *testing.T, document []byte) {
		text, err := jsonPrinter{}.document(nil, document)
		if err == nil {
			require.LessOrEqual(t, len(text), 64*len(document)+1024)
		}
	})
}

// The old formats of temporal values: go-mysql decodes negative TIME wrongly
// (issue 623).
func TestTemporal_OldFormats(t *testing.T) {
	old := func(v int32) []byte { return le(uint64(uint32(v)), 3) }
	for want, v := range map[string]int32{"-12:34:56": -123456, "838:59:59": 8385959, "-838:59:59": -8385959, "00:00:00": 0, "-00:00:01": -1} {
		require.Equal(t, want, string(appendOldTime(nil, &reader{data: old(v)})))
	}
	require.Equal(t, "2024-02-29 12:34:56", string(appendOldDateTime(nil, &reader{data: le(20240229123456, 8)})))
	require.Equal(t, "0000-00-00 00:00:00", string(appendOldDateTime(nil, &reader{data: le(0, 8)})))
}

func TestMode_IsReadFromStatusVariables(t *testing.T) {
	status := append([]byte{0}, le(0, 4)...)
	status = append(append(status, 1), le(1<<2|1<<20, 8)...)
	status = append(status, 6, 3, 's', 't', 'd')
	m := modeOf(append(append(status, 4), le(28|33<<16, 6)...))
	require.True(t, m.ANSIQuotes && m.NoBackslashEscapes && m.Foreign && m.DoubleByte, fmt.Sprint(m))
	m = modeOf(append(append(status, 4), le(255, 6)...))
	require.False(t, m.Foreign || m.DoubleByte)
	for id, foreign := range map[uint16]bool{8: true, 33: false, 45: false, 46: false, 83: false, 224: false, 255: false, 309: false, 47: true, 1069: false, 1032: true, 2304: false} {
		got, _ := charsetClass(id)
		require.Equal(t, foreign, got, "%d", id)
	}
}
