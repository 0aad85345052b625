package binlog

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// connections makes the syncer's connections and can end them at once: the
// syncer knows no context.
type connections struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	// readTimeout bounds each read, in nanoseconds.
	readTimeout atomic.Int64

	mu     sync.Mutex
	open   map[*conn]struct{}
	ending bool
}

// dialContext is the syncer's dialer. Once the feed ends it gives no connection:
// the syncer would only KILL the dump by its connection's number, which after a
// restart or behind an address that leads to another server by now is the number
// of somebody else's session. The source ends the dump when it writes the next
// event or heartbeat.
func (c *connections) dialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c.mu.Lock()
	ending := c.ending
	c.mu.Unlock()
	if ending {
		return nil, net.ErrClosed
	}
	plain, err := c.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	out := &conn{Conn: plain, owner: c}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending {
		_ = plain.Close()
		return nil, net.ErrClosed
	}
	c.open[out] = struct{}{}
	return out, nil
}

// end closes every connection.
func (c *connections) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ending = true
	for one := range c.open {
		_ = one.Conn.Close()
	}
}

// conn counts the read timeout from the moment of the read. go-mysql counts it
// from the last packet, so that a consumer slower than the timeout would find
// its connection expired although data is waiting.
type conn struct {
	net.Conn
	owner *connections
}

func (c *conn) Read(p []byte) (int, error) {
	timeout := time.Duration(c.owner.readTimeout.Load())
	if err := c.Conn.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// SetReadDeadline does nothing: Read sets the deadline.
func (c *conn) SetReadDeadline(time.Time) error { return nil }

func (c *conn) Close() error {
	c.owner.mu.Lock()
	delete(c.owner.open, c)
	c.owner.mu.Unlock()
	return c.Conn.Close()
}
