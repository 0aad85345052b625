package fidelity

import (
	"database/sql"
	"net"
	"slices"
	"strconv"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"shardlift/internal/ddmsim/simtest"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/secret"
	"shardlift/internal/testdb"
)

// product is a kind of destination that the tests write to.
type product struct {
	name string
	open func(t *testing.T) *target
}

// target is one empty schema of a product.
type target struct {
	schema string
	// metadata is the schema of Shardlift's own tables, empty for schema.
	metadata string
	conn     mysqlconn.Config
	// admin creates tables.
	admin *sql.DB
	// storage are the databases that hold the rows, past any middleware: their
	// union is the schema's content, and no row stands in two of them.
	storage []*sql.DB
	// version is that of the servers behind it, such as 50700 or 90700.
	version int
	// route is what CREATE TABLE needs behind the parenthesis for a table that
	// is sharded by a column; empty for products that do not shard.
	route func(column string) string
	// declare are the statements that make a new table's sharding known, where
	// CREATE TABLE does not; may be nil.
	declare func(table, column string) []string
	// charsets that its columns may have; nil for all. A column of another set
	// becomes utf8mb4 there.
	charsets []string
	// spatial: it has GEOMETRY. ancient: it takes dates before 1583 and zero dates.
	spatial, ancient bool
	// generated: it has generated columns and functional indexes.
	generated bool
}

var versions = map[string]int{"mysql55": 50500, "mysql56": 50600, "mysql57": 50700, "mysql80": 80000, "mysql97": 90700, "mariadb": 100000}

// plain is a MySQL or MariaDB server.
func plain(server string) product {
	return product{server, func(t *testing.T) *target {
		s := testdb.Get(t, server)
		schema := s.Schema(t)
		db := open(t, s.Host, s.Port, s.User, s.Password, schema)
		return &target{
			schema: schema, conn: connect(s.Host, s.Port, s.User, s.Password), admin: db, storage: []*sql.DB{db},
			version: versions[server], route: func(string) string { return "" }, spatial: true, ancient: true, generated: true,
		}
	}}
}

// simulator is DDM with four shards on two data nodes.
func simulator(node string) product {
	return product{"ddm on " + node, func(t *testing.T) *target {
		sim := simtest.Start(t, 4, simtest.On(node, node))
		to := &target{
			schema: sim.Schema, conn: connect(sim.Host, sim.Port, sim.User, sim.Password), admin: sim.DB(t),
			version: versions[node], charsets: []string{"ascii", "latin1", "binary", "utf8", "utf8mb4"},
			route: func(column string) string { return "DBPARTITION BY MOD_HASH(" + column + ")" },
		}
		for shard := range 4 {
			n := sim.Nodes[shard%len(sim.Nodes)]
			to.storage = append(to.storage, open(t, n.Host, n.Port, n.User, n.Password, sim.Physical(shard)))
		}
		return to
	}}
}

// has says whether the product knows a character set.
func (t *target) has(charset string) bool {
	return t.charsets == nil || slices.Contains(t.charsets, charset)
}

func connect(host string, port int, user, password string) mysqlconn.Config {
	return mysqlconn.Config{
		Host: host, Port: port, User: user, Password: secret.NewText(password),
		TLS: mysqlconn.TLS{Mode: mysqlconn.TLSDisabled}, MaxConnections: 16,
	}
}

// open opens a pool of the tests' own: not by the engine's code, permissive, UTC.
func open(t *testing.T, host string, port int, user, password, schema string) *sql.DB {
	t.Helper()
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User, c.Passwd, c.DBName = "tcp", net.JoinHostPort(host, strconv.Itoa(port)), user, password, schema
	c.Params = map[string]string{"time_zone": "'+00:00'", "sql_mode": "'NO_AUTO_VALUE_ON_ZERO'", "charset": "utf8mb4"}
	db, err := sql.Open("mysql", c.FormatDSN())
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}
