package binlog

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"strconv"

	"github.com/go-mysql-org/go-mysql/replication"

	"shardlift/internal/fault"
	"shardlift/internal/row"
	"shardlift/internal/table"
)

// decodeRows turns the body of a rows event into changes. Text and binary
// values share the body's memory.
func (l *layout) decodeRows(e *replication.RowsEvent, body []byte) ([]row.Change, error) {
	op, err := operation(e.Type())
	if err != nil {
		return nil, err
	}
	if int(e.ColumnCount) != len(l.fields) {
		return nil, mismatch(l.table, "a rows event has %d columns, its table map %d", e.ColumnCount, len(l.fields))
	}
	first, err := l.present(e.ColumnBitmap1)
	if err != nil {
		return nil, err
	}
	second := first
	if op == row.Update {
		if second, err = l.present(e.ColumnBitmap2); err != nil {
			return nil, err
		}
	}
	d := &imageReader{reader: reader{data: body}, layout: l, arena: newArena(len(body))}
	var changes []row.Change
	for len(d.data) > 0 && d.err == nil {
		before := len(d.data)
		change := row.Change{Op: op}
		image := d.row(first)
		switch op {
		case row.Insert:
			change.After = image
		case row.Delete:
			change.Before = image
		default:
			change.Before, change.After = image, d.row(second)
		}
		if len(d.data) == before {
			return nil, errShape // an image without a byte would come for ever
		}
		changes = append(changes, change)
	}
	if d.err != nil {
		return nil, d.err
	}
	return changes, nil
}

func operation(t replication.EnumRowsEventType) (row.Op, error) {
	switch t {
	case replication.EnumRowsEventTypeInsert:
		return row.Insert, nil
	case replication.EnumRowsEventTypeUpdate:
		return row.Update, nil
	case replication.EnumRowsEventTypeDelete:
		return row.Delete, nil
	default:
		return 0, errShape
	}
}

// present reads the bitmap of columns in the image. All have to be there, but
// columns that the server computes and does not store: old MariaDB leaves them out
// (10.11 does not).
func (l *layout) present(bitmap []byte) ([]bool, error) {
	out := make([]bool, len(l.fields))
	for i := range out {
		out[i] = bitmap[i>>3]&(1<<(i&7)) != 0
		hidden := i >= len(l.table.Columns)
		if !out[i] && !hidden && l.table.Columns[i].Generated != table.GeneratedVirtual {
			return nil, fault.OfTable(fault.PartialImage.New(l.table.Name.String(), "column %s is missing", l.table.Columns[i].Name), l.table.Name.String())
		}
		if !out[i] && !hidden && !slices.Contains(l.missing, i) {
			l.missing = append(slices.Clip(l.missing), i)
		}
	}
	return out, nil
}

// imageReader reads row images one after the other.
type imageReader struct {
	reader
	layout *layout
	arena  arena
}

// row reads one image: a bitmap of NULLs over the columns that are present,
// then their values.
func (d *imageReader) row(present []bool) row.Row {
	count := 0
	for _, p := range present {
		if p {
			count++
		}
	}
	nulls := d.take((count + 7) / 8)
	out := make(row.Row, len(d.layout.table.Columns))
	n := 0
	for i := range d.layout.fields {
		if d.err != nil {
			return nil
		}
		if !present[i] {
			continue
		}
		null := nulls[n>>3]&(1<<(n&7)) != 0
		n++
		if null {
			continue
		}
		f := &d.layout.fields[i]
		v := d.value(f)
		if d.err != nil {
			d.err = fmt.Errorf("read %s of %s: %w", f.describe(), d.layout.table.Name, d.err)
			return nil
		}
		if i < len(out) {
			out[i] = v
		}
	}
	return out
}

// valueRoom is more than any formatted value but JSON takes.
const valueRoom = 96

// value reads one value in canonical bytes.
func (d *imageReader) value(f *field) row.Value {
	switch f.wire {
	case wireBytes, wireSkipped:
		return d.take(int(d.little(f.size)))
	case wireBit:
		return d.take(f.size)
	case wirePadded:
		return d.padded(f)
	case wireJSON:
		return d.json(f)
	default:
		return d.formatted(f)
	}
}

// formatted reads a value whose canonical bytes are a text of their own.
func (d *imageReader) formatted(f *field) row.Value {
	dst := d.arena.open(valueRoom)
	switch f.wire {
	case wireInt:
		dst = appendInt(dst, d.little(f.size), f)
	case wireDecimal:
		dst = appendDecimal(dst, &d.reader, f.precision, f.scale)
	case wireFloat:
		dst = binary.BigEndian.AppendUint32(dst, uint32(d.little(4)))
	case wireDouble:
		dst = binary.BigEndian.AppendUint64(dst, d.little(8))
	case wireYear:
		dst = appendYear(dst, &d.reader)
	case wireDate:
		dst = appendDate(dst, &d.reader)
	case wireTime:
		dst = appendTime(dst, &d.reader, f.fraction)
	case wireOldTime:
		dst = appendOldTime(dst, &d.reader)
	case wireDateTime:
		dst = appendDateTime(dst, &d.reader, f.fraction)
	case wireOldDateTime:
		dst = appendOldDateTime(dst, &d.reader)
	case wireTimestamp:
		dst = appendTimestamp(dst, d.big(4), &d.reader, f.fraction)
	case wireOldTimestamp:
		dst = appendTimestamp(dst, d.little(4), &d.reader, 0)
	case wireOrdinal:
		dst = strconv.AppendUint(dst, d.little(f.size), 10)
	default:
		d.err = errShape
	}
	return d.arena.close(dst)
}

// appendInt formats a number by the column's sign, whatever the event says.
func appendInt(dst []byte, v uint64, f *field) []byte {
	if f.unsigned {
		return strconv.AppendUint(dst, v, 10)
	}
	shift := bits.UintSize - 8*f.size
	return strconv.AppendInt(dst, int64(v<<shift)>>shift, 10)
}

// padded gives a BINARY the zeros back that the image leaves out.
func (d *imageReader) padded(f *field) row.Value {
	stored := d.take(int(d.little(f.size)))
	length := int(f.column.Length)
	if len(stored) >= length {
		return stored
	}
	dst := append(d.arena.open(length), stored...)
	for len(dst) < length {
		dst = append(dst, 0)
	}
	return d.arena.close(dst)
}

func (d *imageReader) json(f *field) row.Value {
	document := d.take(int(d.little(f.size)))
	if d.err != nil {
		return nil
	}
	text, err := d.layout.json.document(make([]byte, 0, 2*len(document)+8), document)
	if err != nil {
		d.err = err
	}
	return text
}
