package mysqlconn

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// Capability bits of the greeting.
const (
	clientProtocol41  = 1 << 9
	clientSecure      = 1 << 15
	clientPluginAuth  = 1 << 19
	maxGreeting       = 4096 // the longest seen is below 200 bytes
	readBuffer        = 64 << 10
	keepAliveInterval = 15 * time.Second
)

var errGreeting = errors.New("malformed greeting")

// Dialer returns a dial function for go-mysql and go-sql-driver: it bounds the
// time until the greeting, switches keep-alive on, reads in pieces of 64 KiB,
// and repairs or refuses the greeting. MySQL 5.5.7 to 5.5.9 and 5.6.0 to 5.6.1
// send it without the NUL after the plugin's name (MySQL bug 59453), on which
// go-mysql panics.
func (c Config) Dialer() func(ctx context.Context, network, address string) (net.Conn, error) {
	timeout := c.connectTimeout()
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		dialer := net.Dialer{KeepAlive: keepAliveInterval}
		plain, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		conn, err := greeted(ctx, plain)
		if err != nil {
			_ = plain.Close()
			return nil, err
		}
		return conn, nil
	}
}

// greeted reads the first packet and returns a connection that gives it again,
// repaired.
func greeted(ctx context.Context, plain net.Conn) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { _ = plain.SetDeadline(time.Unix(1, 0)) })
	packet, err := readGreeting(plain)
	if !stop() {
		return nil, fmt.Errorf("wait for the greeting: %w", context.Cause(ctx))
	}
	if err != nil {
		return nil, err
	}
	first := io.MultiReader(bytes.NewReader(packet), plain)
	return &connection{Conn: plain, reader: bufio.NewReaderSize(first, readBuffer)}, nil
}

func readGreeting(r io.Reader) ([]byte, error) {
	header := make([]byte, 4)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, fmt.Errorf("read the greeting: %w", err)
	}
	size := int(header[0]) | int(header[1])<<8 | int(header[2])<<16
	if size == 0 || size > maxGreeting || header[3] != 0 {
		return nil, errGreeting
	}
	payload := make([]byte, size)
	if _, err := io.ReadFull(r, payload); err != nil {
		return nil, fmt.Errorf("read the greeting: %w", err)
	}
	payload, err := repairGreeting(payload)
	if err != nil {
		return nil, err
	}
	header[0], header[1], header[2] = byte(len(payload)), byte(len(payload)>>8), byte(len(payload)>>16)
	return append(header, payload...), nil
}

// repairGreeting checks every length that a client relies on and adds the
// missing NUL. An error packet (0xff) passes as it is.
func repairGreeting(p []byte) ([]byte, error) {
	if p[0] == 0xff {
		if len(p) < 3 {
			return nil, errGreeting
		}
		return p, nil
	}
	if p[0] != 10 {
		return nil, fmt.Errorf("%w: protocol version %d", errGreeting, p[0])
	}
	end := bytes.IndexByte(p, 0)
	if end < 0 {
		return nil, errGreeting
	}
	at := end + 1 + 4 + 8 // version, connection id, first part of the scramble
	const fixed = 1 + 2 + 1 + 2 + 2 + 1 + 10
	if len(p) < at+fixed {
		return nil, errGreeting
	}
	capabilities := uint32(binary.LittleEndian.Uint16(p[at+1:])) | uint32(binary.LittleEndian.Uint16(p[at+6:]))<<16
	if capabilities&clientProtocol41 == 0 {
		return nil, fmt.Errorf("%w: the server is older than MySQL 4.1", errGreeting)
	}
	scramble := int(p[at+8])
	at += fixed
	if capabilities&clientSecure == 0 {
		return nil, fmt.Errorf("%w: no secure authentication", errGreeting)
	}
	at += max(13, scramble-8)
	if len(p) < at {
		return nil, errGreeting
	}
	if capabilities&clientPluginAuth != 0 && bytes.IndexByte(p[at:], 0) < 0 {
		p = append(p, 0)
	}
	return p, nil
}

// connection reads through a buffer: drivers read in pieces of 4 KiB otherwise.
// It is used by one goroutine at a time.
type connection struct {
	net.Conn
	reader *bufio.Reader
	// greeting: a TLS hello is the last that was written. MySQL 5.7.22 and older
	// hang up on a hello that they do not like, in the middle of their answer.
	greeting bool
}

func (c *connection) Read(p []byte) (int, error) { return c.reader.Read(p) }

func (c *connection) Write(p []byte) (int, error) {
	const handshakeRecord = 0x16
	c.greeting = len(p) > 2 && p[0] == handshakeRecord && p[1] == 3
	return c.Conn.Write(p)
}

// SyscallConn lets go-sql-driver see that an idle connection was closed.
func (c *connection) SyscallConn() (syscall.RawConn, error) {
	if s, ok := c.Conn.(syscall.Conn); ok {
		return s.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}
