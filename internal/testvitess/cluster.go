package testvitess

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"shardlift/internal/testdb"
)

// Keyspace is a logical database. Shards are key ranges such as "-80" and
// "80-"; none means one shard "0", and so an unsharded keyspace. VSchema is
// JSON; tables that vindexes are not written for come later by DDL.
type Keyspace struct {
	Name    string
	Shards  []string
	VSchema string
}

// Cluster is a running Vitess.
type Cluster struct {
	Host     string
	Port     int
	User     string
	Password string
	// MySQL is the server below all shards.
	MySQL *testdb.Server

	keyspaces []Keyspace
	program   string
	dir       string
	args      []string
	process   *exec.Cmd
	stdin     interface{ Close() error }
	ended     chan struct{}
}

// tabletUser is the tablets' account on MySQL.
const tabletUser = "vt_tablet"

// ready bounds a start.
const ready = 90 * time.Second

// Start starts Vitess with these keyspaces. More arguments go to vtcombo.
func Start(t testing.TB, keyspaces []Keyspace, args ...string) *Cluster {
	t.Helper()
	c := &Cluster{
		Host: "127.0.0.1", User: "shardlift", Password: "Vt#Secret1",
		keyspaces: keyspaces, program: program(t), args: args,
		MySQL: testdb.Own(t, "mysql97", "--max-connections=1000"),
	}
	var err error
	c.dir, err = os.MkdirTemp("", "testvitess-") //nolint:usetesting // t.TempDir is closed to nobody
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(c.dir) })
	require.NoError(t, os.Chmod(c.dir, 0o755))
	c.writeVSchemas(t)
	db := c.MySQL.DB(t, "")
	// Vitess' client knows caching_sha2_password over TLS only, unless there is
	// no password; the server listens on the loopback address.
	for _, statement := range []string{
		"CREATE USER " + tabletUser + "@'%' IDENTIFIED WITH caching_sha2_password BY ''",
		"GRANT ALL ON *.* TO " + tabletUser + "@'%' WITH GRANT OPTION",
	} {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	for _, k := range keyspaces {
		for _, shard := range k.shards() {
			_, err := db.ExecContext(t.Context(), "CREATE DATABASE `"+k.physical(shard)+"` CHARACTER SET utf8mb4")
			require.NoError(t, err)
		}
	}
	c.Port = freePort(t)
	c.launch(t)
	t.Cleanup(func() { c.end() })
	return c
}

func (k Keyspace) shards() []string {
	if len(k.Shards) == 0 {
		return []string{"0"}
	}
	return k.Shards
}

func (k Keyspace) physical(shard string) string { return "vt_" + k.Name + "_" + shard }

func (c *Cluster) writeVSchemas(t testing.TB) {
	t.Helper()
	for _, k := range c.keyspaces {
		if k.VSchema == "" {
			continue
		}
		dir := filepath.Join(c.dir, "schema", k.Name)
		require.NoError(t, os.MkdirAll(dir, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "vschema.json"), []byte(k.VSchema), 0o644))
	}
	require.NoError(t, os.MkdirAll(filepath.Join(c.dir, "schema"), 0o755))
}

// topology is what vtcombo takes as --json-topo: one tablet for writing per shard.
func (c *Cluster) topology(t testing.TB) string {
	t.Helper()
	type shard struct {
		Name string `json:"name"`
	}
	type keyspace struct {
		Name     string  `json:"name"`
		Shards   []shard `json:"shards"`
		Replicas int     `json:"replica_count"` // the tablet for writing included
		ReadOnly int     `json:"rdonly_count"`  // 0 would mean 1
	}
	var all struct {
		Cells     []string   `json:"cells"`
		Keyspaces []keyspace `json:"keyspaces"`
	}
	all.Cells = []string{"zone1"}
	for _, k := range c.keyspaces {
		out := keyspace{Name: k.Name, Replicas: 1, ReadOnly: -1}
		for _, s := range k.shards() {
			out.Shards = append(out.Shards, shard{s})
		}
		all.Keyspaces = append(all.Keyspaces, out)
	}
	text, err := json.Marshal(all)
	require.NoError(t, err)
	return string(text)
}

func (c *Cluster) launch(t testing.TB) {
	t.Helper()
	args := append([]string{
		"--json-topo", c.topology(t),
		"--schema-dir", filepath.Join(c.dir, "schema"), "--vschema-persistence-dir", filepath.Join(c.dir, "vschema"),
		"--port", strconv.Itoa(freePort(t)), "--bind-address", "127.0.0.1",
		"--mysql-server-port", strconv.Itoa(c.Port), "--mysql-server-bind-address", "127.0.0.1",
		"--mysql-auth-server-impl", "static",
		"--db-host", c.MySQL.Host, "--db-port", strconv.Itoa(c.MySQL.Port), "--db-charset", "utf8mb4",
		"--mycnf-server-id", "1", "--normalize-queries", "--dbddl-plugin", "vttest",
		"--mysql-server-version", "8.4.6-Vitess", "--tablet-types-to-wait", "primary",
		"--vschema-ddl-authorized-users", "%", "--enable-online-ddl=false", "--tablet-refresh-interval", "10s",
		"--queryserver-config-pool-size", "8", "--queryserver-config-stream-pool-size", "8", "--queryserver-config-transaction-cap", "40",
	}, c.args...)
	for _, role := range []string{"app", "dba", "allprivs", "appdebug", "repl", "filtered"} {
		args = append(args, "--db-"+role+"-user", tabletUser)
	}
	log, err := os.Create(filepath.Join(c.dir, "vtcombo.log"))
	require.NoError(t, err)
	defer log.Close()
	c.process = exec.CommandContext(context.WithoutCancel(t.Context()), c.program, args...)
	c.process.Dir = c.dir
	c.process.Env = append(os.Environ(), "VTDATAROOT="+c.dir,
		fmt.Sprintf(`VTCOMBO_ACCOUNTS={%q:[{"Password":%q}]}`, c.User, c.Password))
	c.process.Stdout, c.process.Stderr = log, log
	// Our end of the pipe closes with this process, and vtcombo with it.
	stdin, err := c.process.StdinPipe()
	require.NoError(t, err)
	c.stdin = stdin
	require.NoError(t, c.process.Start())
	ended := make(chan struct{})
	c.ended = ended
	process := c.process
	go func() {
		_ = process.Wait()
		close(ended)
	}()
	c.await(t)
}

// await returns when every shard of every keyspace answers.
func (c *Cluster) await(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ready)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := c.answers(ctx)
		if err == nil {
			return
		}
		select {
		case <-c.ended:
			t.Fatalf("vtcombo ended at its start: %s", c.logEnd())
		case <-ctx.Done():
			t.Fatalf("vtcombo does not serve within %s: %v\n%s", ready, err, c.logEnd())
		case <-tick.C:
		}
	}
}

func (c *Cluster) answers(ctx context.Context) error {
	for _, k := range c.keyspaces {
		for _, shard := range k.shards() {
			db, err := sql.Open("mysql", c.dsn(k.Name+":"+shard))
			if err != nil {
				return err
			}
			_, err = db.ExecContext(ctx, "SHOW TABLES")
			_ = db.Close()
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Cluster) logEnd() string {
	text, err := os.ReadFile(filepath.Join(c.dir, "vtcombo.log"))
	if err != nil {
		return "there is no log: " + err.Error()
	}
	return lastLines(string(text), 12)
}

// Log returns the end of vtcombo's log.
func (c *Cluster) Log() string { return c.logEnd() }

// Kill ends vtgate and all tablets at once, as a crash does: connections are
// lost, open transactions are rolled back by MySQL. Restart starts them again.
func (c *Cluster) Kill(t testing.TB) {
	t.Helper()
	// The topology is in the killed process; vtcombo writes vschemas to files of
	// which a kill may leave a half.
	saved := c.vschemas(t)
	c.end()
	for path, text := range saved {
		require.NoError(t, os.WriteFile(path, text, 0o644))
	}
}

// vschemas reads the files of vschemas when all of them are whole.
func (c *Cluster) vschemas(t testing.TB) map[string][]byte {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(ready); ; <-tick.C {
		out := map[string][]byte{}
		for _, k := range c.keyspaces {
			path := filepath.Join(c.dir, "vschema", k.Name+".json")
			if text, err := os.ReadFile(path); err == nil && json.Valid(text) {
				out[path] = text
			}
		}
		if len(out) == len(c.keyspaces) {
			return out
		}
		require.True(t, time.Now().Before(deadline), "vschemas are not written")
	}
}

// Restart starts a killed Vitess again on the same port, with the vschemas as
// they were.
func (c *Cluster) Restart(t testing.TB) {
	t.Helper()
	c.launch(t)
}

func (c *Cluster) end() {
	if c.process == nil {
		return
	}
	_ = c.process.Process.Kill()
	<-c.ended
	_ = c.stdin.Close()
	c.process = nil
}

func (c *Cluster) dsn(target string) string {
	config := mysql.NewConfig()
	config.Net, config.Addr = "tcp", net.JoinHostPort(c.Host, strconv.Itoa(c.Port))
	config.User, config.Passwd, config.DBName = c.User, c.Password, target
	config.Logger = &mysql.NopLogger{}
	return config.FormatDSN()
}

// DB opens a pool to a keyspace, or to one of its shards ("ks:-80").
func (c *Cluster) DB(t testing.TB, target string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", c.dsn(target))
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// ShardDB opens a pool to the database of one shard, past Vitess.
func (c *Cluster) ShardDB(t testing.TB, keyspace, shard string) *sql.DB {
	t.Helper()
	return c.MySQL.DB(t, Keyspace{Name: keyspace}.physical(shard))
}

func freePort(t testing.TB) int {
	t.Helper()
	port, err := testdb.FreePort()
	require.NoError(t, err)
	return port
}
