package binlog

import (
	"strconv"
	"time"

	"github.com/go-mysql-org/go-mysql/replication"

	"shardlift/internal/fault"
)

// Flags of MariaDB's GTID event, and its second flags (sql/log_event.h).
const (
	mariaStandalone  = 1
	mariaGroupCommit = 2
	mariaPreparedXA  = 64 // 10.5: the group ends with XA PREPARE
	mariaCompletedXA = 128

	mariaStartAlter    = 2
	mariaRollbackAlter = 8
)

// began handles the GTID of a transaction.
func (s *Stream) began(gtid string, at time.Time) error {
	if s.tx.open { // the one before never ended: the source crashed
		if err := s.interrupted(); err != nil {
			return err
		}
	}
	if s.byGTID && s.done.set.Has(gtid) { // numbers begin again after RESET
		return fault.HistoryLost.New(object, "the GTID %s comes a second time", gtid)
	}
	s.tx = transaction{open: true, gtid: gtid, time: at, start: s.done}
	if s.byGTID && !s.holes() { // an XA transaction may hold the position here
		s.tx.start.set = s.done.set.Clone()
	}
	return nil
}

// beganMariaDB handles MariaDB's, which is a BEGIN too.
func (s *Stream) beganMariaDB(e *replication.MariadbGTIDEvent, h *replication.EventHeader, body []byte) error {
	gtid := strconv.FormatUint(uint64(e.GTID.DomainID), 10) + "-" +
		strconv.FormatUint(uint64(h.ServerID), 10) + "-" + strconv.FormatUint(e.GTID.SequenceNumber, 10)
	if err := s.began(gtid, time.Unix(int64(h.Timestamp), 0)); err != nil {
		return err
	}
	s.tx.begun = e.Flags&mariaStandalone == 0
	s.tx.holding = e.Flags&mariaPreparedXA != 0
	s.tx.undone = mariaExtra(body)&(mariaStartAlter|mariaRollbackAlter) != 0
	return nil
}

// mariaExtra reads the second flags of MariaDB's GTID event, which stand behind
// what the first ones announce. With binlog_alter_two_phase (10.8) an ALTER
// comes when it starts and again when it commits or rolls back.
func mariaExtra(body []byte) byte {
	r := reader{data: body}
	r.take(12)
	flags := r.little(1)
	if flags&mariaGroupCommit != 0 {
		r.take(8)
	}
	if flags&(mariaPreparedXA|mariaCompletedXA) != 0 {
		r.take(4)
		r.take(int(r.little(1) + r.little(1)))
	}
	return byte(r.little(1)) // 0 when nothing is left
}

// begin handles BEGIN and XA START; a source without GTIDs has nothing before it.
func (s *Stream) begin() {
	if !s.tx.open {
		s.tx = transaction{open: true, time: time.Unix(int64(s.clock), 0), start: s.done}
	}
	s.tx.begun = true
}

// commit ends a transaction whose changes stay.
func (s *Stream) commit() error {
	if s.tx.holding {
		s.release(s.tx.changes)
	}
	s.end()
	return s.broken
}

// rollback ends a transaction whose changes are taken back.
func (s *Stream) rollback() error {
	if !s.tx.holding && s.tx.delivered {
		if s.tx.lost {
			return fault.RollbackTooLarge.New(object, "at %s", s.where())
		}
		for _, e := range inverse(s.tx.changes) {
			s.deliver(e)
		}
	}
	s.end()
	return s.broken
}

// rollbackTo takes back what came after a savepoint.
func (s *Stream) rollbackTo(name string) error {
	cut, err := s.tx.back(name)
	if err != nil {
		return err
	}
	if !s.tx.holding {
		for _, e := range inverse(cut) {
			s.deliver(e)
		}
	}
	return nil
}

// end closes the transaction: its GTID joins the set, and a Commit is delivered
// at once when it had selected rows, else joined with others.
func (s *Stream) end() {
	if s.byGTID && s.tx.gtid != "" {
		if err := s.done.set.Add(s.tx.gtid); err != nil {
			s.broken = s.malformed(err)
			return
		}
	}
	at := s.tx.time
	if at.IsZero() {
		at = time.Unix(int64(s.clock), 0)
	}
	delivered := s.tx.delivered
	s.tx = transaction{}
	s.done.place = s.place
	if s.joined == 0 {
		s.since = time.Now()
	}
	s.joined++
	s.lastEnd = at
	if delivered || s.joined >= joinCount || time.Since(s.since) >= joinFor {
		s.flush()
	}
}
