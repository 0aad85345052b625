// Package bench measures the data path in ratios against other tools on the same
// servers in the same run, so that the machine's speed and load fall out: copy
// against mysqldump | mysql, apply against mysqlbinlog | mysql. It has no code of
// its own, only benchmarks, and nothing fails for being slow: make bench.
//
// Start reading at bench_test.go; rig_test.go drives the engine as a task does,
// without Temporal.
package bench
