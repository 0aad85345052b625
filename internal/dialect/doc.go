// Package dialect turns rows into SQL text for a destination: literals, insert,
// replace, upsert and delete statements, conditions of key ranges, and the
// physical shard a row belongs to. It is pure: no connection, no clock.
//
// A Mapping (NewMapping) joins a source table with its destination table and
// placement: which columns are written, what identifies a row there, which
// unique indexes can collide. Rows always have the source table's columns;
// pass them through Mapping.Canonical before they are written, deleted or
// compared. A Dialect (New) knows what a product accepts and how much.
//
// The text suits sessions with character_set_connection utf8mb4 and a sql_mode
// without NO_BACKSLASH_ESCAPES and ANSI_QUOTES (destination sets and verifies
// both). It holds no comments and no row constructors. Literals come in two
// forms: AppendLiteral for values that are stored, AppendOperand for values that
// a column is compared with.
package dialect
