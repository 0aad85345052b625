// Package demo runs the whole of Shardlift on one machine and shows its main
// job: a sample shop under live writes is migrated from MySQL into the DDM
// simulator, through two workers killed with -9, compared, stopped, and proven
// ready for the first insert.
//
// It starts the real programs of bin/ as children that die with it, and drives
// everything through the command line a user would type; each command is
// echoed. What it shows it also checks: with EXIT=1 the exit status is 0 only
// if everything held.
//
// Start reading at run.go (the story), then stage.go (what runs), shop.go (the
// sample) and traffic.go (the live writes).
package demo
