package ddl

import (
	"slices"

	"shardlift/internal/table"
)

// Kind is the class of a statement.
type Kind string

// Kinds that change a table or a schema.
const (
	Truncate     Kind = "TRUNCATE TABLE"
	Drop         Kind = "DROP TABLE"
	Rename       Kind = "RENAME TABLE"
	Alter        Kind = "ALTER TABLE"
	CreateTable  Kind = "CREATE TABLE"
	CreateIndex  Kind = "CREATE INDEX"
	DropIndex    Kind = "DROP INDEX"
	Exchange     Kind = "EXCHANGE PARTITION"
	DropSchema   Kind = "DROP DATABASE"
	AlterSchema  Kind = "ALTER DATABASE"
	CreateSchema Kind = "CREATE DATABASE"
)

// DML is a statement that changes rows, written as a statement instead of rows.
const DML Kind = "DML"

// Kinds that control transactions.
const (
	Begin            Kind = "BEGIN"
	Commit           Kind = "COMMIT"
	Rollback         Kind = "ROLLBACK"
	Savepoint        Kind = "SAVEPOINT"
	RollbackTo       Kind = "ROLLBACK TO"
	ReleaseSavepoint Kind = "RELEASE SAVEPOINT"
	XAStart          Kind = "XA START"
	XAEnd            Kind = "XA END"
	XAPrepare        Kind = "XA PREPARE"
	XACommit         Kind = "XA COMMIT"
	XARollback       Kind = "XA ROLLBACK"
)

// Irrelevant changes no rows and no definition of a base table: accounts,
// variables, views, routines, triggers, events, maintenance.
const Irrelevant Kind = "irrelevant"

// Effect is one thing that a statement does.
type Effect struct {
	Kind Kind
	// Tables that are changed. Rename: old and new name of each pair, in order.
	// DropSchema, AlterSchema, CreateSchema: one name without Table.
	Tables []table.Name
	// Temporary: a temporary table, which no replica of the rows has.
	Temporary bool
	// Conditional: IF EXISTS or IF NOT EXISTS.
	Conditional bool
	// Argument is the savepoint's name, or the XA transaction's id in the
	// server's form X'…',X'…',n.
	Argument string
	// StartsTransaction: CREATE TABLE … SELECT of MySQL 8.0.21 and later, rows follow.
	StartsTransaction bool
	// OnePhase: XA COMMIT … ONE PHASE.
	OnePhase bool
	// Opaque: DML whose targets cannot be known (a function or a procedure).
	Opaque bool

	// The rest describes Alter, CreateIndex and DropIndex.

	// Unique: a unique or primary key is added.
	Unique bool
	// Dropped and Changed name indexes that are dropped, renamed or made
	// (in)visible; whether they are unique only the table's definition tells.
	Dropped, Changed []string
	// IndexesChange: something was added, dropped or changed about indexes.
	IndexesChange bool
	// Other: something beyond non-unique indexes and comments is changed.
	Other bool
	// Columns are all that an Alter does to columns, and the primary key stays
	// what it is, if ColumnsKnown.
	Columns      []ColumnChange
	ColumnsKnown bool
}

// Result is what Analyze found.
type Result struct {
	Effects []Effect
	// Parsed: Effects are all the statement does.
	Parsed bool
	// Names are the tables that the text may name, when it is not Parsed.
	Names []table.Name
	// Foreign: a name holds bytes of a character set other than UTF-8, so that
	// Names and Tables cannot be compared with anything.
	Foreign bool
}

// Only returns the effect of a statement that has exactly one and is Parsed.
func (r Result) Only() (Effect, bool) {
	if !r.Parsed || len(r.Effects) != 1 {
		return Effect{}, false
	}
	return r.Effects[0], true
}

// IsDML says whether the statement changes rows, as far as it was understood.
func (r Result) IsDML() bool {
	return slices.ContainsFunc(r.Effects, func(e Effect) bool { return e.Kind == DML })
}

// Describe names the kind of statement for people: the first effect's.
func (r Result) Describe() string {
	if len(r.Effects) > 0 {
		return string(r.Effects[0].Kind)
	}
	return "statement"
}
