// Package compare says whether source and destination hold the same: by
// objects (definitions), by rows (counts) or by values (every column of every
// row, and on DDM whether each row is on its one physical shard).
//
// Run works through the tables for a time box and keeps its state in Results
// (package checkpoint), so that the next box goes on where this one ended, in
// the middle of a large table too. It holds one batch of key hashes in memory,
// never rows, and at most two source connections.
//
// While the source is written, the two sides are never read at the same
// moment. What differs is therefore read again around a Settled wait (recheck.go)
// until it agrees or proves to stay different: no false alarm, no blind spot.
//
// Keys of differing rows go into Results only, never into errors or logs.
// Start reading at run.go, then values.go.
package compare
