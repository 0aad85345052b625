// Package position holds places in a source's history: binlog file and offset,
// MySQL GTID sets (tagged ones included) and MariaDB GTIDs (one per domain).
//
// A Position carries the file place always and the GTID set when the source
// has one. With a GTID set the set decides, because files and offsets change
// with the server; without one, file and offset count only together with the
// identity of the server they came from.
package position
