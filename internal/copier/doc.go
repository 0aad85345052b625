// Package copier copies chunks: a lane claims a chunk from the plan, reads its
// rows from the source, writes them to the destination grouped by physical
// shard, and marks the chunk done, in this order, so that a crash repeats a
// chunk and never loses one.
//
// Fresh chunks are plain INSERTs, never INSERT IGNORE; a duplicate key (a unique
// value moved between rows while they were read) makes the statement a REPLACE.
// A chunk that was attempted before is written as REPLACE at once. Where nothing
// replays changes afterwards (full-only tasks), such a chunk first deletes its
// range on all shards.
//
// Start at run.go (Run: the lane), then chunk.go (one chunk) and write.go
// (transactions). Callers own opening of both sides, the fence and heartbeats.
package copier
