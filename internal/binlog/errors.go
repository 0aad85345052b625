package binlog

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"
	driver "github.com/go-sql-driver/mysql"

	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
)

// object names the stream in errors.
const object = "binlog"

var errMalformedAnswer = fault.MalformedAnswer.New("binlog connection", "the handshake cannot be read")

// Error numbers of the dump command.
const (
	errReadBinlog    = 1236 // every reason of MySQL
	errGTIDMissing   = 1945 // MariaDB: the GTID is not in the binlog (purged, or another history)
	errGTIDNotFound  = 1955 // MariaDB: the binlog that has the GTID was purged
	errGTIDDuplicate = 1952 // MariaDB: start positions contradict each other
)

// streamError turns the syncer's error into a fault without host, user or
// bytes of events. Reasons of error 1236 are told apart by their texts: the
// protocol has nothing else.
func streamError(err error) error {
	var answer *mysql.MyError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &answer):
		return answerError(answer)
	case errors.Is(err, replication.ErrChecksumMismatch):
		return fault.MalformedEvent.New(object, "its checksum is wrong")
	case errors.Is(err, mysql.ErrBadConn), errors.Is(err, replication.ErrSyncClosed), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fault.ConnectionLost.New("binlog connection", "")
	}
	if _, ok := fault.As(err); ok {
		return err
	}
	mapped := mysqlconn.Fault(err, "binlog connection")
	if _, ok := fault.As(mapped); ok {
		return mapped
	}
	return fault.MalformedAnswer.New("binlog connection", "").WithRemedy("nothing if it does not repeat; otherwise check that a MySQL or MariaDB server of version 5.5 or newer answers there")
}

func answerError(e *mysql.MyError) error {
	text := strings.ToLower(e.Message)
	has := func(s string) bool { return strings.Contains(text, s) }
	switch {
	case e.Code == errGTIDMissing || e.Code == errGTIDNotFound || e.Code == errGTIDDuplicate:
		return fault.BinlogPurged.New(object, "error %d", e.Code)
	case e.Code != errReadBinlog:
		return mysqlconn.Fault(&driver.MySQLError{Number: e.Code}, "binlog connection")
	case has("same server_uuid/server_id"), has("same server id"):
		return fault.ServerIDTaken.New(object, "")
	case has("purged"), has("could not find first log"), has("could not find next log"), has("could not open log file"):
		return fault.BinlogPurged.New(object, "error %d", e.Code)
	case has("impossible position"), has("position > file size"), has("more gtids than"), has("has diverged"), has("not in the master's binlog"), has("missing transactions"):
		return fault.HistoryLost.New(object, "error %d", e.Code)
	default:
		return fault.BinlogUnreadable.New(object, "error %d", e.Code)
	}
}
