// Package model holds the tests that keep the proofs true: the TLA+
// specification in docs/model is checked by TLC at small bounds, and with each of
// its guards left out it must fail; docs/rules.md names, for each correctness
// rule of the design, tests that exist.
//
// Start at docs/model/README.md, then model_test.go.
package model
