// Package testdb provides real MySQL and MariaDB servers to tests, benchmarks
// and the demo: it downloads them, starts them and ends them.
//
// It owns the cache directory (SHARDLIFT_CACHE, by default
// ${XDG_CACHE_HOME:-~/.cache}/shardlift): "downloads", "programs" with one
// initialised data directory for each edition, and "run" with the directories
// of running servers.
// Callers own what they create inside a server; Schema, DB and Account remove
// theirs at the end of the test.
//
//   - Get gives the server that all tests of a run share, started by the first
//     user and stopped when nobody uses it any more.
//   - Own gives a fresh server to one test that purges, resets, kills or
//     freezes it.
//   - Start is for programs without a test, such as the demo.
//   - Server holds the address and the account with all rights.
//
// Each server runs under a small shell supervisor (supervise.sh) that ends it
// when its users are gone, also when they were killed: a user is a process that
// holds a shared flock on the run directory's file "users".
//
// SHARDLIFT_<NAME>_DSN (such as SHARDLIFT_MYSQL97_DSN) names a running server
// to use instead. An edition that cannot be had skips the test, and fails it
// when SHARDLIFT_REQUIRE (a comma list of names, or "all") lists it.
//
// Start reading at editions.go, then run.go.
package testdb
