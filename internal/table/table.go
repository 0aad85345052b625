package table

import "strings"

// Name names a base table. Both parts are as the server spells them.
type Name struct {
	Schema string `json:"schema"`
	Table  string `json:"table"`
}

// String prints schema.table for people; it is no SQL.
func (n Name) String() string { return n.Schema + "." + n.Table }

// Compare orders names by schema, then table, bytewise.
func (n Name) Compare(o Name) int {
	if c := strings.Compare(n.Schema, o.Schema); c != 0 {
		return c
	}
	return strings.Compare(n.Table, o.Table)
}

// Type is the family a column's values belong to. It decides the canonical
// bytes of a value (see package row).
type Type uint8

// The families. Enum and Set values are ordinals, never labels.
const (
	TypeUnknown     Type = iota
	TypeInt              // TINYINT … BIGINT, signed or not; Column.Bits says how wide
	TypeDecimal          // DECIMAL, NUMERIC
	TypeFloat            // FLOAT: 32 bits
	TypeDouble           // DOUBLE, REAL: 64 bits
	TypeBit              // BIT(1..64)
	TypeYear             // YEAR
	TypeDate             // DATE
	TypeTime             // TIME(fsp)
	TypeDateTime         // DATETIME(fsp)
	TypeTimestamp        // TIMESTAMP(fsp), UTC
	TypeText             // CHAR, VARCHAR, TEXT family: bytes in the column's character set
	TypeFixedBinary      // BINARY(n): padded with 0x00 to n
	TypeBinary           // VARBINARY, BLOB family
	TypeEnum             // ENUM
	TypeSet              // SET
	TypeJSON             // JSON of MySQL (MariaDB's JSON is TypeText)
	TypeGeometry         // all spatial types: SRID and WKB as stored
	TypeVector           // VECTOR of MySQL 9: packed float32
)

// Generated says whether and how the server computes a column.
type Generated uint8

// The kinds of columns.
const (
	NotGenerated Generated = iota
	GeneratedVirtual
	GeneratedStored
)

// Column describes one column. Columns of a Table stand in ordinal order,
// invisible and generated ones included, because the row image has them all.
type Column struct {
	Name string `json:"name"`
	Type Type   `json:"type"`
	// SQLType is COLUMN_TYPE as the server prints it, e.g. "int(10) unsigned".
	SQLType string `json:"sql_type"`
	// Bits is the width of TypeInt (8, 16, 24, 32, 64) and of TypeBit (1..64).
	Bits     int  `json:"bits,omitempty"`
	Unsigned bool `json:"unsigned,omitempty"`
	Nullable bool `json:"nullable,omitempty"`
	// Length is the declared length: characters of text, bytes of binary types.
	Length int64 `json:"length,omitempty"`
	// Precision and Scale belong to DECIMAL.
	Precision int `json:"precision,omitempty"`
	Scale     int `json:"scale,omitempty"`
	// Fraction is the number of digits of a second, 0..6.
	Fraction int `json:"fraction,omitempty"`
	// Charset and Collation of TypeText, TypeEnum and TypeSet; lower case.
	Charset   string `json:"charset,omitempty"`
	Collation string `json:"collation,omitempty"`
	// Labels of ENUM and SET in order, as UTF-8; ordinal i+1 is Labels[i].
	Labels        []string  `json:"labels,omitempty"`
	Generated     Generated `json:"generated,omitempty"`
	Invisible     bool      `json:"invisible,omitempty"`
	AutoIncrement bool      `json:"auto_increment,omitempty"`
	HasDefault    bool      `json:"has_default,omitempty"`
	// AutoUpdate: ON UPDATE CURRENT_TIMESTAMP, also where an old server implies it.
	AutoUpdate bool `json:"auto_update,omitempty"`
}

// Writable says whether an INSERT may name the column.
func (c Column) Writable() bool { return c.Generated == NotGenerated }

// KeyPart is one part of an index.
type KeyPart struct {
	// Column is the ordinal in Table.Columns, or -1 for an expression.
	Column int `json:"column"`
	// Prefix is the indexed prefix in characters or bytes, 0 for the whole column.
	Prefix int `json:"prefix,omitempty"`
}

// Key is an index.
type Key struct {
	Name   string    `json:"name"`
	Unique bool      `json:"unique,omitempty"`
	Parts  []KeyPart `json:"parts"`
}

// Columns returns the ordinals of the key's columns, expressions left out.
func (k Key) Columns() []int {
	out := make([]int, 0, len(k.Parts))
	for _, p := range k.Parts {
		if p.Column >= 0 {
			out = append(out, p.Column)
		}
	}
	return out
}

// PrimaryName is the name every server gives the primary key.
const PrimaryName = "PRIMARY"

// ForeignKey is a reference of this table to another one.
type ForeignKey struct {
	Name       string `json:"name"`
	Referenced Name   `json:"referenced"`
	OnDelete   string `json:"on_delete"` // RESTRICT, NO ACTION, CASCADE, SET NULL, SET DEFAULT
	OnUpdate   string `json:"on_update"`
}

// Table is the definition of a base table at one moment.
type Table struct {
	Name        Name         `json:"name"`
	Columns     []Column     `json:"columns"`
	Keys        []Key        `json:"keys"` // the primary key first, when there is one
	ForeignKeys []ForeignKey `json:"foreign_keys,omitempty"`
	Engine      string       `json:"engine"`
	Charset     string       `json:"charset,omitempty"`
	Collation   string       `json:"collation,omitempty"`
	// Rows and Bytes are the server's estimates; -1 when unknown.
	Rows  int64 `json:"rows"`
	Bytes int64 `json:"bytes"`
}

// Column returns the ordinal of a column by its name, which servers compare
// without regard to case; -1 when there is none.
func (t *Table) Column(name string) int {
	for i := range t.Columns {
		if strings.EqualFold(t.Columns[i].Name, name) {
			return i
		}
	}
	return -1
}

// Primary returns the primary key, nil when the table has none.
func (t *Table) Primary() *Key {
	for i := range t.Keys {
		if t.Keys[i].Name == PrimaryName {
			return &t.Keys[i]
		}
	}
	return nil
}

// SecondaryUnique returns the unique keys besides the primary key.
func (t *Table) SecondaryUnique() []Key {
	var out []Key
	for _, k := range t.Keys {
		if k.Unique && k.Name != PrimaryName {
			out = append(out, k)
		}
	}
	return out
}

// Writable returns the ordinals of the columns that an INSERT may name.
func (t *Table) Writable() []int {
	out := make([]int, 0, len(t.Columns))
	for i := range t.Columns {
		if t.Columns[i].Writable() {
			out = append(out, i)
		}
	}
	return out
}

// Transactional says whether a crash leaves whole transactions only.
func (t *Table) Transactional() bool { return strings.EqualFold(t.Engine, "InnoDB") }
