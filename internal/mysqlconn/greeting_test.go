package mysqlconn

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
	"shardlift/internal/secret"
	"shardlift/internal/testdb"
)

// greeting55 is what MySQL 5.5.9 sends: no NUL after the plugin's name.
var greeting55 = "\x0a5.5.9-log\x00\x01\x00\x00\x00abcdefgh\x00\xff\xf7\x08\x02\x00\x0f\x80\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00ijklmnopqrst\x00mysql_native_password"

func TestGreeting_MissingNULIsAdded(t *testing.T) {
	repaired, err := repairGreeting([]byte(greeting55))
	require.NoError(t, err)
	require.Equal(t, greeting55+"\x00", string(repaired))
	again, err := repairGreeting(bytes.Clone(repaired))
	require.NoError(t, err)
	require.Equal(t, repaired, again)
}

func TestGreeting_GoMySQLConnectsToMySQL55(t *testing.T) {
	s := testdb.Get(t, "mysql55")
	c, err := client.ConnectWithDialer(t.Context(), "tcp", s.Address(), s.User, s.Password, "", Config{}.Dialer())
	require.NoError(t, err)
	require.NoError(t, c.Ping())
	require.NoError(t, c.Close())
}

func TestGreeting_HostileServerIsAFault(t *testing.T) {
	whole := append([]byte(greeting55), 0)
	answers := [][]byte{{}, []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), {0xff, 0xff, 0xff, 0}}
	for cut := 1; cut < len(whole)-22; cut++ { // cut anywhere before the plugin's name
		answers = append(answers, packet(whole[:cut]))
	}
	answers = append(answers, append(packet(whole), 1, 0, 0, 2, 0), append(packet(whole), 0, 0, 0, 2))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	c := Config{Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, User: "u", Password: secret.NewText("p"), ConnectTimeout: 20 * time.Second}
	for _, answer := range answers {
		done := make(chan struct{})
		go func() {
			defer close(done)
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write(answer)
			_ = conn.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
		}()
		_, err := Open(t.Context(), c)
		_, known := fault.As(err)
		require.True(t, known, "%q: %v", answer, err)
		<-done
	}
}

func TestGreeting_SilentServerIsGivenUp(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	begin := time.Now()
	_, err = Config{ConnectTimeout: 300 * time.Millisecond}.Dialer()(context.Background(), "tcp", listener.Addr().String())
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(begin), time.Minute)
}

func packet(payload []byte) []byte {
	return append([]byte{byte(len(payload)), byte(len(payload) >> 8), 0, 0}, payload...)
}
