package schema

import (
	"errors"
	"slices"
	"strings"

	"shardlift/internal/binlog"
	"shardlift/internal/ddl"
	"shardlift/internal/fault"
	"shardlift/internal/position"
	"shardlift/internal/selection"
	"shardlift/internal/table"
)

// Verdict says what to do with a statement that does not stop the task.
type Verdict uint8

const (
	// Pass: nothing is to be done.
	Pass Verdict = iota + 1
	// Truncate: the event's table is emptied on the destination, all lanes
	// flushed before and after.
	Truncate
	// Refresh: the operator made the change on the destination; the definitions
	// of the tables follow it (History.Refresh).
	Refresh
)

// Rules is what Judge needs to know of a task.
type Rules struct {
	Selection selection.Selection
	// StopAtTruncate: policy.truncate is stop.
	StopAtTruncate bool
	// Passed is the position of the statement that the operator has made on the
	// destination, nil for none.
	Passed *position.Position
}

// Stop is the fault DDLStopped with the statement's place, for the resume.
type Stop struct {
	fault *fault.Error
	at    position.Position
}

// Error is the fault's.
func (s *Stop) Error() string { return s.fault.Error() }

// SourcePosition is where the statement stands; resume passes it.
func (s *Stop) SourcePosition() position.Position { return s.at }

// Unwrap returns the fault.
func (s *Stop) Unwrap() error { return s.fault }

// Judge decides about a Truncate or DDL event (rule 11). It returns the tables
// concerned; the error is a *Stop. For Refresh the caller refreshes them;
// a statement whose refreshed definitions are stored passes by itself
// when it comes again.
func (h *History) Judge(ev binlog.Event, r Rules) (Verdict, []table.Name, error) {
	concerned := h.concerned(ev, r.Selection)
	if h.again(ev.At, concerned) {
		return Pass, nil, nil
	}
	if r.Passed != nil && samePlace(*r.Passed, ev.At) {
		return Refresh, concerned, nil
	}
	if ev.Kind == binlog.Truncate && !r.StopAtTruncate {
		return Truncate, []table.Name{ev.Table.Name}, nil
	}
	if ev.Kind == binlog.DDL && ev.Parsed && !ev.Foreign && !slices.ContainsFunc(ev.Effects, func(e ddl.Effect) bool { return h.stops(e, r.Selection) }) {
		return Pass, nil, nil
	}
	return 0, concerned, h.stop(ev, concerned)
}

// stops says whether one effect changes what the task relies on.
func (h *History) stops(e ddl.Effect, sel selection.Selection) bool {
	selected := func(n table.Name) bool { _, _, ok := sel.Match(n); return ok }
	switch e.Kind {
	case ddl.Irrelevant, ddl.CreateSchema, ddl.AlterSchema:
		return false // the schema's default character set changes no table
	case ddl.DropSchema:
		return sel.SelectsSchema(e.Tables[0].Schema)
	case ddl.Drop:
		return !e.Temporary && slices.ContainsFunc(e.Tables, h.Has)
	case ddl.CreateTable:
		// An existing table is left alone by IF NOT EXISTS.
		return !e.Temporary && slices.ContainsFunc(e.Tables, func(n table.Name) bool { return selected(n) && (!e.Conditional || !h.Has(n)) })
	case ddl.Alter, ddl.CreateIndex, ddl.DropIndex:
		return slices.ContainsFunc(e.Tables, func(n table.Name) bool { return selected(n) && !h.harmless(e, n) })
	default:
		return !e.Temporary && slices.ContainsFunc(e.Tables, selected)
	}
}

// harmless says whether an ALTER only adds or drops non-unique indexes, or
// changes comments, by the definition as of the stream's place.
func (h *History) harmless(e ddl.Effect, n table.Name) bool {
	if e.Other || e.Unique {
		return false
	}
	definition, err := h.Table(n)
	if err != nil {
		return false
	}
	for _, name := range slices.Concat(e.Dropped, e.Changed) {
		for _, k := range definition.Keys {
			if strings.EqualFold(k.Name, name) && (k.Unique || k.Name == table.PrimaryName) {
				return false
			}
		}
	}
	return true
}

// concerned lists the task's tables that a statement names; under a wildcard
// also new ones.
func (h *History) concerned(ev binlog.Event, sel selection.Selection) []table.Name {
	if ev.Table != nil {
		return []table.Name{ev.Table.Name}
	}
	if ev.Foreign { // nobody knows which
		return h.within("")
	}
	names := slices.Clone(ev.Names)
	for _, e := range ev.Effects {
		names = append(names, e.Tables...)
	}
	for _, e := range ev.Effects {
		if e.Kind == ddl.DropSchema {
			names = append(names, h.within(e.Tables[0].Schema)...)
		}
	}
	var out []table.Name
	for _, n := range names {
		if n.Table == "" {
			continue
		}
		if _, _, ok := sel.Match(n); ok && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// within lists the task's tables of a schema, "" for all.
func (h *History) within(schema string) []table.Name {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []table.Name
	for n := range h.tables {
		if schema == "" || n.Schema == schema {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, table.Name.Compare)
	return out
}

func (h *History) stop(ev binlog.Event, concerned []table.Name) error {
	texts := make([]string, 0, len(concerned))
	for _, n := range concerned {
		texts = append(texts, n.String())
	}
	object := strings.Join(texts, ", ")
	if object == "" || ev.Foreign {
		object = "selected schema"
	}
	what := ev.Describe()
	if ev.Kind == binlog.Truncate {
		what = string(ddl.Truncate)
	}
	f := fault.DDLStopped.New(object, "%s at %s", what, ev.At)
	if ev.Statement != "" {
		f.Message += ": " + ev.Statement
	}
	if len(concerned) == 1 && !ev.Foreign && h.Has(concerned[0]) {
		f.Table = concerned[0].String()
	}
	return &Stop{fault: f, at: ev.At}
}

// samePlace compares places of one stream: by the set of transactions where
// there is one, else by file and offset.
func samePlace(a, b position.Position) bool {
	if a.HasGTID() && b.HasGTID() {
		return *a.GTID == *b.GTID
	}
	return a.File == b.File && a.Offset == b.Offset
}

func isMissing(err error) bool { return errors.Is(err, fault.TableMissing) }
