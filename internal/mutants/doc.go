// Package mutants proves that the tests see: it takes one guard of the data path
// out of the code at a time (Guards), in an overlay that leaves the working tree
// as it is, and runs the tests that must fail then. A mutant that survives is a
// guard that could be lost without anybody noticing.
//
// `make mutants` runs all of them; `make mutants ONLY=fence` those whose name
// matches. Start at guards.go (the list), then run.go (Runner).
package mutants
