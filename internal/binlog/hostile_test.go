package binlog

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/secret"
)

// packets are bytes of the protocol.
type packets []byte

func (p packets) packet(sequence byte, payload ...byte) packets {
	n := len(payload)
	return append(append(p, byte(n), byte(n>>8), byte(n>>16), sequence), payload...)
}

func (p packets) ok() packets { return p.packet(1, 0, 0, 0, 2, 0, 0, 0) }

// greeted is a server that lets everybody in.
func greeted() packets {
	const greeting = "\x0a8.0.15\x00\x01\x00\x00\x00abcdefgh\x00\xff\xf7\x08\x02\x00\x0f\x80\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00ijklmnopqrst\x00mysql_native_password\x00"
	return packets{}.packet(0, []byte(greeting)...).packet(2, 0, 0, 0, 2, 0, 0, 0)
}

// values answers a query with one row.
func (p packets) values(values ...string) packets {
	column := []byte("\x03def\x00\x00\x00\x01a\x00\x0c\x2d\x00\xff\x00\x00\x00\xfd\x00\x00\x00\x00\x00")
	p = p.packet(1, byte(len(values)))
	sequence, row := byte(2), []byte{}
	for _, v := range values {
		p = p.packet(sequence, column...)
		sequence++
		row = append(append(row, byte(len(v))), v...)
	}
	return p.packet(sequence, 0xfe, 0, 0, 2, 0).packet(sequence+1, row...).packet(sequence+2, 0xfe, 0, 0, 2, 0)
}

// answers are the first things that a dump asks: a variable is set, the server's
// identity and its checksums; the rest are OKs.
func answers(oks int) packets {
	w := greeted().ok().values("s").values("BINLOG_CHECKSUM", "NONE")
	for range oks {
		w = w.ok()
	}
	return w
}

// FuzzFeed_HostileServer: whatever the source sends, before, in and after the
// handshake, the dump ends with an error that shows none of it; nothing panics
// in any goroutine and nothing waits for ever.
func FuzzFeed_HostileServer(f *testing.F) {
	secretText := []byte("secretsecretsecret")
	f.Add([]byte(greeted()))
	for oks := range 8 {
		f.Add([]byte(answers(oks)))
		f.Add([]byte(answers(oks).packet(1, append([]byte{0}, secretText...)...)))
		f.Add([]byte(answers(oks).packet(1)))
		f.Add([]byte(answers(oks).packet(1, 0xff, 1, 4, '#').packet(2, 0xfe)))
		f.Add([]byte(answers(oks).packet(1, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)))
	}
	f.Add([]byte(greeted().packet(1, 0xfb)))
	f.Add([]byte(greeted().packet(1, 0xfc, 0xff)))
	f.Add([]byte(greeted().ok().packet(1, 0xff)))
	f.Add([]byte(greeted()[:30]))
	f.Fuzz(func(t *testing.T, sent []byte) {
		requireEnds(t, serve(t, sent))
	})
}

// serve sends the same to everybody who connects, and returns its port.
func serve(t *testing.T, sent []byte) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var serving sync.WaitGroup
	t.Cleanup(func() { _ = listener.Close(); serving.Wait() })
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				_, _ = conn.Write(sent)
				_ = conn.(*net.TCPConn).CloseWrite()
				_, _ = io.Copy(io.Discard, conn)
				_ = conn.Close()
			})
		}
	})
	return listener.Addr().(*net.TCPAddr).Port
}

func requireEnds(t *testing.T, port int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c := Config{
		Conn:     mysqlconn.Config{Host: "127.0.0.1", Port: port, User: "u", Password: secret.NewText("p"), TLS: mysqlconn.TLS{Mode: "disabled"}, ConnectTimeout: time.Minute},
		ServerID: 7, From: position.Position{Flavor: position.MySQL, Server: "s", File: "bin.000001", Offset: 4},
	}
	stream, err := Open(ctx, c)
	for err == nil {
		if _, err = stream.Next(ctx); err != nil {
			stream.Close()
		}
	}
	_, known := fault.As(err)
	require.True(t, known, "%v", err)
	require.NotContains(t, err.Error(), "secretsecret")
	require.NotContains(t, err.Error(), "goroutine")
	require.NoError(t, ctx.Err(), "it hung")
}

// A server id of 0 is refused with a panic by go-mysql, outside of any recover.
func TestAttemptID_IsNeverZero(t *testing.T) {
	for range 100_000 {
		require.NotZero(t, attemptID(0))
		require.Equal(t, uint32(0xabcde000), attemptID(0xabcdefff)&^uint32(0xfff))
	}
}
