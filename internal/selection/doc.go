// Package selection says which tables a task moves and what they are called on
// the destination: schemas with wildcards, exclusions and renames, as the task
// file's `objects` gives them.
//
// A name without a wildcard is "named": the table must exist. Wildcards are *
// (any run of characters) and ? (one character). Matching is exact in case,
// because a source may hold names that differ in case only.
package selection
