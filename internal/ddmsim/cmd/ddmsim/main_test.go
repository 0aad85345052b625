package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"shardlift/internal/testdb"
)

func TestRun_HelpNamesEveryFlagAndSaysStandIn(t *testing.T) {
	var out bytes.Buffer
	require.Zero(t, run(t.Context(), []string{"--help"}, &out, io.Discard))
	for _, want := range []string{"stand-in", "-listen", "-schema", "-shards", "-node", "-user", "-password-env", "-tls-cert", "-tls-key"} {
		require.Contains(t, out.String(), want)
	}
}

func TestRun_WrongUsage(t *testing.T) {
	for _, args := range [][]string{{"--nothing"}, {"--node", "x"}, {"extra"}, {"--transactions", "maybe"}, {"--tls-cert", "none"}} {
		var errs bytes.Buffer
		require.Equal(t, 2, run(t.Context(), args, io.Discard, &errs), args)
		require.NotEmpty(t, errs.String())
	}
	var errs bytes.Buffer
	require.Equal(t, 1, run(t.Context(), []string{"--user", "u"}, io.Discard, &errs))
	require.Contains(t, errs.String(), "no data node")
}

// TestRun_ServesUntilTheEnd runs the program as the demo does.
func TestRun_ServesUntilTheEnd(t *testing.T) {
	n := testdb.Get(t, "mysql97")
	schema := strings.ReplaceAll(n.Schema(t), "-", "_") // only for a name that is free
	schema = "sim_" + strings.ToLower(schema[max(0, len(schema)-20):])
	t.Setenv("SIM_PASSWORD", "Ddm#Secret1")
	admin := n.DB(t, "")
	t.Cleanup(func() {
		for _, db := range []string{schema + "_0000", schema + "_0001", schema + "_meta"} {
			_, err := admin.Exec("DROP DATABASE IF EXISTS `" + db + "`")
			require.NoError(t, err)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{
			"--listen", "127.0.0.1:0", "--schema", schema, "--shards", "2", "--user", "u", "--password-env", "SIM_PASSWORD", "--meta", schema + "_meta",
			"--node", fmt.Sprintf("%s:%s@%s:%d", n.User, n.Password, n.Host, n.Port),
		}, writer, io.Discard)
	}()
	line := make([]byte, 200)
	k, err := reader.Read(line)
	require.NoError(t, err)
	ready := strings.TrimSpace(string(line[:k]))
	require.True(t, strings.HasPrefix(ready, "Ready "), ready)
	db, err := sql.Open("mysql", "u:Ddm#Secret1@tcp("+ready[strings.LastIndexByte(ready, ' ')+1:]+")/"+schema)
	require.NoError(t, err)
	_, err = db.Exec("CREATE TABLE o (id BIGINT PRIMARY KEY) DBPARTITION BY HASH(id)")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	cancel()
	require.Zero(t, <-ended)
}
