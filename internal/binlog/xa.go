package binlog

import (
	"strconv"

	"shardlift/internal/ddl"
	"shardlift/internal/fault"
	"shardlift/internal/position"
)

// prepared is an XA transaction that waits for its verdict.
type prepared struct {
	gtid  string
	start position.Position
	rows  []Event
	size  int
}

// xaStore keeps the prepared transactions in the order of their preparation.
type xaStore struct {
	byXID map[string]*prepared
	order []string
	size  int
}

func (x *xaStore) add(xid string, p *prepared) {
	if x.byXID == nil {
		x.byXID = map[string]*prepared{}
	}
	x.byXID[xid] = p
	x.order = append(x.order, xid)
	x.size += p.size
}

// take removes a transaction and returns it, nil when it is not known.
func (x *xaStore) take(xid string) *prepared {
	p := x.byXID[xid]
	if p == nil {
		return nil
	}
	delete(x.byXID, xid)
	for i, one := range x.order {
		if one == xid {
			x.order = append(x.order[:i:i], x.order[i+1:]...)
			break
		}
	}
	x.size -= p.size
	return p
}

func (x *xaStore) oldest() *prepared {
	if len(x.order) == 0 {
		return nil
	}
	return x.byXID[x.order[0]]
}

// prepareXA ends the group of an XA transaction: its changes wait.
func (s *Stream) prepareXA(body []byte) error {
	r := reader{data: body}
	onePhase := r.little(1) != 0
	format := int32(r.little(4))
	gtrid, bqual := int(r.little(4)), int(r.little(4))
	xid := ddl.FormatXID(r.take(gtrid), r.take(bqual), strconv.Itoa(int(format)))
	if r.err != nil {
		return s.malformed(r.err)
	}
	if !s.tx.holding {
		return fault.MalformedEvent.New(object, "XA PREPARE without XA START at %s", s.where())
	}
	if onePhase {
		s.release(s.tx.changes)
		s.end()
		return nil
	}
	s.xa.add(xid, &prepared{gtid: s.tx.gtid, start: s.at(s.tx.start), rows: s.tx.changes, size: s.tx.size})
	s.tx.gtid = "" // not complete before the verdict
	s.end()
	return nil
}

// verdictXA ends a prepared transaction.
func (s *Stream) verdictXA(e ddl.Effect) error {
	if s.tx.holding { // XA ROLLBACK or XA COMMIT … ONE PHASE in its own group
		if e.Kind == ddl.XACommit {
			s.release(s.tx.changes)
		}
		s.end()
		return nil
	}
	p := s.xa.take(e.Argument)
	switch {
	case p == nil && e.Kind == ddl.XACommit && !e.OnePhase:
		return fault.XAUnknown.New(object, "")
	case p != nil && e.Kind == ddl.XACommit:
		s.release(p.rows)
	}
	if p != nil && p.gtid != "" && s.byGTID {
		if err := s.done.set.Add(p.gtid); err != nil {
			return s.malformed(err)
		}
	}
	s.end()
	return nil
}

// release gives held rows to the caller.
func (s *Stream) release(rows []Event) {
	for _, e := range rows {
		e.SourceTime, e.GTID = s.tx.time, s.tx.gtid
		e.Begin = !s.tx.delivered
		s.deliver(e)
		s.tx.delivered = true
	}
}

// hold keeps rows of an XA transaction until its verdict.
func (s *Stream) hold(e Event) error {
	s.tx.changes = append(s.tx.changes, e)
	s.tx.size += e.size()
	if s.tx.size+s.xa.size > s.config.XABytes {
		return fault.XATooLarge.New(object, "%d transactions, limit %d MiB", len(s.xa.order)+1, s.config.XABytes>>20)
	}
	return nil
}
