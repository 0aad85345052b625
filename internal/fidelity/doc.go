// Package fidelity proves on real servers that no value is lost or changed on
// its way from a source to a destination. It has no code of its own, only tests
// that drive the real engine as a task does, without Temporal: start position,
// chunk plan, copy, apply (safe mode, then strict), comparison.
//
//   - corpus_test.go is every type with its boundary values, as SQL literals.
//   - matrix_test.go takes the corpus through source × destination by both
//     paths; with the tag full, through all pairs.
//   - shapes_test.go has generated, invisible and functional columns, keys_test.go
//     keys of every type and collation while writers change them.
//   - refused_test.go has what a destination cannot hold: refused with a fault.
//
// Both sides are read by an independent reader (reader_test.go), never by the
// engine's code. A destination product is a value of type product
// (destination_test.go); a new one needs an open function there.
//
// Start reading at move_test.go (one task), then matrix_test.go.
package fidelity
