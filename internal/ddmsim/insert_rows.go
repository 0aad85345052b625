package ddmsim

import (
	"strconv"
	"strings"
)

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
	if row.close == row.open+1 && len(in.columns) == 0 {
		return nil
	}
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
