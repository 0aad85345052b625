// Package mysqlconn opens connections to MySQL, MariaDB and what speaks their
// protocol, and turns what servers answer into the words of layer 0: rows into
// canonical values, catalogues into tables, error numbers into faults.
//
// Open gives a pool whose every connection has had its session settings, or
// has failed. Probe says by trying what a server is and can. ReadRows reads by
// the binary protocol, since text loses digits of FLOAT. Catalogue reads table
// definitions from information_schema of MySQL 5.5 to 9.x and MariaDB.
// Config.Dialer and Config.TLSConfig serve go-mysql's binlog client too.
//
// A malformed or hostile answer is a fault, never a panic of the worker: the
// dialer checks the greeting and both drivers' panics end at this package.
//
// Callers own pools and connections and close them. Character set utf8mb3 and
// its collations are called utf8 here on every server.
package mysqlconn
