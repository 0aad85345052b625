// Package sequence sees to it that the first rows the application inserts into
// the destination get ids that nobody has (rule 13).
//
// Update raises, for every migrated table with an AUTO_INCREMENT column, the
// sequence (sharded and broadcast tables of DDM) or the AUTO_INCREMENT value
// (all others) to at least max(destination's largest value + 1, source's
// AUTO_INCREMENT), never lowers it, and verifies by effect. It may be repeated.
//
// Callers stop the apply before, so that no row comes later, and own source and
// destination. Start reading at update.go.
package sequence
