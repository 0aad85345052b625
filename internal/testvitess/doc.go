// Package testvitess starts a real Vitess for tests: vtcombo 0.24.0 (vtgate and
// tablets in one process), built once from the module in vtcombo/, over a MySQL
// 9.7 of the test's own. Keyspaces, their shards and their vschemas come from
// the test; Start returns when vtgate serves all of them, and everything ends
// with the test, or with its process at the latest.
//
// What a single vtcombo cannot show: several vtgates with connection ids of
// their own, fail-over of a shard, and resharding.
package testvitess
