package binlog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/replication"

	"shardlift/internal/fault"
	"shardlift/internal/position"
	"shardlift/internal/table"
)

// Commits of transactions without selected rows are joined: one for at most
// so much time or so many transactions.
const (
	joinFor   = 100 * time.Millisecond
	joinCount = 1000
)

// Stream is an open dump. It belongs to one goroutine; Close may be called once.
type Stream struct {
	config   Config
	feed     feed
	identity string // of the server that is read
	byGTID   bool
	// foldCase: the source keeps table names in lower case.
	foldCase bool

	parser  *replication.BinlogParser
	body    []byte // of the rows event that was parsed last
	format  []byte // the format event as it came, for the parser of payloads
	payload *payload
	mapped  map[table.Name]*mapped // by name, as long as the stream is open
	current map[uint64]*mapped     // by table id, as long as a statement

	place  place
	skipTo uint64
	// first: the file that the source names first is still to be compared.
	first bool
	tx    transaction
	xa    xaStore
	done  committed
	// version is the MySQL that wrote the file, 0 for MariaDB.
	version int
	clock   uint32 // seconds in the header of the event that is read

	ready   []Event
	bytes   int // since the last Commit
	joined  int // commits that are not delivered yet
	since   time.Time
	broken  error
	timer   *time.Timer
	lastEnd time.Time // source's time of the last joined commit
}

// Open starts reading after c.From. The caller has checked the source's
// history (source.CheckHistory). Errors are faults; ctx bounds only Open.
func Open(ctx context.Context, c Config) (*Stream, error) {
	c = c.withDefaults()
	if c.From.IsZero() {
		return nil, fault.PositionUnreadable.New(object, "the start position is empty")
	}
	offset, skipTo := startOffset(c.From)
	s, err := newStream(c, nil)
	if err != nil {
		return nil, err
	}
	f, err := openFeed(ctx, c, c.From.File, offset)
	if err != nil {
		return nil, err
	}
	s.feed, s.identity = f, f.identity
	if !s.byGTID {
		s.skipTo = skipTo
	}
	if err := checkBirth(ctx, c, f.identity); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// newStream makes a stream over any feed.
func newStream(c Config, f feed) (*Stream, error) {
	set, err := c.From.Set()
	if err != nil {
		return nil, err
	}
	s := &Stream{
		config: c, feed: f, identity: c.Capabilities.Identity(), byGTID: c.From.HasGTID(),
		foldCase: c.Capabilities.VariableOr("lower_case_table_names", "0") == "1",
		mapped:   map[table.Name]*mapped{}, current: map[uint64]*mapped{}, first: true,
		place: place{c.From.File, c.From.Offset, c.From.Created},
		timer: time.NewTimer(time.Hour),
	}
	s.timer.Stop()
	s.done = committed{s.place, set}
	s.parser = s.newParser()
	return s, nil
}

// newParser makes a parser that leaves row images to us.
func (s *Stream) newParser() *replication.BinlogParser {
	p := replication.NewBinlogParser()
	p.SetFlavor(string(s.config.From.Flavor))
	p.SetVerifyChecksum(true)
	p.SetRowsEventDecodeFunc(func(e *replication.RowsEvent, data []byte) error {
		at, err := e.DecodeHeader(data)
		if err == nil {
			s.body = data[at:]
		}
		return err
	})
	return p
}

// Next returns the next event. After any error the stream is done: Close it
// and open another one from the committed position. ctx ends the wait, which is
// an error like any other.
func (s *Stream) Next(ctx context.Context) (Event, error) {
	for len(s.ready) == 0 {
		if s.broken != nil {
			return Event{}, s.broken
		}
		if err := s.step(ctx); err != nil {
			s.broken = err
		}
	}
	e := s.ready[0]
	s.ready[0] = Event{}
	if s.ready = s.ready[1:]; len(s.ready) == 0 {
		s.ready = nil
	}
	return e, nil
}

// Close ends the dump; the source's side of it ends with its next write.
func (s *Stream) Close() {
	s.timer.Stop()
	s.payload.close()
	s.feed.close()
}

// Position returns the committed position, that of the last Commit or later.
func (s *Stream) Position() position.Position { return s.position() }

// step reads one event. The source's bytes may be anything: a panic on the way
// is an error of the event.
func (s *Stream) step(ctx context.Context) (err error) {
	defer func() {
		if recover() != nil {
			err = s.malformed(errShape)
		}
	}()
	if s.payload != nil {
		return s.stepPayload()
	}
	var tick <-chan time.Time
	if s.joined > 0 && !s.tx.delivered { // a Commit between rows would seem to end their transaction
		s.timer.Reset(time.Until(s.since.Add(joinFor)))
		tick = s.timer.C
	}
	raw, err := s.feed.next(ctx, tick)
	if errors.Is(err, errTick) {
		s.flush()
		return nil
	}
	if err != nil {
		return err
	}
	return s.outer(raw)
}

// outer handles an event of the stream itself.
func (s *Stream) outer(raw []byte) error {
	h := &replication.EventHeader{}
	if err := h.Decode(raw); err != nil {
		return s.malformed(err)
	}
	s.clock = h.Timestamp
	if h.EventType == replication.FORMAT_DESCRIPTION_EVENT {
		s.format = raw
	}
	inFile := isInFile(h) && (h.EventType != replication.FORMAT_DESCRIPTION_EVENT || s.place.offset <= 4)
	if inFile {
		s.place.advance(h)
		s.bytes += int(h.EventSize)
	}
	if s.place.offset <= s.skipTo && h.EventType != replication.FORMAT_DESCRIPTION_EVENT && h.EventType != replication.ROTATE_EVENT {
		return nil
	}
	if err := s.handle(h, raw, s.parser); err != nil {
		return err
	}
	if !s.tx.open && s.payload == nil && s.place.offset >= s.skipTo {
		s.done.place = s.place
	}
	return nil
}

// handle parses an event and dispatches it. A panic of the parser is told with
// the event's type, and no text of the parser's errors, which hold bytes of
// rows, goes on.
func (s *Stream) handle(h *replication.EventHeader, raw []byte, parser *replication.BinlogParser) (err error) {
	defer func() {
		if recover() != nil {
			err = s.malformedType(h, errShape)
		}
	}()
	if refused := s.refuse(h, raw); refused != nil {
		return refused
	}
	if ignored(h.EventType) {
		return nil
	}
	if h.EventType == replication.TRANSACTION_PAYLOAD_EVENT { // the parser would unpack all of it
		return s.openPayload(s.bodyOf(raw))
	}
	parsed, parseErr := parser.Parse(raw)
	if parseErr != nil {
		reason := errShape
		if strings.Contains(parseErr.Error(), "checksum") {
			reason = replication.ErrChecksumMismatch
		}
		return s.malformedType(h, reason)
	}
	return s.dispatch(h, parsed)
}

// bodyOf cuts header and checksum off an event.
func (s *Stream) bodyOf(raw []byte) []byte {
	end := len(raw)
	if s.payload == nil && s.hasChecksum() {
		end -= replication.BinlogChecksumLength
	}
	return raw[replication.EventHeaderSize:max(end, replication.EventHeaderSize)]
}

// hasChecksum says whether events carry one: the format event tells it in the
// byte before its own.
func (s *Stream) hasChecksum() bool {
	e := &replication.FormatDescriptionEvent{}
	if len(s.format) < replication.EventHeaderSize || e.Decode(s.format[replication.EventHeaderSize:]) != nil {
		return false
	}
	return e.ChecksumAlgorithm == replication.BINLOG_CHECKSUM_ALG_CRC32
}

// deliver queues an event for the caller.
func (s *Stream) deliver(e Event) { s.ready = append(s.ready, e) }

// flush delivers the joined commits.
func (s *Stream) flush() {
	if s.joined == 0 {
		return
	}
	s.deliver(Event{
		Kind: Commit, Position: s.position(), SourceTime: s.lastEnd,
		Transactions: s.joined, Bytes: s.bytes,
	})
	s.joined, s.bytes = 0, 0
}

func (s *Stream) malformed(err error) error {
	return fault.MalformedEvent.Wrap(err, fmt.Sprintf("%s %s:%d", object, s.place.file, s.place.offset))
}

func (s *Stream) malformedType(h *replication.EventHeader, err error) error {
	return fault.MalformedEvent.Wrap(err, fmt.Sprintf("%s %s:%d, %s", object, s.place.file, s.place.offset, h.EventType))
}

// where names the stream's place in faults.
func (s *Stream) where() string { return fmt.Sprintf("%s:%d", s.place.file, s.place.offset) }

// fold gives a name as the source stores it.
func (s *Stream) fold(n table.Name) table.Name {
	if !s.foldCase {
		return n
	}
	return table.Name{Schema: strings.ToLower(n.Schema), Table: strings.ToLower(n.Table)}
}
