package binlog

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/replication"

	"shardlift/internal/fault"
	"shardlift/internal/position"
)

// ignored says whether an event changes nothing for us whatever it holds.
func ignored(t replication.EventType) bool {
	switch t {
	case replication.STOP_EVENT, // the server shut down; the next file follows
		replication.IGNORABLE_EVENT,
		replication.ROWS_QUERY_EVENT, // texts beside the rows
		replication.MARIADB_ANNOTATE_ROWS_EVENT,
		replication.PREVIOUS_GTIDS_EVENT, // what older files hold
		replication.MARIADB_GTID_LIST_EVENT,
		replication.MARIADB_BINLOG_CHECKPOINT_EVENT,
		replication.MARIADB_START_ENCRYPTION_EVENT, // what is not refused
		replication.PARTIAL_UPDATE_ROWS_EVENT,      // the same
		replication.TRANSACTION_CONTEXT_EVENT,      // group replication's own
		replication.VIEW_CHANGE_EVENT,
		replication.INTVAR_EVENT, // what a statement needs; the statement itself is judged
		replication.RAND_EVENT,
		replication.USER_VAR_EVENT,
		replication.BEGIN_LOAD_QUERY_EVENT, // the file of LOAD DATA; EXECUTE_LOAD_QUERY is judged
		replication.APPEND_BLOCK_EVENT,
		replication.DELETE_FILE_EVENT:
		return true
	default:
		return false
	}
}

// refuse stops at events that cannot be passed.
func (s *Stream) refuse(h *replication.EventHeader, raw []byte) error {
	switch t := h.EventType; t {
	case replication.PARTIAL_UPDATE_ROWS_EVENT:
		of, passes := s.partial(s.bodyOf(raw))
		if passes {
			return nil
		}
		err := error(fault.PartialJSON.New(object, "at %s", s.where()))
		if of != nil {
			err = fault.OfTable(err, of.Name.String())
		}
		return err
	case replication.MARIADB_START_ENCRYPTION_EVENT:
		// MariaDB decrypts for its replicas and then marks this event so.
		if h.Flags&replication.LOG_EVENT_IGNORABLE_F == 0 {
			return fault.EncryptedBinlog.New(object, "at %s", s.where())
		}
		return nil
	case replication.INCIDENT_EVENT:
		return fault.SourceIncident.New(object, "at %s", s.where())
	case replication.START_EVENT_V3, replication.LOAD_EVENT, replication.SLAVE_EVENT,
		replication.CREATE_FILE_EVENT, replication.EXEC_LOAD_EVENT, replication.NEW_LOAD_EVENT,
		replication.WRITE_ROWS_EVENTv0, replication.UPDATE_ROWS_EVENTv0, replication.DELETE_ROWS_EVENTv0:
		return fault.OldBinlog.New(object, "event type %d at %s", t, s.where())
	default:
		return nil
	}
}

// dispatch handles the events that matter. The default is fatal: a type that
// nobody here knows may hold changes.
func (s *Stream) dispatch(h *replication.EventHeader, e *replication.BinlogEvent) error {
	switch h.EventType {
	case replication.FORMAT_DESCRIPTION_EVENT:
		return s.formatted(h, e.Event.(*replication.FormatDescriptionEvent))
	case replication.ROTATE_EVENT:
		return s.rotated(e.Event.(*replication.RotateEvent))
	case replication.HEARTBEAT_EVENT, replication.HEARTBEAT_LOG_EVENT_V2:
		if !s.tx.delivered {
			s.flush()
		}
		s.deliver(Event{Kind: Heartbeat, Position: s.position()})
		return nil
	case replication.GTID_EVENT:
		g := e.Event.(*replication.GTIDEvent)
		return s.began(gtidOf(g.SID, "", g.GNO), commitTime(g, h))
	case replication.GTID_TAGGED_LOG_EVENT:
		g := e.Event.(*replication.GtidTaggedLogEvent)
		return s.began(gtidOf(g.SID, g.Tag.String(), g.GNO), commitTime(&g.GTIDEvent, h))
	case replication.ANONYMOUS_GTID_EVENT:
		if s.byGTID {
			return fault.AnonymousInGTID.New(object, "at %s", s.where())
		}
		return s.began("", commitTime(e.Event.(*replication.GTIDEvent), h))
	case replication.MARIADB_GTID_EVENT:
		return s.beganMariaDB(e.Event.(*replication.MariadbGTIDEvent), h, s.bodyOf(e.RawData))
	case replication.TABLE_MAP_EVENT:
		return s.mapTable(e.Event.(*replication.TableMapEvent))
	case replication.WRITE_ROWS_EVENTv1, replication.UPDATE_ROWS_EVENTv1, replication.DELETE_ROWS_EVENTv1,
		replication.WRITE_ROWS_EVENTv2, replication.UPDATE_ROWS_EVENTv2, replication.DELETE_ROWS_EVENTv2:
		return s.rows(e.Event.(*replication.RowsEvent), s.body, len(e.RawData))
	case replication.MARIADB_WRITE_ROWS_COMPRESSED_EVENT_V1, replication.MARIADB_UPDATE_ROWS_COMPRESSED_EVENT_V1,
		replication.MARIADB_DELETE_ROWS_COMPRESSED_EVENT_V1:
		return s.compressedRows(e.Event.(*replication.RowsEvent), len(e.RawData))
	case replication.QUERY_EVENT, replication.MARIADB_QUERY_COMPRESSED_EVENT:
		q := e.Event.(*replication.QueryEvent)
		return s.query(string(q.Schema), q.Query, q.StatusVars)
	case replication.EXECUTE_LOAD_QUERY_EVENT:
		return s.loadQuery(s.bodyOf(e.RawData))
	case replication.XID_EVENT:
		return s.commit()
	case replication.XA_PREPARE_LOG_EVENT:
		return s.prepareXA(s.bodyOf(e.RawData))
	default:
		return fault.UnknownEvent.New(fmt.Sprintf("%s %s", object, s.where()), "type %d", byte(h.EventType))
	}
}

// commitTime is when the source committed.
func commitTime(g *replication.GTIDEvent, h *replication.EventHeader) time.Time {
	if g.ImmediateCommitTimestamp > 0 {
		return time.UnixMicro(int64(g.ImmediateCommitTimestamp))
	}
	return time.Unix(int64(h.Timestamp), 0)
}

// formatted handles the format event at the head of a file.
func (s *Stream) formatted(h *replication.EventHeader, e *replication.FormatDescriptionEvent) error {
	if strings.Contains(e.ServerVersion, "MariaDB") != (s.config.From.Flavor == position.MariaDB) {
		return fault.ServerChanged.New(object, "the binlog is of %s", e.ServerVersion)
	}
	if s.place.created != 0 && s.place.created != h.Timestamp {
		return fault.HistoryLost.New(object, "file %s was made at another time than the file of this name before", s.place.file)
	}
	s.place.created, s.version = h.Timestamp, mysqlVersion(e.ServerVersion)
	return nil
}

// rotated handles the name of the file that follows; the source sends one at
// the start of a dump and at the start of each file as well.
func (s *Stream) rotated(e *replication.RotateEvent) error {
	file := string(e.NextLogName)
	if first := s.first; first {
		s.first = false
		if s.byGTID {
			s.place = place{file: file, offset: e.Position}
			return nil
		}
		if file != s.config.From.File {
			return fault.HistoryLost.New(object, "the source begins with the file %s instead of %s", file, s.config.From.File)
		}
		s.place.offset = e.Position
		return nil
	}
	if file == s.place.file {
		return nil
	}
	if isBefore(file, s.place.file) {
		return fault.HistoryLost.New(object, "the source goes on with the file %s after %s", file, s.place.file)
	}
	if err := s.interrupted(); err != nil {
		return err
	}
	s.skipTo = 0
	s.place = place{file: file, offset: e.Position}
	return nil
}

// isBefore says whether a file of the same series is an older one: numbers begin
// again after RESET.
func isBefore(file, other string) bool {
	a, okA := position.FileNumber(file)
	b, okB := position.FileNumber(other)
	series := func(name string) string { return name[:strings.LastIndexByte(name, '.')] }
	return okA && okB && a < b && series(file) == series(other)
}

// interrupted ends a transaction that the source did not finish: it crashed
// while it wrote the file.
func (s *Stream) interrupted() error {
	if !s.tx.open {
		return nil
	}
	s.tx.gtid = ""
	return s.rollback()
}
