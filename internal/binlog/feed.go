package binlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"
	"golang.org/x/sync/semaphore"

	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
)

// errTick is what next returns when the timer fires before an event comes.
var errTick = errors.New("no event yet")

// feed gives raw events, header and body, in the order of the source.
type feed interface {
	// next waits for an event, the end of ctx, or the tick (then errTick).
	next(ctx context.Context, tick <-chan time.Time) ([]byte, error)
	close()
}

// netWriteTimeout is how long the source waits for a consumer that does not
// read, before it ends the dump (its own default is 60 s). For so long the dump
// of a worker that was frozen stays on the source.
const netWriteTimeout = 10 * time.Minute

// queueEvents bounds the number of events between network and consumer.
const queueEvents = 4096

// syncerFeed reads the dump of a source through go-mysql in raw mode: go-mysql
// connects, registers and cuts packets; events are read by Stream.
type syncerFeed struct {
	syncer      *replication.BinlogSyncer
	connections *connections
	events      chan []byte
	room        *semaphore.Weighted
	roomBytes   int64
	quiet       time.Duration   // how long the source may send nothing
	ctx         context.Context // ends with close
	cancel      context.CancelFunc
	watcher     sync.WaitGroup
	// identity is the server that this dump comes from.
	identity string
	refusal  error // of prepare
	// failed is closed after err was set.
	failed chan struct{}
	err    error
}

// openFeed starts the dump at a place: a GTID set, or a file below 4 GiB.
func openFeed(ctx context.Context, c Config, file string, offset uint32) (f *syncerFeed, err error) {
	encryption, err := c.Conn.Settled(c.Capabilities).TLSConfig()
	if err != nil {
		return nil, err
	}
	// MariaDB sends nothing while it looks for a GTID in its files.
	const search = 2 * time.Minute
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f = &syncerFeed{
		connections: &connections{dial: c.Conn.Dialer(), open: map[*conn]struct{}{}},
		quiet:       c.quiet,
		events:      make(chan []byte, queueEvents),
		room:        semaphore.NewWeighted(c.QueueBytes), roomBytes: c.QueueBytes,
		ctx: life, cancel: cancel,
		failed: make(chan struct{}),
	}
	f.connections.readTimeout.Store(int64(max(search, f.quiet)))
	f.syncer = replication.NewBinlogSyncer(replication.BinlogSyncerConfig{
		ServerID: attemptID(c.ServerID), Flavor: string(c.From.Flavor),
		Host: c.Conn.Host, Port: uint16(c.Conn.Port), User: c.Conn.User, Password: c.Conn.Password.Reveal(),
		Localhost: "shardlift", TLSConfig: encryption, Dialer: f.connections.dialContext,
		RawModeEnabled: true, VerifyChecksum: true, DiscardGTIDSet: true,
		HeartbeatPeriod: c.Heartbeat, DisableRetrySync: true, EventCacheCount: 1, DumpCommandFlag: c.dumpFlag(),
		SynchronousEventHandler: f, Option: func(conn *client.Conn) error { f.refusal = f.prepare(conn, c.From); return f.refusal },
		// The syncer logs host and user.
		Logger: slog.New(slog.DiscardHandler),
	})
	stop := context.AfterFunc(ctx, f.connections.end)
	streamer, err := f.start(c, file, offset)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		f.close()
		if _, known := fault.As(f.refusal); known {
			err = f.refusal
		}
		return nil, connectError(ctx, err)
	}
	f.watcher.Go(func() {
		_, f.err = streamer.GetEvent(life)
		close(f.failed)
	})
	return f, nil
}

func (f *syncerFeed) start(c Config, file string, offset uint32) (streamer *replication.BinlogStreamer, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errMalformedAnswer
		}
	}()
	if !c.From.HasGTID() {
		return f.syncer.StartSync(mysql.Position{Name: file, Pos: offset})
	}
	set, err := mysql.ParseGTIDSet(string(c.From.Flavor), *c.From.GTID)
	if err != nil {
		return nil, fmt.Errorf("parse the GTID set of the start position: %w", err)
	}
	return f.syncer.StartSyncGTID(set)
}

// attemptID varies the server id with each attempt. MariaDB lets a new dump of
// the same id wait until the old one has ended, and the old one may belong to a
// worker that is frozen or cut off: measured, no event came until its
// net_write_timeout.
func attemptID(id uint32) uint32 {
	const varied = 1<<12 - 1
	return id&^varied | (1 + rand.Uint32N(varied)) // 0 is no server id: go-mysql panics
}

// prepare sets what the dump's session needs, and makes sure that this very
// connection leads to a server with the history of the start position: another
// connection may have led to another server behind the same address (rule 9).
func (f *syncerFeed) prepare(c *client.Conn, from position.Position) (err error) {
	if _, err := c.Execute(fmt.Sprintf("SET SESSION net_write_timeout=%d", int(netWriteTimeout.Seconds()))); err != nil {
		return err //nolint:wrapcheck // streamError maps it
	}
	if f.identity, err = identityOf(c, from.Flavor); err != nil {
		return err
	}
	if !from.HasGTID() {
		if from.Server != "" && from.Server != f.identity {
			return fault.ServerChanged.New(from.String(), "")
		}
		return nil
	}
	variable := "gtid_executed"
	if from.Flavor == position.MariaDB {
		variable = "gtid_binlog_state"
	}
	executed, err := scalar(c, "SELECT @@GLOBAL."+variable)
	if err != nil {
		return err
	}
	ok, err := from.InHistory(executed)
	if err == nil && !ok {
		return fault.HistoryLost.New(from.String(), "")
	}
	if err != nil || from.Server != f.identity {
		return err
	}
	return fileReached(c, from)
}

// fileReached makes sure that the files of the position's own server go as far
// as the position: their numbers begin again after RESET and in a backup.
func fileReached(c *client.Conn, from position.Position) error {
	r, err := c.Execute("SHOW BINARY LOGS")
	if err != nil {
		return nil // the right to list them may be missing
	}
	defer r.Close()
	rows := r.RowNumber()
	if rows == 0 {
		return nil
	}
	last, err := r.GetString(rows-1, 0)
	if err == nil && isBefore(last, from.File) {
		return fault.HistoryLost.New(from.String(), "the file does not exist")
	}
	return err //nolint:wrapcheck // streamError maps it
}

// identityOf is what mysqlconn.Capabilities.Identity is, asked on the dump's connection.
func identityOf(c *client.Conn, flavor position.Flavor) (string, error) {
	if flavor == position.MySQL {
		uuid, err := scalar(c, "SELECT @@GLOBAL.server_uuid")
		if err == nil {
			return uuid, nil
		}
		const unknownVariable = 1193 // before 5.6
		var answer *mysql.MyError
		if !errors.As(err, &answer) || answer.Code != unknownVariable {
			return "", err
		}
	}
	id, err := scalar(c, "SELECT @@GLOBAL.server_id")
	return "id:" + id, err
}

// scalar asks one value.
func scalar(c *client.Conn, query string) (string, error) {
	r, err := c.Execute(query)
	if err != nil {
		return "", err //nolint:wrapcheck // streamError maps it
	}
	defer r.Close()
	value, err := r.GetString(0, 0)
	return strings.Clone(value), err //nolint:wrapcheck // Close gives the memory back
}

// HandleEvent takes an event from the syncer and waits until there is room.
func (f *syncerFeed) HandleEvent(e *replication.BinlogEvent) error {
	switch e.Header.EventType {
	case replication.ROTATE_EVENT, replication.FORMAT_DESCRIPTION_EVENT, replication.PREVIOUS_GTIDS_EVENT, replication.MARIADB_GTID_LIST_EVENT:
	default: // the dump has found its place
		f.connections.readTimeout.Store(int64(f.quiet))
	}
	if err := f.room.Acquire(f.ctx, f.weight(e.RawData)); err != nil {
		return err
	}
	select {
	case f.events <- e.RawData:
		return nil
	case <-f.ctx.Done():
		return f.ctx.Err()
	}
}

func (f *syncerFeed) weight(event []byte) int64 { return min(int64(len(event)), f.roomBytes) }

func (f *syncerFeed) next(ctx context.Context, tick <-chan time.Time) ([]byte, error) {
	select {
	case e := <-f.events:
		f.room.Release(f.weight(e))
		return e, nil
	default:
	}
	select {
	case e := <-f.events:
		f.room.Release(f.weight(e))
		return e, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-tick:
		return nil, errTick
	case <-f.failed:
		select { // what arrived before the failure comes first
		case e := <-f.events:
			f.room.Release(f.weight(e))
			return e, nil
		default:
			return nil, streamError(f.err)
		}
	}
}

// close ends the dump on both sides and waits for the goroutines.
func (f *syncerFeed) close() {
	f.connections.end()
	f.cancel()
	f.syncer.Close()
	f.watcher.Wait()
}

// startOffset is where the dump of a file has to begin: the protocol's offset
// has 32 bits, so that a place beyond 4 GiB is reached by reading the file from
// its start and dropping what lies before.
func startOffset(p position.Position) (offset uint32, skipTo uint64) {
	if p.Offset > math.MaxUint32 {
		return fileHeader, p.Offset
	}
	return uint32(max(p.Offset, fileHeader)), 0
}

// fileHeader is where the first event of a file begins.
const fileHeader = 4

// connectError maps what goes wrong before the first event.
func connectError(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return mysqlconn.Fault(streamError(err), "binlog connection")
}
