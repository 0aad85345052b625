// Package architecture holds the import table: which package of this module may
// import which. It has no code, only a test (make lint runs it); a package that
// the table does not know, and an import that it does not allow, fail there.
//
// The table is the one of the design: words (layer 0) at the bottom, then
// systems, stages, use cases, and the programs on top. Whoever adds a package
// adds its line in table_test.go, with the least that it needs.
package architecture
