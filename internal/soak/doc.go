// Package soak runs seeded random schedules against the data path: random tables
// and random traffic on a real source (MySQL 5.6, 5.7, 8.0, 9.7, MariaDB), plan, copier
// and applier into the DDM simulator, plain MySQL or Vitess, and faults at the named points of package faultpoint. When the
// stream has drained, an oracle that shares no code with the engine says whether
// source and destination are equal and every row is on its one right shard.
//
// Everything here is a test behind the build tag faultpoint:
//
//	make soak SOAK=1h            for a time, with seeds from the clock
//	make soak SEED=123           one schedule again
//	make soak RACE=1             with the race detector
//	make soak VITESS=1           into a real Vitess
//
// A failure prints its seed, the smallest list of faults with which it still
// fails, and what the oracle found. Threads of servers are not seeded, so a seed
// repeats what is done and where it breaks, not every interleaving.
//
// Start at schedule_test.go (what a seed means), then run_test.go (one schedule),
// engine_test.go (one attempt, as a worker makes it), faults_test.go, and
// oracle_test.go.
package soak
