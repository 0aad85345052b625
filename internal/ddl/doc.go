// Package ddl says what a statement of the binlog does to which tables.
//
// Analyze reads tokens with a small grammar of its own: it is fast, knows the
// forms of MySQL and MariaDB, and never guesses. A text that it cannot read to
// its end is not Parsed; then Names holds every token, and every pair of tokens
// around a dot, that could name a table, so that the caller can stop when one
// of them is selected. Only the targets of statement-format DML come from
// Vitess' sqlparser, which reads joins and subqueries.
//
// Versioned comments are code for some servers and comments for others: a text
// that holds one is read both ways, and is Parsed only when both agree.
//
// The caller decides what passes: whether an index is unique is known from the
// table definition, not from the statement.
package ddl
