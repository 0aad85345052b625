// Package binlog reads the row changes of the selected tables from a source's
// binlog, from a position on, with the ends of transactions.
//
// Open connects; Next gives events in the source's order: Rows (cut at row
// events, so that a transaction of any size needs no memory), then the Commit
// that makes them final; Truncate and DDL where they happen, each followed by
// its Commit; Heartbeat when nothing comes. A Position never lies inside a
// transaction. After any error: Close, and Open again from the committed
// position; the half-read transaction then comes again from its start.
//
// go-mysql connects and cuts packets. Events are read here, because its rows
// lose what a migration must not lose: signs depend on the server's version,
// JSON and old temporal values change their text, compressed transactions need
// memory without bound, errors print values. Row images are decoded by the
// definition that Tables gives (package schema), into the bytes of package row.
//
// The world is closed: every event type has a case in dispatch.go, all others
// stop the stream. Rows of an XA transaction wait for their verdict; rows that
// the source takes back later (ROLLBACK in the binlog) are taken back by
// inverse changes.
//
// The reader may be slow: up to 16 MiB of events wait in memory, then the
// source waits, at most ten minutes (net_write_timeout of the dump's session).
// After that it ends the dump, which is an error here, never a silent gap.
package binlog
