package dialect

import (
	"bytes"
	"cmp"
	"crypto/des"
	"encoding/binary"
	"encoding/hex"
	mathbits "math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"

	"shardlift/internal/row"
	"shardlift/internal/table"
)

// VitessRule begins the Algorithm of a Vitess table's rule; the vindex's type
// follows in capitals. Rule.Ranges then lists the keyspace's shards by name,
// sorted and with commas ("-80,80-"): a shard's number is its place there.
const VitessRule = "VITESS_"

// VitessUnroutable is the Algorithm of a table in a sharded keyspace that has
// no primary vindex, or that vtgate writes to in no way (reference tables).
const VitessUnroutable = VitessRule + "NONE"

// SortShards sorts names of shards by where their key ranges start.
func SortShards(names []string) {
	slices.SortFunc(names, func(a, b string) int {
		low := func(name string) string { start, _, _ := strings.Cut(name, "-"); return start }
		return cmp.Or(cmp.Compare(low(a), low(b)), cmp.Compare(a, b))
	})
}

// ShardTarget names one shard of a Vitess keyspace for USE and for DELETE
// ("shop:-80"), empty for other products and for shards that do not exist.
func (d *Dialect) ShardTarget(p *table.Placement, schema string, shard int) string {
	names := strings.Split(p.Database.Ranges, ",")
	if d.kind != Vitess || p.Kind != table.Sharded || shard < 0 || shard >= len(names) {
		return ""
	}
	return schema + ":" + names[shard]
}

// vitessShard computes the shard of a value that the vindex maps for certain:
// whole numbers from 0 to the largest BIGINT, and for xxhash and binary also
// text that is UTF-8 on both sides and binary strings.
func vitessShard(rule *table.Rule, c *table.Column, v row.Value) (int, bool) {
	id, ok := keyspaceID(strings.TrimPrefix(rule.Algorithm, VitessRule), c, v)
	if !ok {
		return 0, false
	}
	for i, name := range strings.Split(rule.Ranges, ",") {
		from, to, ok := strings.Cut(name, "-")
		if !ok {
			return 0, name == "0"
		}
		low, err := hex.DecodeString(from)
		high, err2 := hex.DecodeString(to)
		if err != nil || err2 != nil {
			return 0, false
		}
		if bytes.Compare(id, low) >= 0 && (to == "" || bytes.Compare(id, high) < 0) {
			return i, true
		}
	}
	return 0, false
}

func keyspaceID(vindex string, c *table.Column, v row.Value) ([]byte, bool) {
	switch vindex {
	case "XXHASH":
		return binary.LittleEndian.AppendUint64(nil, xxhash.Sum64(v)), hashesBytes(c, v)
	case "BINARY":
		return v, hashesBytes(c, v)
	}
	n, err := strconv.ParseUint(string(v), 10, 63)
	if err != nil || c.Type != table.TypeInt {
		return nil, false
	}
	id := binary.BigEndian.AppendUint64(nil, n)
	switch vindex {
	case "HASH":
		block, err := des.NewTripleDESCipher(make([]byte, 24))
		if err != nil {
			return nil, false
		}
		block.Encrypt(id, id)
		return id, true
	case "NUMERIC":
		return id, true
	case "REVERSE_BITS":
		return binary.BigEndian.AppendUint64(nil, mathbits.Reverse64(n)), true
	default:
		return nil, false
	}
}

// hashesBytes says whether vtgate hashes the very bytes of a canonical value.
func hashesBytes(c *table.Column, v row.Value) bool {
	switch c.Type {
	case table.TypeInt:
		return len(v) > 0 && v[0] != '-'
	case table.TypeText:
		charset := charsetOf(c)
		return charset == "utf8mb4" || charset == "utf8mb3" || charset == "ascii"
	case table.TypeBinary:
		return true
	default:
		return false
	}
}

// deleteInsert is what stands for REPLACE on a sharded keyspace of Vitess: rows
// are deleted by identity; those that share a value of a unique index, on the
// same shard, as REPLACE does it; then the rows are inserted. When the shard of
// a row is not known, other shards' rows with the value go too.
func (d *Dialect) deleteInsert(m *Mapping, rows []row.Row) []Statement {
	out := d.Delete(m, rows)
	name := appendName(nil, cmp.Or(d.commonTarget(m, rows), m.Destination.Name.Schema), m.Destination.Name.Table)
	for _, unique := range m.Unique {
		if !slices.Equal(unique, m.Identity) && d.canName(m, unique) {
			out = append(out, d.deleteIn(m, rows, unique, true, name)...)
		}
	}
	return append(out, d.Insert(m, rows)...)
}

// canName says whether conditions may name the columns of a unique index; those
// of one with an expression count as all columns, some of which they may not.
func (d *Dialect) canName(m *Mapping, columns []int) bool {
	return !slices.ContainsFunc(columns, func(c int) bool {
		return m.keyNames[c] == nil || nameable(m.Source, &m.Source.Columns[c]) != nil
	})
}

// commonTarget names the shard that all rows belong to, empty when there is no
// such shard or it is not known.
func (d *Dialect) commonTarget(m *Mapping, rows []row.Row) string {
	common := -1
	for _, r := range rows {
		shard, ok := d.Shard(m, r)
		if !ok || common >= 0 && shard != common {
			return ""
		}
		common = shard
	}
	return d.ShardTarget(&m.Placement, m.Destination.Name.Schema, common)
}
