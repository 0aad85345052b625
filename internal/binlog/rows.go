package binlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"

	"shardlift/internal/fault"
	"shardlift/internal/position"
	"shardlift/internal/table"
)

// maxEvent is the largest event a server writes: one row of 1 GiB and its image
// before.
const maxEvent = 2<<30 + 1<<20

// mapped is a table map: the layout of a selected table, nil for others.
type mapped struct {
	event  *replication.TableMapEvent
	layout *layout
}

// mapTable learns what the rows events of a table id are about.
func (s *Stream) mapTable(e *replication.TableMapEvent) error {
	name := table.Name{Schema: string(e.Schema), Table: string(e.Table)}
	if _, _, ok := s.config.Selection.Match(s.fold(name)); !ok || s.config.Tables == nil {
		s.current[e.TableID] = &mapped{}
		return nil
	}
	definition, err := s.config.Tables.Table(s.fold(name))
	if errors.Is(err, fault.TableUnplanned) && s.isSequence(e) {
		s.current[e.TableID] = &mapped{}
		return nil
	}
	if err != nil {
		return err
	}
	known := s.mapped[name]
	if known == nil || known.layout.table != definition || !sameMap(known.event, e) {
		l, err := newLayout(definition, e)
		if err != nil {
			return err
		}
		l.json.old = s.config.Capabilities.Number < 80000
		known = &mapped{event: e, layout: l}
		s.mapped[name] = known
	}
	s.current[e.TableID] = known
	return nil
}

// isSequence recognizes a sequence of MariaDB, which a wildcard matches and no
// catalogue lists as a table: NEXTVAL writes its one row into the binlog, whose
// columns are always the same (sql/sql_sequence.cc). A table of this form that
// is not in the task was seen when its CREATE TABLE came.
func (s *Stream) isSequence(e *replication.TableMapEvent) bool {
	const big, tiny = mysql.MYSQL_TYPE_LONGLONG, mysql.MYSQL_TYPE_TINY
	return s.config.From.Flavor == position.MariaDB && bytes.Equal(e.ColumnType, []byte{big, big, big, big, big, big, tiny, big})
}

// sameMap says whether two table maps describe the same columns.
func sameMap(a, b *replication.TableMapEvent) bool {
	return bytes.Equal(a.ColumnType, b.ColumnType) && slices.Equal(a.ColumnMeta, b.ColumnMeta) &&
		bytes.Equal(a.SignednessBitmap, b.SignednessBitmap) &&
		slices.EqualFunc(a.ColumnName, b.ColumnName, bytes.Equal)
}

// rows handles the rows of one event.
func (s *Stream) rows(e *replication.RowsEvent, body []byte, size int) error {
	m := s.current[e.TableID]
	if e.Flags&replication.RowsEventStmtEndFlag != 0 {
		clear(s.current)
	}
	if m == nil {
		return s.malformed(errShape)
	}
	if m.layout == nil || s.config.StatementsOnly {
		return nil
	}
	changes, err := m.layout.decodeRows(e, body)
	if err != nil {
		if _, known := fault.As(err); known {
			return err
		}
		return s.malformed(err)
	}
	if len(changes) == 0 {
		return nil
	}
	if !s.tx.open { // never seen: rows outside of any transaction
		s.begin()
	}
	event := Event{
		Kind: Rows, Table: m.layout.table, Changes: changes, Missing: m.layout.missing, Begin: !s.tx.delivered,
		SourceTime: s.tx.time, Bytes: size, GTID: s.tx.gtid,
	}
	if s.tx.holding {
		return s.hold(event)
	}
	s.tx.keep(event, s.config.UndoBytes)
	s.tx.delivered = true
	s.deliver(event)
	return nil
}

// partial says whether an update with partial JSON values is about a
// table that the task does not have: another application may log so.
func (s *Stream) partial(body []byte) (of *table.Table, passes bool) {
	const idBytes, header = 6, 8 // table id, flags
	if len(body) < header {
		return nil, false
	}
	var id [8]byte
	copy(id[:], body[:idBytes])
	m := s.current[binary.LittleEndian.Uint64(id[:])]
	if m == nil {
		return nil, false
	}
	if m.layout != nil {
		return m.layout.table, false
	}
	if binary.LittleEndian.Uint16(body[idBytes:])&uint16(replication.RowsEventStmtEndFlag) != 0 {
		clear(s.current)
	}
	return nil, true
}

// compressedRows unpacks MariaDB's compressed rows (log_bin_compress).
func (s *Stream) compressedRows(e *replication.RowsEvent, size int) error {
	if m := s.current[e.TableID]; m == nil || m.layout == nil || s.config.StatementsOnly {
		return s.rows(e, nil, size) // not wanted: not unpacked
	}
	if err := s.checkMariaSize(s.body); err != nil {
		return err
	}
	body, err := mysql.DecompressMariadbData(s.body)
	if err != nil {
		return s.malformed(errShape)
	}
	return s.rows(e, body, size)
}

// checkMariaSize looks at the length that compressed data claims, before memory
// is taken for it.
func (s *Stream) checkMariaSize(data []byte) error {
	if len(data) == 0 {
		return s.malformed(errShort)
	}
	n := int(data[0] & 0x07)
	if n > 4 || len(data) < 1+n {
		return s.malformed(errShape)
	}
	var size [4]byte
	copy(size[4-n:], data[1:1+n])
	if claimed := binary.BigEndian.Uint32(size[:]); claimed > maxEvent/2 || int(claimed) > 1100*len(data) {
		return s.malformed(errShape) // zlib cannot compress more than 1032 to 1
	}
	return nil
}
