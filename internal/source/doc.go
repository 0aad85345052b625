// Package source reads a source: its catalogue, its positions, the rows of a
// key range, what could still come into its past, and how loaded it is.
//
// A Source is a pool of at most its budget of connections, safe for concurrent
// use. StartPosition takes a position that is never ahead of what a later SELECT
// sees, in the way of the server's family; Head is the plain current position,
// which may be ahead. CheckHistory says whether everything after a position can
// still be read; Pin makes every later connection check that its server's
// history contains the position, because an address may lead to another server
// after a failover.
//
// Nothing is ever written to a source; FLUSH BINARY LOGS and LOCK TABLES … READ
// are used only where a start position needs them. Start reading at source.go,
// then start.go.
package source
