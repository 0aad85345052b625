package binlog

import (
	"hash/fnv"
	"strconv"
	"time"

	"shardlift/internal/ddl"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/row"
	"shardlift/internal/selection"
	"shardlift/internal/table"
)

// Tables gives the definition of a selected table as of the stream's place.
// A table that is not in the task gives fault.TableUnplanned. The same pointer
// means the same definition.
type Tables interface {
	Table(n table.Name) (*table.Table, error)
}

// Config says what to read from where.
type Config struct {
	Conn         mysqlconn.Config
	Capabilities mysqlconn.Capabilities
	// ServerID names this client towards the source; see ServerID. Its low 12
	// bits are varied by Open.
	ServerID uint32
	// From is the committed position: a GTID set, or file and offset.
	From      position.Position
	Selection selection.Selection
	// Tables may be nil with StatementsOnly: then nothing is said about rows, and
	// Truncate comes as DDL.
	Tables Tables
	// StatementsOnly reads no rows of selected tables: only Truncate, DDL, Commit
	// and Heartbeat come, and what stops the stream.
	StatementsOnly bool
	// Heartbeat is how often the source shows life when nothing happens,
	// default 5 s; four of them missing break the connection, after 20 s at the
	// earliest: a machine may stand still for seconds.
	Heartbeat time.Duration
	// QueueBytes bounds the events that wait for Next, default 16 MiB; one event
	// that is larger is let in alone.
	QueueBytes int64
	// XABytes bounds the changes of prepared XA transactions, default 128 MiB.
	XABytes int
	// UndoBytes bounds the changes of one transaction that can be taken back,
	// default 32 MiB.
	UndoBytes int

	// onlyWhatIsThere has the source end the dump by itself instead of waiting for
	// more, and so for its next heartbeat after this side has hung up.
	onlyWhatIsThere bool
	// quiet is how long the source may send nothing; see Heartbeat.
	quiet time.Duration
}

// dumpFlag is the flag of COM_BINLOG_DUMP.
func (c Config) dumpFlag() uint16 {
	const nonBlock = 1 // BINLOG_DUMP_NON_BLOCK
	if c.onlyWhatIsThere {
		return nonBlock
	}
	return 0
}

func (c Config) withDefaults() Config {
	if c.Heartbeat == 0 {
		c.Heartbeat = 5 * time.Second
	}
	if c.quiet == 0 {
		c.quiet = max(4*c.Heartbeat, 20*time.Second)
	}
	if c.QueueBytes == 0 {
		c.QueueBytes = 16 << 20
	}
	if c.XABytes == 0 {
		c.XABytes = 128 << 20
	}
	if c.UndoBytes == 0 {
		c.UndoBytes = 32 << 20
	}
	if c.From.Flavor == "" {
		c.From.Flavor = c.Capabilities.Flavor
	}
	return c
}

// ServerID returns the server id for a task's apply group: two clients with the
// same id throw each other out, so it depends on the task. It lies above the
// ids that people give their servers.
func ServerID(taskID string, group int) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(taskID + "/" + strconv.Itoa(group)))
	return h.Sum32() | 1<<31
}

// Kind is the class of an event.
type Kind uint8

// The kinds.
const (
	// Rows: changes of one table, of a transaction whose end has not come yet.
	Rows Kind = iota + 1
	// Commit: everything before Position is complete.
	Commit
	// Truncate: Table lost all its rows. Its Commit follows.
	Truncate
	// DDL: a statement that concerns the selection and that the caller has to
	// judge (schema.Judge). Its Commit follows.
	DDL
	// Heartbeat: the source shows life and everything it has was read.
	Heartbeat
)

// Event is one step of the stream.
type Event struct {
	Kind Kind
	// Table is the definition that Changes follow; also set for Truncate.
	Table *table.Table
	// Changes hold complete images; their bytes are shared and never change.
	Changes []row.Change
	// Missing are the columns that the images lack, whose values in Changes mean
	// nothing: virtual ones of MariaDB before 10.2.
	Missing []int
	// Begin: the first rows of their transaction.
	Begin bool
	// GTID, of Rows, Truncate and DDL, is their transaction's as the source prints
	// it; of an XA transaction that of its verdict; empty on a source without.
	GTID string
	// Position, with Rows not set: everything before it is complete. That of
	// Truncate and DDL lies before the statement.
	Position position.Position
	// At, of Truncate and DDL, is the statement's own place: the same in every
	// reading of this source, and no other statement's. Position may lie before
	// it when an XA transaction waits for its verdict.
	At position.Position
	// SourceTime is when the source committed: microseconds where it tells them
	// (MySQL 8), else seconds. Zero for Heartbeat.
	SourceTime time.Time
	// Transactions is how many transactions a Commit ends, those without
	// selected rows included.
	Transactions int
	// Bytes is the length of the binlog that was read for this event; for
	// Commit since the one before.
	Bytes int
	// Statement is a DDL's text for people: no literals, clipped.
	Statement string
	// Result is what the DDL does; names as the source stores them.
	ddl.Result
}
