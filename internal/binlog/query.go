package binlog

import (
	"slices"

	"shardlift/internal/ddl"
	"shardlift/internal/fault"
	"shardlift/internal/table"
)

// query handles a statement: ends and parts of transactions, DDL, and DML in
// statement format.
func (s *Stream) query(schema string, text, status []byte) error {
	if s.tx.undone {
		s.end()
		return s.broken
	}
	mode := modeOf(status)
	mode.Version = s.version
	result := ddl.Analyze(schema, string(text), mode)
	e, single := result.Only()
	if !single {
		return s.statement(result, text, mode)
	}
	switch e.Kind {
	case ddl.Begin:
		s.begin()
	case ddl.Commit:
		return s.commit()
	case ddl.Rollback:
		return s.rollback()
	case ddl.Savepoint:
		s.tx.mark(e.Argument)
	case ddl.RollbackTo:
		return s.rollbackTo(e.Argument)
	case ddl.ReleaseSavepoint, ddl.XAEnd:
	case ddl.XAPrepare: // servers write an event of its own
		return fault.UnknownEvent.New(object, "XA PREPARE as a statement at %s", s.where())
	case ddl.XAStart:
		s.begin()
		s.tx.holding = true
	case ddl.XACommit, ddl.XARollback:
		return s.verdictXA(e)
	default:
		return s.statement(result, text, mode)
	}
	return s.broken
}

// statement handles what is no part of a transaction's frame. Outside of BEGIN
// and COMMIT it is a transaction of its own.
func (s *Stream) statement(r ddl.Result, text []byte, mode ddl.Mode) error {
	r = s.folded(r)
	if r.IsDML() {
		if err := s.refuseDML(r); err != nil {
			return err
		}
	} else if s.concerns(r) {
		if err := s.deliverDDL(r, text, mode); err != nil {
			return err
		}
	}
	if !s.tx.begun {
		if e, ok := r.Only(); ok && e.StartsTransaction {
			s.begin()
			return nil
		}
		s.end()
	}
	return s.broken
}

// deliverDDL gives the statement to the caller, who has seen everything before it.
func (s *Stream) deliverDDL(r ddl.Result, text []byte, mode ddl.Mode) error {
	if s.tx.holding {
		return fault.UnknownEvent.New(object, "%s in an XA transaction at %s", r.Describe(), s.where())
	}
	s.flush()
	event := Event{
		Kind: DDL, Position: s.position(), At: s.at(s.done), SourceTime: s.tx.time, GTID: s.tx.gtid,
		Statement: ddl.Redact(string(text), mode), Result: r,
	}
	if e, ok := r.Only(); ok && e.Kind == ddl.Truncate && !r.Foreign && s.config.Tables != nil {
		definition, err := s.config.Tables.Table(e.Tables[0])
		if err != nil {
			return err
		}
		event.Kind, event.Table = Truncate, definition
	}
	s.deliver(event)
	s.tx.delivered = true
	return nil
}

// refuseDML stops at statements that may have changed selected tables. A
// trigger of another table of the same schema may write into one.
func (s *Stream) refuseDML(r ddl.Result) error {
	concerned := r.Foreign
	for _, e := range r.Effects {
		concerned = concerned || e.Opaque
	}
	names := r.Names
	for _, e := range r.Effects {
		names = append(slices.Clip(names), e.Tables...)
	}
	for _, n := range names {
		concerned = concerned || s.config.Selection.SelectsSchema(n.Schema)
	}
	if concerned {
		return fault.StatementFormat.New(object, "at %s", s.where())
	}
	return nil
}

// concerns says whether the statement may change selected tables, or add to them.
func (s *Stream) concerns(r ddl.Result) bool {
	if !r.Parsed {
		return r.Foreign || slices.ContainsFunc(r.Names, s.mayBeSelected)
	}
	for _, e := range r.Effects {
		switch e.Kind {
		case ddl.Irrelevant:
			continue
		case ddl.DropSchema, ddl.AlterSchema, ddl.CreateSchema:
			if r.Foreign || s.config.Selection.SelectsSchema(e.Tables[0].Schema) {
				return true
			}
		default:
			if !e.Temporary && (r.Foreign || slices.ContainsFunc(e.Tables, s.isSelected)) {
				return true
			}
		}
	}
	return false
}

func (s *Stream) isSelected(n table.Name) bool {
	_, _, ok := s.config.Selection.Match(n)
	return ok
}

// mayBeSelected is for names of a text that was not understood: under a
// wildcard every name of a selected schema counts.
func (s *Stream) mayBeSelected(n table.Name) bool {
	if s.isSelected(n) {
		return true
	}
	for _, rule := range s.config.Selection {
		if rule.Schema == n.Schema && len(rule.Tables) == 0 {
			return true
		}
	}
	return false
}

// folded gives names as the source stores them.
func (s *Stream) folded(r ddl.Result) ddl.Result {
	if !s.foldCase {
		return r
	}
	r.Names = s.foldAll(r.Names)
	r.Effects = slices.Clone(r.Effects)
	for i := range r.Effects {
		r.Effects[i].Tables = s.foldAll(r.Effects[i].Tables)
	}
	return r
}

func (s *Stream) foldAll(names []table.Name) []table.Name {
	out := make([]table.Name, len(names))
	for i, n := range names {
		out[i] = s.fold(n)
	}
	return out
}

// loadQuery handles LOAD DATA in statement format: a query event with four more
// fields about the file.
func (s *Stream) loadQuery(body []byte) error {
	r := reader{data: body}
	r.take(8)
	schemaLength := int(r.little(1))
	r.take(2)
	statusLength := int(r.little(2))
	r.take(13)
	status := r.take(statusLength)
	schema := string(r.take(schemaLength))
	r.take(1)
	if r.err != nil {
		return s.malformed(r.err)
	}
	return s.query(schema, r.data, status)
}
