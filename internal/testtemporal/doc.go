// Package testtemporal gives tests a real Temporal server: bin/shardlift-dev
// with --only temporal (make bin/shardlift-dev), namespace, search attributes
// and pushed cancellation included.
//
// Get returns the server that all tests of one test binary share, started by
// the first one in about a second; use ids of your own. Own returns a fresh one
// that the test may kill and restart. The kernel ends both with the test binary,
// however it ends.
package testtemporal
