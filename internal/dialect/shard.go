package dialect

import (
	"bytes"
	"hash/crc32"
	"math"
	"strconv"
	"strings"

	"shardlift/internal/row"
	"shardlift/internal/table"
)

// Shard returns the physical database shard (0 … Shards−1) that holds the row,
// by the formulas of DDM's manual (drs.md 8.8). ok is false where the manual
// leaves the case open (negative numbers, a negative hashCode, text beyond
// ASCII) or the rule is unknown, and for broadcast tables, which are on all
// shards: the statement then goes ungrouped. Statements stay logical, so a wrong
// rule costs speed, never a row.
func (d *Dialect) Shard(m *Mapping, r row.Row) (shard int, ok bool) {
	p := &m.Placement
	switch {
	case p.Kind == table.Broadcast:
		return 0, false
	case p.Kind != table.Sharded:
		return 0, true
	case p.Database.Column == "" || len(m.ShardKey) == 0:
		return 0, false
	}
	column := m.ShardKey[0] // ShardColumns lists the database's column first
	if r[column] == nil {
		return 0, knownAlgorithm(p.Database.Algorithm) // D-31
	}
	shard, ok = databaseShard(p, &m.Source.Columns[column], r[column])
	return shard, ok && shard >= 0 && shard < max(p.Shards, 1)
}

// ByShard groups rows by physical shard, each group in the rows' order; a single
// group when one row's shard is unknown.
func (d *Dialect) ByShard(m *Mapping, rows []row.Row) [][]row.Row {
	if m.Placement.Kind != table.Sharded || len(rows) == 0 {
		return [][]row.Row{rows}
	}
	groups := make([][]row.Row, max(m.Placement.Shards, 1))
	for _, r := range rows {
		shard, ok := d.Shard(m, r)
		if !ok {
			return [][]row.Row{rows}
		}
		groups[shard] = append(groups[shard], r)
	}
	out := groups[:0]
	for _, g := range groups {
		if len(g) > 0 {
			out = append(out, g)
		}
	}
	return out
}

// knownAlgorithm says whether DDM has the algorithm for database sharding.
func knownAlgorithm(name string) bool {
	switch name {
	case "HASH", "MOD_HASH", "MOD_HASH_CI", "RIGHT_SHIFT", "RANGE", "YYYYMM", "YYYYDD", "YYYYWEEK":
		return true
	default:
		return false
	}
}

// hashSpace is the number of slots of HASH, cut into equal ranges.
const hashSpace = 102400

// databaseShard applies the database's rule. D is the number of database
// shards, T the tables in each; with the same rule on both levels the tables are
// numbered through and T of them in a row share a database.
func databaseShard(p *table.Placement, c *table.Column, v row.Value) (int, bool) {
	rule := &p.Database
	shards := uint64(max(rule.Count, 0))
	if shards == 0 {
		shards = uint64(max(p.Shards, 1))
	}
	tables := uint64(1)
	if sameRule(p) {
		tables = uint64(max(p.Table.Count, 1))
	}
	numbered := func(n uint64, ok bool) (int, bool) { return int(n % (shards * tables) / tables), ok }
	if strings.HasPrefix(rule.Algorithm, VitessRule) {
		return vitessShard(rule, c, v)
	}
	switch rule.Algorithm {
	case "HASH":
		text, ok := hashedText(rule, c, v)
		slot := uint64(crc32.ChecksumIEEE(text)) % hashSpace
		return int(slot / (hashSpace / shards)), ok && hashSpace%shards == 0
	case "MOD_HASH":
		return numbered(modHash(c, v, false))
	case "MOD_HASH_CI":
		return numbered(modHash(c, v, true))
	case "RIGHT_SHIFT":
		n, ok := wholeNumber(c, v)
		if c.Type != table.TypeInt || rule.Offset < 0 || rule.Offset > 62 {
			return 0, false
		}
		return int(n >> rule.Offset % shards), ok // both formulas put w mod D into the database
	case "RANGE":
		return rangeShard(rule, c, v)
	case "YYYYMM", "YYYYDD", "YYYYWEEK":
		return numbered(dateNumber(rule.Algorithm, c, v))
	default:
		return 0, false
	}
}

// sameRule says whether both levels shard by the same algorithm and column.
func sameRule(p *table.Placement) bool {
	a, b := &p.Database, &p.Table
	return a.Algorithm == b.Algorithm && strings.EqualFold(a.Column, b.Column) &&
		strings.EqualFold(a.Function, b.Function) && a.Offset == b.Offset
}

// hashedText is the text whose CRC32 HASH takes.
func hashedText(rule *table.Rule, c *table.Column, v row.Value) ([]byte, bool) {
	if rule.Function != "" {
		n, ok := dateFunction(rule.Function, c, v)
		return strconv.AppendUint(nil, n, 10), ok
	}
	if c.Type == table.TypeText {
		return v, plainText(c, v)
	}
	_, ok := wholeNumber(c, v)
	return v, ok
}

// modHash is the value itself, or Java's String.hashCode of a text.
func modHash(c *table.Column, v row.Value, upper bool) (uint64, bool) {
	if c.Type != table.TypeText {
		return wholeNumber(c, v)
	}
	if upper {
		v = bytes.ToUpper(v)
	}
	hash := int32(0)
	for _, b := range v {
		hash = 31*hash + int32(b)
	}
	return uint64(max(hash, 0)), hash >= 0 && plainText(c, v)
}

// plainText says whether the bytes are ASCII characters, which are the same in
// every encoding that the middleware may hash.
func plainText(c *table.Column, v row.Value) bool {
	if !asciiCompatible[charsetOf(c)] {
		return false
	}
	for _, b := range v {
		if b >= 0x80 {
			return false
		}
	}
	return true
}

// wholeNumber reads an integer or DECIMAL(p,0) that is neither negative nor
// beyond Java's long.
func wholeNumber(c *table.Column, v row.Value) (uint64, bool) {
	if c.Type != table.TypeInt && (c.Type != table.TypeDecimal || c.Scale != 0) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(v), 10, 64)
	return n, err == nil && n <= math.MaxInt64
}

// rangeShard looks a number up in a list such as `{1-2=0, 3-4=1, default=7}`;
// both ends of a range belong to it.
func rangeShard(rule *table.Rule, c *table.Column, v row.Value) (int, bool) {
	n, ok := wholeNumber(c, v)
	if rule.Function != "" {
		n, ok = dateFunction(rule.Function, c, v)
	}
	if !ok {
		return 0, false
	}
	list := strings.Trim(strings.TrimSpace(rule.Ranges), "{}()")
	fallback, found := 0, false
	for entry := range strings.SplitSeq(list, ",") {
		bounds, shard, valid := strings.Cut(strings.TrimSpace(entry), "=")
		number, err := strconv.Atoi(strings.TrimSpace(shard))
		if !valid || err != nil {
			return 0, false
		}
		bounds = strings.TrimSpace(bounds)
		if strings.EqualFold(bounds, "default") {
			fallback, found = number, true
			continue
		}
		low, high, valid := strings.Cut(bounds, "-")
		from, errLow := strconv.ParseUint(strings.TrimSpace(low), 10, 64)
		to, errHigh := strconv.ParseUint(strings.TrimSpace(high), 10, 64)
		if !valid || errLow != nil || errHigh != nil {
			return 0, false
		}
		if n >= from && n <= to {
			return number, true
		}
	}
	return fallback, found
}
