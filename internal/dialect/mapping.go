package dialect

import (
	"slices"
	"strings"

	"shardlift/internal/fault"
	"shardlift/internal/row"
	"shardlift/internal/table"
)

// Pair is a column that is written: its ordinals on both sides.
type Pair struct{ Source, Destination int }

// Mapping joins a source table with its destination. All ordinals are of the
// source's columns unless said otherwise. It is immutable and safe for
// concurrent use.
type Mapping struct {
	Source, Destination *table.Table
	Placement           table.Placement
	// Pairs are the columns that are written, in the destination's order.
	Pairs []Pair
	// Primary is the source's primary key.
	Primary []int
	// ShardKey are the columns that route a row; nil for tables that are not sharded.
	ShardKey []int
	// Identity is the primary key plus the shard key's columns, each once: what
	// names one row on the destination.
	Identity []int
	// Unique has the columns of every unique index of either side, the source's
	// primary key first. A prefix counts as its whole column, an expression as
	// all columns, so the lists are never too short for conflict detection.
	Unique [][]int
	// SecondaryUnique says whether a unique index besides the primary key exists on either side.
	SecondaryUnique bool
	// Rewrite says that a row that changes has to be deleted and inserted: an
	// upsert names no column of the identity, and so the destination would set
	// one that has ON UPDATE CURRENT_TIMESTAMP by itself.
	Rewrite bool

	// columns and forms belong to Pairs.
	columns [][]byte
	forms   []form
	// keyForms and keyNames belong to source ordinals that conditions may name.
	keyForms map[int]form
	keyNames map[int][]byte
	name     []byte // destination table, quoted
	list     []byte // (`a`,`b`)
	aliased  []byte // `c`=new.`c`,… without primary and shard key
	values   []byte // `c`=VALUES(`c`),…
	changes  []canonicalChange
	// zeroAsText is 1 + the pair whose number 0 is written as a text, 0 for none.
	zeroAsText int
}

// NewMapping joins two tables by column names, without regard to case. The
// error is a fault that names the table and column that do not fit.
func NewMapping(src, dst *table.Table, p table.Placement) (*Mapping, error) {
	m := &Mapping{Source: src, Destination: dst, Placement: p}
	if err := m.pairColumns(); err != nil {
		return nil, err
	}
	if err := m.findKeys(); err != nil {
		return nil, err
	}
	if err := m.findCanonicalChanges(); err != nil {
		return nil, err
	}
	m.prepareText()
	return m, nil
}

func (m *Mapping) pairColumns() error {
	for i := range m.Destination.Columns {
		to := &m.Destination.Columns[i]
		if !to.Writable() {
			continue
		}
		s := m.Source.Column(to.Name)
		if s < 0 {
			if to.Nullable || to.HasDefault || to.AutoIncrement {
				continue
			}
			return fault.ColumnNeedsValue.New(objectOf(m.Destination, to), "")
		}
		if err := fits(m.Destination, to, &m.Source.Columns[s]); err != nil {
			return err
		}
		m.Pairs = append(m.Pairs, Pair{Source: s, Destination: i})
	}
	for i := range m.Source.Columns {
		from := &m.Source.Columns[i]
		if from.Writable() && m.Destination.Column(from.Name) < 0 {
			return fault.ColumnMissing.New(objectOf(m.Destination, from), "")
		}
		if d := m.Destination.Column(from.Name); from.Writable() && !m.Destination.Columns[d].Writable() {
			return fault.ColumnMismatch.New(objectOf(m.Destination, from), "the destination computes it, the source does not")
		}
	}
	return nil
}

func objectOf(t *table.Table, c *table.Column) string { return t.Name.String() + "." + c.Name }

// fits refuses pairs of columns whose canonical bytes could not be the same,
// and those whose values the destination would change without a word.
func fits(t *table.Table, to, from *table.Column) error {
	if from.Type == table.TypeUnknown {
		return fault.ColumnMismatch.New(objectOf(t, to), "type %s is not supported", from.SQLType)
	}
	if to.Type != from.Type && !interchangeable(to.Type, from.Type) || otherWidth(to, from) {
		return fault.ColumnMismatch.New(objectOf(t, to), "source has %s, destination has %s", from.SQLType, to.SQLType)
	}
	if why := changesSilently(to, from); why != "" {
		return fault.ColumnMismatch.New(objectOf(t, to), "source has %s, destination has %s, which %s", from.SQLType, to.SQLType, why)
	}
	return nil
}

func otherWidth(to, from *table.Column) bool {
	switch from.Type {
	case table.TypeDecimal:
		return to.Scale != from.Scale
	case table.TypeBit:
		return to.Bits != from.Bits
	case table.TypeTime, table.TypeDateTime, table.TypeTimestamp:
		return to.Fraction != from.Fraction
	case table.TypeFixedBinary, table.TypeBinary: // the destination would pad with zeros
		return to.Type == table.TypeFixedBinary && (from.Type != to.Type || from.Length != to.Length)
	default:
		return false
	}
}

// changesSilently says what the destination would do with some values, strict
// mode or not.
func changesSilently(to, from *table.Column) string {
	switch {
	case from.Nullable && !to.Nullable && to.Type == table.TypeTimestamp:
		return "stores the present time for NULL"
	case from.Nullable && !to.Nullable && to.AutoIncrement:
		return "stores a new number for NULL"
	case isChar(to) && !isChar(from) && from.Type == table.TypeText:
		return "drops trailing spaces"
	case (from.Type == table.TypeFloat || from.Type == table.TypeDouble) && to.Precision > 0 && (to.Precision != from.Precision || to.Scale != from.Scale):
		return "rounds"
	default:
		return ""
	}
}

func isChar(c *table.Column) bool {
	return c.Type == table.TypeText && strings.HasPrefix(strings.ToLower(c.SQLType), "char")
}

// interchangeable: MariaDB's JSON is a text, and keeps what it is given; a JSON
// column that is given a text writes it in a form of its own.
func interchangeable(to, from table.Type) bool {
	switch from {
	case table.TypeJSON:
		return to == table.TypeText
	case table.TypeFixedBinary, table.TypeBinary:
		return to == table.TypeFixedBinary || to == table.TypeBinary
	default:
		return false
	}
}

// findKeys sets the key fields from both sides' indexes and the placement.
func (m *Mapping) findKeys() error {
	primary, there := m.Source.Primary(), m.Destination.Primary()
	if primary == nil {
		return fault.NoPrimaryKey.New(m.Source.Name.String(), "")
	}
	if there == nil {
		return fault.NoPrimaryKey.New(m.Destination.Name.String(), "")
	}
	m.Primary = primary.Columns()
	for _, name := range m.Placement.ShardColumns() {
		s := m.Source.Column(name)
		if s < 0 || !m.writes(s) {
			return fault.ShardKeyMissing.New(m.Destination.Name.String()+"."+name, "")
		}
		m.ShardKey = append(m.ShardKey, s)
	}
	m.Identity = slices.Clone(m.Primary)
	for _, s := range m.ShardKey {
		if !slices.Contains(m.Identity, s) {
			m.Identity = append(m.Identity, s)
		}
	}
	for _, c := range m.Identity {
		if err := nameable(m.Source, &m.Source.Columns[c]); err != nil {
			return err
		}
	}
	if err := m.checkPrimary(m.sourceColumns(there)); err != nil {
		return err
	}
	m.Rewrite = slices.ContainsFunc(m.Pairs, func(p Pair) bool {
		return slices.Contains(m.Identity, p.Source) && m.Destination.Columns[p.Destination].AutoUpdate
	})
	m.addUnique(m.Primary)
	for _, k := range m.Source.SecondaryUnique() {
		m.SecondaryUnique = true
		m.addUnique(uniqueColumns(k, m.Source.Columns))
	}
	for _, k := range m.Destination.Keys {
		if !k.Unique {
			continue
		}
		m.SecondaryUnique = m.SecondaryUnique || k.Name != table.PrimaryName
		m.addUnique(m.sourceColumns(&k))
	}
	return nil
}

// doubleBits is how many bits of a SET survive its comparison with a number,
// which servers do as doubles (measured on all six).
const doubleBits = 53

// nameable refuses key columns whose values a condition cannot name exactly.
func nameable(t *table.Table, c *table.Column) error {
	switch {
	case c.Type == table.TypeSet && len(c.Labels) > doubleBits:
		return fault.ColumnMismatch.New(objectOf(t, c), "a SET of more than %d labels cannot be part of a key", doubleBits)
	case c.Type == table.TypeJSON, c.Type == table.TypeGeometry, c.Type == table.TypeVector:
		return fault.ColumnMismatch.New(objectOf(t, c), "type %s cannot be part of a key", c.SQLType)
	default:
		return nil
	}
}

// checkPrimary makes sure that rows with different primary keys never meet on
// the destination, and that rows of one identity always do.
func (m *Mapping) checkPrimary(there []int) error {
	for _, c := range m.Primary {
		if !m.writes(c) || !slices.Contains(there, c) {
			return fault.KeyMismatch.New(m.Destination.Name.String(), "the destination's key lacks column %s", m.Source.Columns[c].Name)
		}
	}
	for _, c := range there {
		if !slices.Contains(m.Identity, c) {
			return fault.KeyMismatch.New(m.Destination.Name.String(),
				"the destination's key has column %s, which is in neither the source's key nor the sharding key", m.Source.Columns[c].Name)
		}
	}
	return nil
}

func (m *Mapping) writes(source int) bool {
	return slices.ContainsFunc(m.Pairs, func(p Pair) bool { return p.Source == source })
}

func (m *Mapping) addUnique(columns []int) {
	for _, u := range m.Unique {
		if slices.Equal(u, columns) {
			return
		}
	}
	if len(columns) > 0 {
		m.Unique = append(m.Unique, columns)
	}
}

// sourceColumns translates the columns of a destination's unique index. A
// column that the source lacks has one value in every row we write, so the
// others decide; one that the destination computes may depend on any column.
func (m *Mapping) sourceColumns(k *table.Key) []int {
	var out []int
	for _, part := range k.Parts {
		if part.Column < 0 || !m.Destination.Columns[part.Column].Writable() {
			return allColumns(len(m.Source.Columns))
		}
		if s := m.Source.Column(m.Destination.Columns[part.Column].Name); s >= 0 {
			out = append(out, s)
		}
	}
	return out
}

// uniqueColumns are those that decide about a source's unique index: all for
// expressions, and for virtual columns, which an image may lack.
func uniqueColumns(k table.Key, columns []table.Column) []int {
	for _, part := range k.Parts {
		if part.Column < 0 || columns[part.Column].Generated == table.GeneratedVirtual {
			return allColumns(len(columns))
		}
	}
	return k.Columns()
}

func allColumns(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// prepareText builds the parts of statements that do not depend on rows.
func (m *Mapping) prepareText() {
	m.name = appendName(nil, m.Destination.Name.Schema, m.Destination.Name.Table)
	m.keyForms, m.keyNames = map[int]form{}, map[int][]byte{}
	m.list = append(m.list, '(')
	for i, p := range m.Pairs {
		from, to := &m.Source.Columns[p.Source], &m.Destination.Columns[p.Destination]
		name := appendName(nil, to.Name)
		f := formOf(to, from)
		m.columns, m.forms = append(m.columns, name), append(m.forms, f)
		m.keyForms[p.Source], m.keyNames[p.Source] = f, name
		if m.Placement.ZeroAsText && to.AutoIncrement {
			m.zeroAsText = i + 1
		}
		if i > 0 {
			m.list = append(m.list, ',')
		}
		m.list = append(m.list, name...)
		if slices.Contains(m.Identity, p.Source) {
			continue
		}
		if len(m.values) > 0 {
			m.values, m.aliased = append(m.values, ','), append(m.aliased, ',')
		}
		m.values = appendAll(m.values, name, []byte("=VALUES("), name, []byte(")"))
		m.aliased = appendAll(m.aliased, name, []byte("=new."), name)
	}
	m.list = append(m.list, ')')
}

func appendAll(dst []byte, parts ...[]byte) []byte {
	for _, p := range parts {
		dst = append(dst, p...)
	}
	return dst
}

// labelIndex finds a label as the server compares labels: trailing spaces do
// not count; case does here, so that 'a' never becomes 'A' silently.
func labelIndex(labels []string, label string) int {
	return slices.IndexFunc(labels, func(l string) bool {
		return strings.TrimRight(l, " ") == strings.TrimRight(label, " ")
	})
}

// Canonical returns the row as the destination stores it: fractions of DATETIME
// and TIMESTAMP shard keys are dropped (D-39), ordinals of ENUM and SET become
// those of the destination's labels. It returns r itself when nothing changes,
// nil for nil.
func (m *Mapping) Canonical(r row.Row) row.Row {
	if r == nil || len(m.changes) == 0 {
		return r
	}
	var out row.Row
	for i := range m.changes {
		c := &m.changes[i]
		v := r[c.column]
		if v == nil {
			continue
		}
		changed := c.apply(v)
		if string(changed) == string(v) {
			continue
		}
		if out == nil {
			out = slices.Clone(r)
		}
		out[c.column] = changed
	}
	if out == nil {
		return r
	}
	return out
}
