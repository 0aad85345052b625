package ddmsim

import (
	"strconv"

	"vitess.io/vitess/go/sqltypes"
)

// defineSequence runs CREATE, ALTER and DROP SEQUENCE [db.]name.
func (ss *session) defineSequence(t *text) error {
	name, err := t.object(2)
	if err != nil {
		return err
	}
	schema, err := ss.need(name.schema)
	if err != nil {
		return err
	}
	list, err := ss.server.sequences.list(ss.ctx, schema)
	if err != nil {
		return err
	}
	var found *sequenceRow
	for i := range list {
		if sequenceKey(schema, list[i].name) == sequenceKey(schema, name.name) {
			found = &list[i]
		}
	}
	if t.at(0, "CREATE") {
		if found != nil {
			return refuse("S-03", "sequence %s exists", name.name)
		}
		start := uint64(1)
		if t.starts(name.next, "START", "WITH") {
			if start, err = positive(t.src(name.next + 2)); err != nil {
				return err
			}
		}
		return ss.server.sequences.create(ss.ctx, schema, name.name, "", "", start)
	}
	if found == nil {
		return refuse("S-03", "sequence %s.%s does not exist", schema, name.name)
	}
	if t.at(0, "DROP") {
		if found.table != "" {
			return refuse("S-03", "sequence %s belongs to a table and cannot be dropped", name.name)
		}
		return ss.server.sequences.drop(ss.ctx, schema, name.name)
	}
	return ss.alterSequence(t, schema, name)
}

func (ss *session) alterSequence(t *text, schema string, name objectName) error {
	switch i := name.next; {
	case t.starts(i, "START", "WITH"):
		n, err := positive(t.src(i + 2))
		if err != nil || t.len() != i+3 {
			return syntaxError("ALTER SEQUENCE name START WITH n")
		}
		return ss.server.sequences.restart(ss.ctx, schema, name.name, n)
	case t.at(i, "CACHE"):
		n, err := positive(t.src(i + 1))
		if err != nil || t.len() != i+2 {
			return syntaxError("ALTER SEQUENCE name CACHE n")
		}
		s := ss.server.sequences
		return ss.server.catalogue.run(ss.ctx, "UPDATE "+s.table()+" SET cache="+strconv.FormatUint(n, 10)+s.where(schema, name.name))
	}
	return syntaxError("ALTER SEQUENCE name START WITH n | CACHE n")
}

func positive(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || n == 0 {
		return 0, syntaxError("a positive number is expected near '" + clip(s) + "'")
	}
	return n, nil
}

// freshSequences moves every table's sequence, in all schemas, past the
// largest value in its column (S-01).
func (ss *session) freshSequences(t *text) (*sqltypes.Result, error) {
	if !t.starts(0, "FRESH", "ALL", "SEQUENCE", "START", "VALUE") || t.len() != 5 {
		return nil, syntaxError("fresh all sequence start value")
	}
	for _, schema := range ss.server.catalogue.schemaNames() {
		for _, table := range ss.server.catalogue.list(schema) {
			c := table.auto()
			if c == nil {
				continue
			}
			largest, err := ss.largest(table, c.Name)
			if err != nil {
				return nil, err
			}
			if err := ss.server.sequences.atLeast(ss.ctx, schema, table.Name, largest+1); err != nil {
				return nil, err
			}
		}
	}
	return ok, nil
}

// largest is the maximum of a column over all physical tables, 0 without rows.
func (ss *session) largest(table *tableRule, column string) (uint64, error) {
	var largest uint64
	for _, at := range table.targets() {
		r, err := ss.askPlain(ss.server.placeOf(table.Schema, at.shard), "SELECT MAX("+quoteName(column)+") FROM "+quoteName(at.table))
		if err != nil {
			return 0, err
		}
		if v := r.Rows[0][0]; !v.IsNull() {
			if n, err := strconv.ParseUint(v.ToString(), 10, 64); err == nil {
				largest = max(largest, n)
			}
		}
	}
	return largest, nil
}

// selectSequence answers SELECT [db.]seq.nextval | currval | nextval(n); nil
// for every other SELECT.
func (ss *session) selectSequence(t *text) (*sqltypes.Result, error) {
	i := 1
	for t.at(i+1, ".") {
		i += 2
	}
	verb := ""
	switch {
	case i == 1 || i > 5:
		return nil, nil
	case t.at(i, "NEXTVAL"):
		verb = "nextval"
	case t.at(i, "CURRVAL"):
		verb = "currval"
	default:
		return nil, nil
	}
	o := objectName{}
	if i == 5 {
		o.schema, _ = t.ident(1)
	}
	o.name, _ = t.ident(i - 2)
	schema, err := ss.need(o.schema)
	if err != nil {
		return nil, err
	}
	label := t.between(1, t.len())
	if verb == "currval" {
		return numberResult(label, ss.server.sequences.current(schema, o.name)), nil
	}
	n := uint64(1)
	if t.at(i+1, "(") {
		if n, err = positive(t.src(i + 2)); err != nil {
			return nil, err
		}
	}
	first, err := ss.server.sequences.next(ss.ctx, schema, o.name, n)
	if err != nil {
		return nil, err
	}
	r := numberResult(label, first)
	for k := uint64(1); k < n; k++ {
		r.Rows = append(r.Rows, numberResult(label, first+k).Rows...)
	}
	return r, nil
}
