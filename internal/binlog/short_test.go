//go:build !full

package binlog

// failoverServers are the servers that a failover is tried on.
func failoverServers() []string { return []string{"mysql97", "mariadb"} }
