// Package applier brings the stream of row changes to the destination.
//
// Changes are collected in windows and folded to net effects: one effect per
// row identity (primary key plus shard key), from the first before image to the
// last after image. A window is written in two phases, deletions of all lanes
// first, so that keys and unique values may move between rows freely; the
// checkpoint moves after the second phase and only at a transaction's end.
//
// Safe mode (after the copy and after every restart) writes a state and never
// counts: delete what ends absent, REPLACE what ends present. It converges from
// any state between the checkpoint and now. Strict mode writes a change and
// counts: a count that differs means that somebody else wrote the destination.
//
// Start reading at run.go (Run), then window.go (how windows are cut), fold.go
// (net effects), write.go (phases, lanes, fence) and strict.go (counting).
package applier
