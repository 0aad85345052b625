package binlog

import (
	"github.com/go-mysql-org/go-mysql/replication"

	"shardlift/internal/position"
)

// place is where the stream is in the binlog's files.
type place struct {
	file   string
	offset uint64
	// created is when the file was made: the time of its format event, 0 unknown.
	created uint32
}

// advance moves behind an event of the file. The header's end position has 32
// bits and starts again at 0 beyond 4 GiB; MariaDB leaves it out inside
// transactions, and sizes lack the checksum where the source strips it. So the
// header's bits are believed where there are any, and the sum of sizes is taken
// where there are none, which the next header corrects.
func (p *place) advance(h *replication.EventHeader) {
	const wrap = 1 << 32
	after := p.offset + uint64(h.EventSize)
	if h.LogPos == 0 {
		p.offset = after
		return
	}
	next := p.offset&^(wrap-1) | uint64(h.LogPos)
	if next < p.offset && p.offset-next > wrap/2 { // events are shorter than 2 GiB
		next += wrap
	}
	p.offset = next
}

// isInFile says whether an event stands in the binlog: artificial ones,
// heartbeats, and what the source repeats of the file's head at the start of a
// dump do not.
func isInFile(h *replication.EventHeader) bool {
	switch h.EventType {
	case replication.HEARTBEAT_EVENT, replication.HEARTBEAT_LOG_EVENT_V2:
		return false
	case replication.FORMAT_DESCRIPTION_EVENT, replication.ROTATE_EVENT, replication.MARIADB_START_ENCRYPTION_EVENT:
		return h.LogPos != 0 && h.Flags&replication.LOG_EVENT_ARTIFICIAL_F == 0
	default:
		return h.Flags&replication.LOG_EVENT_ARTIFICIAL_F == 0
	}
}

// committed is the place up to which everything is complete.
type committed struct {
	place place
	set   position.Set
}

// at makes a position of it.
func (s *Stream) at(c committed) position.Position {
	p := position.Position{
		Flavor: s.config.From.Flavor, Server: s.identity,
		File: c.place.file, Offset: c.place.offset, Created: c.place.created,
	}
	if s.byGTID {
		p = p.WithSet(c.set)
	}
	return p
}

// position is the committed position. A file cannot have holes, and neither can
// MariaDB's GTIDs: there it stays before the first XA transaction without a
// verdict. A GTID set of MySQL simply lacks the prepared ones.
func (s *Stream) position() position.Position {
	if first := s.xa.oldest(); first != nil && !s.holes() {
		return first.start
	}
	return s.at(s.done)
}

func (s *Stream) holes() bool { return s.byGTID && s.config.From.Flavor == position.MySQL }
