package mysqlconn

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
)

// FuzzGreeting_NeverCrashesTheClient: what passes the repair can be given to
// go-mysql's client, which reads it without looking at lengths. What a server
// sends after its greeting is FuzzFeed_HostileServer's matter (package binlog).
func FuzzGreeting_NeverCrashesTheClient(f *testing.F) {
	whole := packet(append([]byte(greeting55), 0))
	f.Add(whole)
	f.Add(packet([]byte(greeting55)))
	for cut := 1; cut < len(greeting55); cut += 5 {
		f.Add(packet([]byte(greeting55[:cut])))
	}
	f.Add([]byte("\x03\x00\x00\x00\xff\x15\x04")) // error packet
	f.Add([]byte("\x01\x00\x00\x00\xff"))
	f.Add([]byte("\xff\xff\xff\x00"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		greeting, err := readGreeting(bytes.NewReader(sent))
		if err != nil {
			return
		}
		dial := func(context.Context, string, string) (net.Conn, error) {
			return &replay{Reader: bytes.NewReader(greeting)}, nil
		}
		conn, err := client.ConnectWithDialer(t.Context(), "tcp", "server:3306", "u", "p", "", dial)
		if err == nil {
			_ = conn.Close()
			t.Fatal("connected to a greeting")
		}
	})
}

// replay is a connection that gives what was recorded, and forgets what is written.
type replay struct{ io.Reader }

func (r *replay) Write(p []byte) (int, error)      { return len(p), nil }
func (r *replay) Close() error                     { return nil }
func (r *replay) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (r *replay) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (r *replay) SetDeadline(time.Time) error      { return nil }
func (r *replay) SetReadDeadline(time.Time) error  { return nil }
func (r *replay) SetWriteDeadline(time.Time) error { return nil }
