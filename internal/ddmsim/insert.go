package ddmsim

import (
	"fmt"
	"strings"

	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"
)

// insertion is an INSERT or REPLACE … VALUES, cut into pieces of its source.
// Rows are copied as they stand; only sequence values and fractions of
// sharding keys (D-39) are changed.
type insertion struct {
	*text
	table   *tableRule
	name    objectName
	verbEnd int   // token of the table's name: what stands before is the verb
	columns []int // column indexes of the values, in the statement's order
	listed  bool  // the statement has a column list
	values  int   // token after VALUES
	rows    []insertRow
	tail    int // token after the last row

	auto     int // index into columns of the sequence column, -1: none
	addAuto  bool
	firstID  uint64
	watched  []bool // by position: needs a look at its value
	dbAt     int    // positions of the sharding keys, -1: not in the list
	tbAt     int
	explicit uint64 // largest explicit id seen
}

// insertRow is one parenthesised row.
type insertRow struct {
	open, close int // tokens of ( and )
	edits       []edit
	db, tb      int
}

// edit replaces tokens [from, to) of a row; from == to inserts.
type edit struct {
	from, to int
	with     string
}

func (ss *session) insert(t *text, h hints) (*sqltypes.Result, error) {
	in := &insertion{text: t, auto: -1, dbAt: -1, tbAt: -1}
	done, err := ss.parseInsert(in)
	if err != nil || done != nil {
		return done, err
	}
	if err := ss.checkTail(in); err != nil {
		return nil, err
	}
	if err := ss.readRows(in); err != nil {
		return nil, err
	}
	if err := ss.fillSequence(in); err != nil {
		return nil, err
	}
	if err := ss.routeRows(in); err != nil {
		return nil, err
	}
	calls := in.calls(h)
	results, err := ss.write(in.table.Schema, calls)
	if err != nil {
		return nil, err
	}
	out := &sqltypes.Result{}
	for i, r := range results {
		if in.table.Kind == broadcast && i > 0 && !ss.server.cfg.BroadcastCountsAll {
			break
		}
		out.RowsAffected += r.RowsAffected
		if i == 0 {
			out.InsertID = r.InsertID
		}
	}
	if in.auto >= 0 || in.addAuto {
		out.InsertID = in.firstID
		if in.firstID != 0 {
			ss.lastID = in.firstID
		}
		if ss.server.cfg.ExplicitIDMovesSequence && in.at(0, "INSERT") && in.explicit > 0 {
			if err := ss.server.sequences.atLeast(ss.ctx, in.table.Schema, in.table.Name, in.explicit+1); err != nil {
				return nil, err
			}
		}
	} else if out.InsertID != 0 {
		ss.lastID = out.InsertID
	}
	return out, nil
}

// parseInsert reads up to VALUES. A statement of another form is answered here.
func (ss *session) parseInsert(in *insertion) (*sqltypes.Result, error) {
	t, i := in.text, 1
	for t.at(i, "LOW_PRIORITY") || t.at(i, "HIGH_PRIORITY") || t.at(i, "DELAYED") || t.at(i, "IGNORE") {
		if t.at(i, "DELAYED") {
			return nil, refuse("D-30", "INSERT DELAYED is not supported")
		}
		i++
	}
	if t.at(i, "INTO") {
		i++
	}
	name, err := t.object(i)
	if err != nil {
		return nil, err
	}
	in.name, in.verbEnd = name, i
	if in.table, err = ss.table(name); err != nil {
		return nil, err
	}
	i = name.next
	if t.at(i, "PARTITION") {
		return nil, refuse("D-36", "PARTITION is not supported")
	}
	if t.at(i, "SET") {
		r, err := ss.insertSet(t)
		return r, err
	}
	if t.at(i, "(") && !t.at(i+1, "SELECT") {
		end, err := t.closing(i)
		if err != nil {
			return nil, err
		}
		if err := in.readColumns(i+1, end); err != nil {
			return nil, err
		}
		in.listed = true
		i = end + 1
	} else {
		for c := range in.table.Columns {
			in.columns = append(in.columns, c)
		}
	}
	if !t.at(i, "VALUES") && !t.at(i, "VALUE") {
		if in.table.Kind == single {
			return ss.insertSelect(in)
		}
		return nil, unsupported("INSERT … SELECT into a sharded or broadcast table")
	}
	in.values = i + 1
	if !in.listed && t.at(i+1, "(") && t.at(i+2, ")") { // VALUES (): every column's default
		in.columns, in.listed = nil, true
	}
	return nil, in.watch()
}

func (in *insertion) readColumns(from, to int) error {
	for i := from; i < to; i++ {
		if in.at(i+1, ".") {
			i += 2
		}
		n, isName := in.ident(i)
		if !isName {
			return syntaxError("column list")
		}
		c, _ := in.table.column(n)
		if c < 0 {
			return sqlError(1054, "42S22", fmt.Sprintf("Unknown column '%s' in 'field list'", n))
		}
		in.columns = append(in.columns, c)
		if i+1 < to && !in.at(i+1, ",") {
			return syntaxError("column list")
		}
		i++
	}
	return nil
}

// watch decides which values must be looked at, and demands the sharding keys
// (D-30).
func (in *insertion) watch() error {
	t := in.table
	auto := t.auto()
	in.watched = make([]bool, len(in.columns))
	for p, c := range in.columns {
		col := &t.Columns[c]
		in.watched[p] = col.Type == "datetime" || isBinaryType(col.Type)
		if t.DB != nil && strings.EqualFold(col.Name, t.DB.Column) {
			in.dbAt = p
		}
		if t.TB != nil && strings.EqualFold(col.Name, t.TB.Column) {
			in.tbAt = p
		}
		if auto != nil && col == auto {
			in.auto = p
		}
		if p == in.dbAt || p == in.tbAt || p == in.auto {
			in.watched[p] = true
		}
	}
	in.addAuto = auto != nil && in.auto < 0
	for _, k := range []struct {
		part *partition
		at   int
	}{{t.DB, in.dbAt}, {t.TB, in.tbAt}} {
		if k.part != nil && k.at < 0 && (auto == nil || !strings.EqualFold(k.part.Column, auto.Name)) {
			return refuse("D-30", "INSERT and REPLACE into %s must name the sharding key %s", t.Name, k.part.Column)
		}
	}
	return nil
}

// checkTail parses what follows the rows as a statement with one short row:
// the row alias and ON DUPLICATE KEY UPDATE.
func (ss *session) checkTail(in *insertion) error {
	i := in.values
	for in.at(i, "(") {
		end, err := in.closing(i)
		if err != nil {
			return err
		}
		in.rows = append(in.rows, insertRow{open: i, close: end})
		i = end + 1
		if !in.at(i, ",") {
			break
		}
		i++
	}
	if len(in.rows) == 0 {
		return syntaxError("VALUES needs rows")
	}
	in.tail = i
	if i >= in.len() {
		return nil
	}
	stmt, err := ss.server.parser.Parse("INSERT INTO t VALUES (1) " + in.from(i))
	if err != nil {
		return syntaxError(err.Error())
	}
	parsed, is := stmt.(*sqlparser.Insert)
	if !is {
		return syntaxError("near '" + clip(in.from(i)) + "'")
	}
	return ss.checkUpdates(in.table, sqlparser.UpdateExprs(parsed.OnDup), "ON DUPLICATE KEY UPDATE")
}

// insertSet rewrites INSERT … SET into the VALUES form.
func (ss *session) insertSet(t *text) (*sqltypes.Result, error) {
	stmt, err := ss.server.parser.Parse(t.sql)
	if err != nil {
		return nil, syntaxError(err.Error())
	}
	again, err := scan(sqlparser.String(stmt))
	if err != nil {
		return nil, err
	}
	return ss.insert(again, hints{shard: -1})
}

// insertSelect passes INSERT … SELECT between unsharded tables to shard 0.
func (ss *session) insertSelect(in *insertion) (*sqltypes.Result, error) {
	stmt, err := ss.server.parser.Parse(in.sql)
	if err != nil {
		return nil, syntaxError(err.Error())
	}
	tables, schema, err := ss.tablesOf(stmt)
	if err != nil {
		return nil, err
	}
	for _, t := range tables {
		if t.Kind == sharded {
			return nil, unsupported("INSERT … SELECT from a sharded table")
		}
	}
	results, err := ss.write(schema, []call{{0, in.sql}})
	if err != nil {
		return nil, err
	}
	return results[0], nil
}
