package dialect

import (
	"slices"
	"strconv"

	"shardlift/internal/row"
	"shardlift/internal/table"
)

// Delete returns statements that delete exactly the rows with the identities of
// the given rows. Rows with NULL in the shard key are found by IS NULL.
//
// One-column identities become `pk IN (…)`. Longer ones become OR chains, never
// `pk IN (1,2) AND shard_key IN (7,8)`: that would delete (1,8) as well, which
// may be another row's legitimate place. Neighbours that differ in one column
// only share a link: `(shard_key = 7 AND pk IN (1,2))`. Where the shard key has one
// column, its values come first as an IN list, which every router understands.
func (d *Dialect) Delete(m *Mapping, rows []row.Row) []Statement {
	return d.deleteIn(m, rows, m.Identity, false, m.name)
}

// deleteIn deletes the rows of a table that equal one of rows in all the given
// columns. In a unique index NULL equals nothing: skipNull leaves such rows out.
func (d *Dialect) deleteIn(m *Mapping, rows []row.Row, columns []int, skipNull bool, name []byte) []Statement {
	c := newChain(d.features, columns, m.ShardKey, m.keyNames, m.keyForms)
	c.head = appendAll(nil, []byte("DELETE FROM "), name, []byte(" WHERE "))
	for _, r := range rows {
		if skipNull && slices.ContainsFunc(columns, func(i int) bool { return r[i] == nil }) {
			continue
		}
		c.add(r)
	}
	return c.finish()
}

// DeleteRange returns the statement that deletes a key range on all shards; with
// Features.DeleteRows it takes so many rows at a time.
func (d *Dialect) DeleteRange(m *Mapping, r table.KeyRange) Statement {
	sql := appendAll(nil, []byte("DELETE FROM "), m.name)
	if condition := m.RangeCondition(nil, r); len(condition) > 0 {
		sql = appendAll(sql, []byte(" WHERE "), condition)
	}
	if d.features.DeleteRows > 0 {
		sql = strconv.AppendInt(append(sql, " LIMIT "...), int64(d.features.DeleteRows), 10)
	}
	return Statement{SQL: string(sql)}
}

// KeyConditions returns conditions on the destination's columns that find the
// rows with the primary keys of the given rows, wherever they are.
func (d *Dialect) KeyConditions(m *Mapping, rows []row.Row) []string {
	return conditions(newChain(d.features, m.Primary, nil, m.keyNames, m.keyForms), rows)
}

// KeyConditions returns conditions that find the given rows in their own table
// by a key's columns, each with at most maxFactors columns and scalars.
func KeyConditions(t *table.Table, key []int, rows []row.Row, maxFactors int) []string {
	names, forms := map[int][]byte{}, map[int]form{}
	for _, c := range key {
		names[c], forms[c] = appendName(nil, t.Columns[c].Name), formOf(&t.Columns[c], &t.Columns[c])
	}
	limits := Features{MaxStatementBytes: statementBytes, MaxFactors: maxFactors}
	return conditions(newChain(limits, key, nil, names, forms), rows)
}

func conditions(c *chain, rows []row.Row) []string {
	for _, r := range rows {
		c.add(r)
	}
	var out []string
	for _, s := range c.finish() {
		out = append(out, s.SQL)
	}
	return out
}
