// Package fault holds the errors that a user can see: a stable code, a class
// that decides about retries, the object concerned, and a remedy.
//
// Each area has a file of definitions (catalogue_<area>.go); a code is never
// reused. Ranges: 1xxx input and task file, 2xxx source and binlog, 3xxx
// destination and checkpoint, 4xxx copy, 5xxx apply, 6xxx pre-check and
// comparison, 7xxx commands and states, 8xxx Temporal, worker and web, 9xxx
// secrets.
//
// An error carries no row value, password, host or user. Whoever returns one
// wraps it with %w as usual; As finds it again. Only the activity interceptor
// turns classes into Temporal's retry decisions.
package fault
