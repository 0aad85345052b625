//go:build !full

package binlog

// failoverServers are the servers that a failover is tried on.
func failoverServers() []string { return []string{"mysql97", "mariadb"} }

// fewer are the servers that stand for all six in make test.
func fewer(names ...string) []string { return names }
