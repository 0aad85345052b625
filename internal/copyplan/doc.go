// Package copyplan makes the plan of a copy: the start position, then the tables
// with their definitions as of it, then the chunks. It does so in the turn of
// planning (checkpoint.Store.Turn, docs/decisions/0012) and carries on what an
// attempt before it began.
//
// It owns the sequence and what of it is stored. Callers own how a position is
// taken (Maker.Position), what a definition has to fit (Maker.Fits), and what they
// do with the progress (Maker.Tell): the planning activity, and internal/soak,
// which breaks the same sequence.
//
// Start at Maker.Make.
package copyplan
