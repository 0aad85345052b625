package ddmsim

import (
	"fmt"
	"strconv"
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
		if in.table.Kind == broadcast && i > 0 {
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

// readRows looks at the watched values of each row.
func (ss *session) readRows(in *insertion) error {
	for r := range in.rows {
		if err := ss.readRow(in, &in.rows[r]); err != nil {
			return err
		}
	}
	return nil
}

func (ss *session) readRow(in *insertion, row *insertRow) error {
	position, start, depth := 0, row.open+1, 0
	for i := row.open + 1; i <= row.close; i++ {
		k := in.tok[i].kind
		if k == tokWord && in.at(i, "SELECT") && in.at(i-1, "(") {
			return unsupported("a subquery as a value")
		}
		if k == tokSymbol {
			switch in.sql[in.tok[i].start] {
			case '(':
				depth++
			case ')':
				depth--
			case '-':
				if in.table.Kind != single && (in.at(i, "->") || in.at(i, "->>")) {
					return refuse("D-20", "-> and ->> work on unsharded tables only")
				}
			}
		}
		if i != row.close && (depth > 0 || k != tokSymbol || !in.at(i, ",")) {
			continue
		}
		if i == row.close && i == start && position == 0 && len(in.columns) != 0 {
			return sqlError(1136, "21S01", "Column count doesn't match value count")
		}
		if position < len(in.watched) && in.watched[position] {
			if err := ss.readValue(in, row, position, start, i); err != nil {
				return err
			}
		}
		position, start = position+1, i+1
	}
	if position != len(in.columns) {
		return sqlError(1136, "21S01", "Column count doesn't match value count")
	}
	return nil
}

func (ss *session) readValue(in *insertion, row *insertRow, position, from, to int) error {
	col := &in.table.Columns[in.columns[position]]
	v := in.literalAt(from, to)
	if err := ss.checkAssigned(col, v); err != nil {
		return err
	}
	if position != in.dbAt && position != in.tbAt {
		return nil
	}
	if v.kind == litDefault {
		return refuse("D-30", "DEFAULT for the sharding key %s is not supported", col.Name)
	}
	if v.kind == litOther {
		return refuse("D-30", "the sharding key %s must be a constant", col.Name)
	}
	if v.kind == litText && (col.Type == "datetime" || col.Type == "timestamp") {
		if cut, dropped := withoutFraction(v.text); dropped {
			row.edits = append(row.edits, edit{from, to, quoteText(cut)}) // D-39
		}
	}
	return nil
}

// fillSequence draws ids for the rows that leave the AUTO_INCREMENT column
// out, or give NULL, DEFAULT or 0 (unless NO_AUTO_VALUE_ON_ZERO).
func (ss *session) fillSequence(in *insertion) error {
	if in.auto < 0 && !in.addAuto {
		return nil
	}
	zeroKept := strings.Contains(strings.ToUpper(ss.vars["sql_mode"]), "NO_AUTO_VALUE_ON_ZERO")
	var need []int
	for r := range in.rows {
		if in.addAuto {
			need = append(need, r)
			continue
		}
		v, _, _ := in.value(&in.rows[r], in.auto)
		n, isNumber := v.integer()
		if v.kind == litNull || v.kind == litDefault || isNumber && n.Sign() == 0 && !zeroKept {
			need = append(need, r)
		} else if isNumber && n.IsUint64() {
			in.explicit = max(in.explicit, n.Uint64())
		}
	}
	if len(need) == 0 {
		return nil
	}
	first, err := ss.server.sequences.next(ss.ctx, in.table.Schema, in.table.Name, uint64(len(need)))
	if err != nil {
		return err
	}
	in.firstID = first
	for n, r := range need {
		row, id := &in.rows[r], strconv.FormatUint(first+uint64(n), 10)
		if in.addAuto {
			if row.close > row.open+1 {
				id = "," + id
			}
			row.edits = append(row.edits, edit{row.close, row.close, id})
			continue
		}
		_, from, to := in.value(row, in.auto)
		row.edits = append(row.edits, edit{from, to, id})
	}
	return nil
}

// value finds the tokens of a row's value and its constant.
func (in *insertion) value(row *insertRow, position int) (literal, int, int) {
	depth, p, start := 0, 0, row.open+1
	for i := row.open + 1; i <= row.close; i++ {
		if in.tok[i].kind == tokSymbol {
			switch in.sql[in.tok[i].start] {
			case '(':
				depth++
			case ')':
				depth--
			}
		}
		if i != row.close && (depth > 0 || !in.at(i, ",")) {
			continue
		}
		if p == position {
			return in.literalAt(start, i), start, i
		}
		p, start = p+1, i+1
	}
	return literal{}, start, start
}

// routeRows computes each row's shard and physical table.
func (ss *session) routeRows(in *insertion) error {
	t := in.table
	if t.Kind != sharded {
		return nil
	}
	for r := range in.rows {
		row := &in.rows[r]
		db, tb := in.routeKey(row, in.dbAt), literal{}
		if t.TB != nil {
			tb = in.routeKey(row, in.tbAt)
		}
		row.db, row.tb = places(t.DB, t.TB, t.Shards, t.perShard(), db, tb)
	}
	return nil
}

// routeKey is the key as it will be stored: with a drawn id in place.
func (in *insertion) routeKey(row *insertRow, position int) literal {
	var v literal
	from := row.close
	if position >= 0 {
		v, from, _ = in.value(row, position)
	}
	for _, e := range row.edits {
		if e.from == from && (position < 0 || position == in.auto) {
			return literal{litNumber, strings.TrimPrefix(e.with, ",")}
		}
	}
	return v
}

// calls puts the rows of each physical table together again.
func (in *insertion) calls(h hints) []call {
	t := in.table
	groups := map[target]*strings.Builder{}
	var order []target
	for r := range in.rows {
		row := &in.rows[r]
		var to []target
		switch t.Kind {
		case sharded:
			to = []target{{row.db, t.physical(row.tb)}}
		default:
			to = t.targets()
		}
		if h.shard >= 0 { // the hint overrides the rule
			to = []target{{h.shard, t.physical(row.tb)}}
		}
		for _, at := range to {
			b := groups[at]
			if b == nil {
				b = &strings.Builder{}
				b.Grow(len(in.sql)/max(1, min(len(in.rows), 8)) + 256)
				in.head(b, at.table)
				groups[at] = b
				order = append(order, at)
			} else {
				b.WriteByte(',')
			}
			in.writeRow(b, row)
		}
	}
	out := make([]call, 0, len(order))
	for _, at := range order {
		b := groups[at]
		if in.tail < in.len() {
			b.WriteByte(' ')
			b.WriteString(in.from(in.tail))
		}
		out = append(out, call{at.shard, b.String()})
	}
	return out
}

func (in *insertion) head(b *strings.Builder, table string) {
	b.WriteString(in.before(in.verbEnd))
	b.WriteString(quoteName(table))
	if in.listed || in.addAuto {
		b.WriteByte('(')
		for i, c := range in.columns {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(quoteName(in.table.Columns[c].Name))
		}
		if in.addAuto {
			if len(in.columns) > 0 {
				b.WriteByte(',')
			}
			b.WriteString(quoteName(in.table.auto().Name))
		}
		b.WriteByte(')')
	}
	b.WriteString(" VALUES ")
}

func (in *insertion) writeRow(b *strings.Builder, row *insertRow) {
	at := in.tok[row.open].start
	for _, e := range sortedEdits(row.edits) {
		b.WriteString(in.sql[at:in.tok[e.from].start])
		b.WriteString(e.with)
		at = in.tok[e.from].start
		if e.to > e.from {
			at = in.tok[e.to-1].end
		}
	}
	b.WriteString(in.sql[at:in.tok[row.close].end])
}

func sortedEdits(e []edit) []edit {
	for i := 1; i < len(e); i++ {
		for j := i; j > 0 && e[j].from < e[j-1].from; j-- {
			e[j], e[j-1] = e[j-1], e[j]
		}
	}
	return e
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
