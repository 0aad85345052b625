package binlog

import (
	"slices"
	"time"

	"shardlift/internal/fault"
	"shardlift/internal/row"
)

// transaction is the one that is being read.
type transaction struct {
	// open: a GTID event, a BEGIN or an XA START was seen.
	open bool
	// begun: it ends with COMMIT, XID or XA PREPARE; otherwise with its one statement.
	begun bool
	// undone: its statement only starts, or takes back, what another one commits.
	undone bool
	gtid   string
	time   time.Time
	// delivered: something of it was given to the caller.
	delivered bool
	// holding: an XA transaction, whose changes wait in changes.
	holding bool
	start   committed

	// changes are kept to be taken back, or held for XA, as long as they fit.
	changes []Event
	size    int
	lost    bool // they did not fit
	marks   map[string]int
}

// keep remembers rows that may have to be taken back.
func (t *transaction) keep(e Event, limit int) {
	t.size += e.size()
	if t.lost || t.size > limit {
		t.lost, t.changes, t.marks = true, nil, nil
		return
	}
	t.changes = append(t.changes, e)
}

// size is the memory of an event's changes.
func (e *Event) size() int {
	n := 128
	for _, c := range e.Changes {
		n += c.Size()
	}
	return n
}

// mark sets a savepoint; a second one of the name replaces the first.
func (t *transaction) mark(name string) {
	if t.marks == nil {
		t.marks = map[string]int{}
	}
	t.marks[name] = len(t.changes)
}

// back cuts the changes after a savepoint and returns them. A savepoint that is
// not known was set before there was any change.
func (t *transaction) back(name string) ([]Event, error) {
	if t.lost {
		return nil, fault.RollbackTooLarge.New(object, "")
	}
	at := min(t.marks[name], len(t.changes))
	cut := t.changes[at:]
	t.changes = t.changes[:at:at]
	return cut, nil
}

// inverse returns what takes changes back, last one first.
func inverse(events []Event) []Event {
	out := make([]Event, 0, len(events))
	for _, e := range slices.Backward(events) {
		changes := make([]row.Change, 0, len(e.Changes))
		for _, c := range slices.Backward(e.Changes) {
			c.Before, c.After = c.After, c.Before
			switch c.Op {
			case row.Insert:
				c.Op = row.Delete
			case row.Delete:
				c.Op = row.Insert
			case row.Update:
			}
			changes = append(changes, c)
		}
		e.Changes, e.Bytes, e.Begin = changes, 0, false
		out = append(out, e)
	}
	return out
}
