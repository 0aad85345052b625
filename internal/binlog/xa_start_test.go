package binlog_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/binlog"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/secret"
	"shardlift/internal/selection"
	"shardlift/internal/source"
	"shardlift/internal/table"
	"shardlift/internal/testdb"
)

// tables gives a stream the definition of the one table.
type tables struct{ one *table.Table }

func (t tables) Table(table.Name) (*table.Table, error) { return t.one, nil }

// TestRule1_NoXATransactionSpansTheStart: an XA transaction that was prepared
// before the position and got its verdict between the position and XA RECOVER
// used to go unnoticed; the stream then met a verdict about changes it had never
// seen, and stopped.
func TestRule1_NoXATransactionSpansTheStart(t *testing.T) {
	server := testdb.Get(t, "mysql97")
	schema := server.Schema(t)
	db := server.DB(t, schema)
	_, err := db.ExecContext(t.Context(), "CREATE TABLE x (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY)")
	require.NoError(t, err)
	config := mysqlconn.Config{Host: server.Host, Port: server.Port, User: server.User, Password: secret.NewText(server.Password), TLS: mysqlconn.TLS{Mode: mysqlconn.TLSDisabled}}
	s, err := source.Open(t.Context(), config, 2)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	x, err := s.Table(t.Context(), table.Name{Schema: schema, Table: "x"})
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		conn, err := db.Conn(t.Context())
		defer func() { _ = conn.Close() }()
		for n := 0; err == nil && ctx.Err() == nil; n++ {
			id := fmt.Sprintf("'%s-%d'", schema, n)
			for _, statement := range []string{"XA START " + id, "INSERT INTO x VALUES ()", "XA END " + id, "XA PREPARE " + id, "XA COMMIT " + id, "DO SLEEP(0.005)"} {
				if _, bad := conn.ExecContext(t.Context(), statement); bad != nil {
					err = bad
				}
			}
		}
		ended <- err
	}()
	defer func() { cancel(); require.NoError(t, <-ended) }()
	for range 25 {
		p, err := s.StartPosition(t.Context(), []table.Name{x.Name})
		if err != nil {
			continue // always one under way: refused, rightly
		}
		stream, err := binlog.Open(t.Context(), binlog.Config{
			Conn: config, Capabilities: s.Capabilities(), ServerID: binlog.ServerID(schema, 0), From: p,
			Selection: selection.Selection{{Schema: schema}}, Tables: tables{x}, Heartbeat: time.Second,
		})
		require.NoError(t, err)
		for range 2 {
			_, err := stream.Next(t.Context())
			require.NoError(t, err)
		}
		stream.Close()
	}
}
