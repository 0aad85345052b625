package applier

import (
	"time"

	"shardlift/internal/binlog"
	"shardlift/internal/dialect"
	"shardlift/internal/position"
	"shardlift/internal/table"
)

// window is a stretch of the stream that is written at once. It may begin and
// end inside a transaction (cut by bytes), so that a transaction of any size
// needs no memory; the checkpoint moves to end only.
type window struct {
	folds map[table.Name]*fold
	order []*fold
	bytes int
	rows  int64
	// transactions counts the ends inside the window.
	transactions int64
	// end is the last transaction end in the window; zero when there is none.
	end position.Position
	// open says that changes follow end: the window was cut inside a transaction.
	open bool
	// gtids are those of the transactions that have changes in the window, where
	// the source has them.
	gtids []string
	// sourceTime is when the source committed the last transaction (or wrote the last row).
	sourceTime time.Time
	// truncate are the tables that a TRUNCATE before the window's rows empties.
	truncate []*table.Table
	// emptied are the destination schemas of those tables, once they are empty.
	emptied []string
	// barrier is closed when the window is written; nil when nobody waits.
	barrier chan struct{}
	// final: the run ends after this window, its position is saved.
	final bool
	// readTime is when the last event was read.
	readTime time.Time
}

func newWindow() *window { return &window{folds: map[table.Name]*fold{}} }

// addRows folds the changes of one row event in.
func (w *window) addRows(ev binlog.Event, m *dialect.Mapping) {
	f := w.folds[ev.Table.Name]
	if f == nil {
		f = newFold(m)
		w.folds[ev.Table.Name] = f
		w.order = append(w.order, f)
	}
	before := f.bytes
	for _, c := range ev.Changes {
		f.add(c)
	}
	w.bytes += f.bytes - before
	w.rows += int64(len(ev.Changes))
	w.open = true
	w.addGTID(ev.GTID)
	w.touch(ev)
}

func (w *window) addGTID(gtid string) {
	if n := len(w.gtids); gtid != "" && (n == 0 || w.gtids[n-1] != gtid) {
		w.gtids = append(w.gtids, gtid)
	}
}

// addEnd moves the window's end.
func (w *window) addEnd(ev binlog.Event) {
	if ev.Kind == binlog.Commit {
		w.transactions += int64(ev.Transactions)
	}
	w.end = ev.Position
	w.open = false
	w.touch(ev)
}

func (w *window) touch(ev binlog.Event) {
	if !ev.SourceTime.IsZero() {
		w.sourceTime = ev.SourceTime
	}
	w.readTime = time.Now()
}

func (w *window) empty() bool { return w.rows == 0 && w.end.IsZero() }

// ready says whether the window may be written now: it has something and ends
// where a transaction ends.
func (w *window) ready() bool { return !w.empty() && !w.open }

// strictable says whether every table of the window may be written in strict
// mode: non-transactional tables never are, a crash of the source may repeat
// their rows.
func (w *window) strictable() bool {
	for _, f := range w.order {
		if !f.mapping.Source.Transactional() {
			return false
		}
	}
	return true
}
