// Package table holds the plain values that describe tables: names, columns,
// keys, the kind of a table on a sharded destination with its sharding rule,
// and ranges of primary keys. It does no I/O and knows no SQL text.
//
// source fills Table from the catalogue, destination fills Placement from the
// middleware's rules; everything else reads them. All values are immutable by
// agreement once they are built.
package table
