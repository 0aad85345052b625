package dialect

import (
	"bytes"
	"slices"
	"strconv"

	"shardlift/internal/fault"
	"shardlift/internal/row"
	"shardlift/internal/table"
)

// canonicalChange is what the destination makes of one column's values.
type canonicalChange struct {
	column int
	// ordinals maps ordinal (ENUM) or bit number + 1 (SET) of the source to the
	// destination's; nil: the fraction is dropped.
	ordinals []int
	set      bool
}

func (m *Mapping) findCanonicalChanges() error {
	for _, p := range m.Pairs {
		from, to := &m.Source.Columns[p.Source], &m.Destination.Columns[p.Destination]
		switch from.Type {
		case table.TypeEnum, table.TypeSet:
			if slices.Equal(from.Labels, to.Labels) {
				continue
			}
			if slices.Contains(m.Primary, p.Source) {
				return fault.KeyMismatch.New(objectOf(m.Destination, to), "the labels of a key column differ, and with them the order of rows")
			}
			ordinals := make([]int, len(from.Labels)+1)
			for i, label := range from.Labels {
				at := labelIndex(to.Labels, label)
				if at < 0 {
					return fault.LabelMissing.New(objectOf(m.Destination, to), "label number %d of the source", i+1)
				}
				ordinals[i+1] = at + 1
			}
			m.changes = append(m.changes, canonicalChange{column: p.Source, ordinals: ordinals, set: from.Type == table.TypeSet})
		case table.TypeDateTime, table.TypeTimestamp:
			if from.Fraction > 0 && slices.Contains(m.ShardKey, p.Source) && m.dropsFractions() {
				if slices.Contains(m.Primary, p.Source) {
					return fault.KeyMismatch.New(objectOf(m.Destination, to), "the destination drops fractions of a second of its sharding key, so that rows would replace each other")
				}
				m.changes = append(m.changes, canonicalChange{column: p.Source})
			}
		default:
		}
	}
	return nil
}

// dropsFractions says whether the placement is DDM's.
func (m *Mapping) dropsFractions() bool {
	return knownAlgorithm(m.Placement.Database.Algorithm) || knownAlgorithm(m.Placement.Table.Algorithm)
}

func (c *canonicalChange) apply(v row.Value) row.Value {
	if c.ordinals == nil {
		return withoutFraction(v)
	}
	n, err := strconv.ParseUint(string(v), 10, 64)
	if err != nil {
		return v
	}
	if !c.set {
		if n >= uint64(len(c.ordinals)) {
			return v // no such label: the server will refuse it
		}
		return strconv.AppendInt(nil, int64(c.ordinals[n]), 10)
	}
	mapped := uint64(0)
	for bit := range len(c.ordinals) - 1 {
		if n&(1<<bit) != 0 {
			mapped |= 1 << (c.ordinals[bit+1] - 1)
		}
	}
	return strconv.AppendUint(nil, mapped, 10)
}

// withoutFraction sets the digits after the point to zero: the column keeps its
// number of digits.
func withoutFraction(v row.Value) row.Value {
	point := bytes.IndexByte(v, '.')
	if point < 0 || len(bytes.Trim(v[point+1:], "0")) == 0 {
		return v
	}
	out := bytes.Clone(v)
	for i := point + 1; i < len(out); i++ {
		out[i] = '0'
	}
	return out
}
