package dialect

import "fmt"

// Kind is a family of destinations.
type Kind string

// The kinds of destinations.
const (
	DDM            Kind = "ddm"
	DBLE           Kind = "dble"
	Vitess         Kind = "vitess"
	ShardingSphere Kind = "shardingsphere"
	TiDB           Kind = "tidb"
	MySQL          Kind = "mysql"
	MariaDB        Kind = "mariadb"
)

// Features says what a destination accepts; destination's probe may lower what
// Default promises.
type Features struct {
	// MaxStatementBytes is where statements are cut. A single row that is
	// larger still becomes a statement of its own.
	MaxStatementBytes int
	// MaxFactors bounds the columns and scalars of one WHERE condition (DDM: 1,000, D-12).
	MaxFactors int
	// Replace is false where REPLACE is refused (Vitess, on sharded tables):
	// Dialect.Replace then deletes and inserts.
	Replace bool
	// DeleteRows bounds the rows that a DELETE of a range may take, 0 for no limit:
	// DeleteRange is then repeated until it finds none.
	DeleteRows int
	// RowAlias says to write `AS new … = new.c` instead of VALUES(c), which
	// MySQL deprecates since 8.0.20 and no other product replaces.
	RowAlias bool
	// ReadHint stands before a SELECT to make it read the primary (D-44), or is empty.
	ReadHint string
}

// statementBytes is far below every max_allowed_packet seen (DBLE: 4 MiB), and
// above the size at which a round trip stops to matter.
const statementBytes = 256 << 10

// Default returns what a kind is known to accept.
func Default(kind Kind) Features {
	f := Features{MaxStatementBytes: statementBytes, MaxFactors: 1000, Replace: true}
	switch kind {
	case DDM:
		f.ReadHint = "/*+ db_type=master */ "
	case DBLE:
		f.ReadHint = "/*!dble:db_type=master*/ "
	case Vitess:
		f.Replace = false
		f.DeleteRows = 5000 // tablets refuse to change more than 10,000 rows by one statement
	case ShardingSphere, TiDB:
	case MySQL, MariaDB:
		f.MaxFactors = 2000
	}
	return f
}

// Dialect writes the statements of one kind of destination. It is safe for
// concurrent use.
type Dialect struct {
	kind     Kind
	features Features
}

// New returns the dialect of a kind; zero limits become the kind's defaults.
func New(kind Kind, f Features) *Dialect {
	def := Default(kind)
	if f.MaxStatementBytes <= 0 {
		f.MaxStatementBytes = def.MaxStatementBytes
	}
	if f.MaxFactors <= 0 {
		f.MaxFactors = def.MaxFactors
	}
	return &Dialect{kind: kind, features: f}
}

// Kind returns the kind of destination.
func (d *Dialect) Kind() Kind { return d.kind }

// Features returns what the destination accepts.
func (d *Dialect) Features() Features { return d.features }

// ShardHint returns the hint that sends a statement to one physical shard of a
// schema (D-43: text protocol only), empty where there is none.
func (d *Dialect) ShardHint(schema string, shard int) string {
	if d.kind != DDM {
		return ""
	}
	return fmt.Sprintf("/*+db=%s_%04d*/ ", schema, shard)
}
