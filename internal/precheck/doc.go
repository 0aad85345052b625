// Package precheck looks, before a task starts, at everything that could lose,
// change or stop its rows: connections, versions, privileges, the binlog's
// settings, tables, columns, keys, sharding and the destination's state.
//
// Items lists the items of a task type, Run runs one. What an item finds is a
// result (PASSED, ALARM, FAILED with reason, evidence and remedy), never an
// error; an error means that the item could not look, and may be tried again.
// Results hold no host, user or row value: remedies say <source-user> and
// <destination-user>.
//
// An Env belongs to one task and shares what items need between them: one
// connection per side, the catalogue, definitions and grants, each read once
// when the first item asks. Pool keeps an Env for the items of one run.
// Everything is read-only and bounded in time.
//
// Callers own an Env and close it. Each family of items has a file; item.go is
// the list of all. Users read about an item in docs/precheck/.
package precheck
