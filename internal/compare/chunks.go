package compare

import (
	"context"
	"strconv"
	"strings"

	"shardlift/internal/dialect"
	"shardlift/internal/row"
	"shardlift/internal/table"
)

const (
	// chunkBytes and chunkRows bound what one read takes of the source, so that
	// it ends within seconds and its hashes need little memory.
	chunkBytes = 16 << 20
	chunkRows  = 20_000
	// rowBytes is assumed where the server has no estimate.
	rowBytes = 1 << 10
)

// readSource reads the source in primary key order, one LIMITed statement a
// chunk: the last row's key is the chunk's upper bound, as the server orders
// keys; the last chunk is open upwards.
func (j *job) readSource(ctx context.Context, after [][]byte, out chan<- *chunk) error {
	limit := rowsPerChunk(j.mapping.Source)
	tail := " ORDER BY " + keyList(j.mapping) + " LIMIT " + strconv.Itoa(limit)
	for {
		c := &chunk{span: table.KeyRange{Lower: after}, rows: make(map[string]entry, limit)}
		var last [][]byte
		read, size := 0, int64(0)
		condition := string(dialect.RangeCondition(nil, j.mapping.Source, j.mapping.Primary, c.span))
		err := j.scanned.rows(ctx, condition, tail, func(got row.Row) error {
			read++
			for _, v := range got {
				size += int64(len(v))
			}
			c.rows[got.Key(j.mapping.Identity)] = entry{sum: j.scanHash.sum(got)}
			if read == limit {
				last = bound(got, j.mapping.Primary)
			}
			return nil
		})
		if err != nil {
			return err
		}
		c.span.Upper, after = last, last
		if j.run.Wait != nil {
			if err := j.run.Wait(ctx, int64(read), size); err != nil {
				return err
			}
		}
		select {
		case out <- c:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if last == nil {
			return nil
		}
	}
}

func rowsPerChunk(t *table.Table) int {
	return int(min(chunkRows, max(1, chunkBytes/rowSize(t))))
}

func rowSize(t *table.Table) int64 {
	if t.Rows <= 0 || t.Bytes <= 0 {
		return rowBytes
	}
	return max(1, t.Bytes/t.Rows)
}

func keyList(m *dialect.Mapping) string {
	list := make([]string, len(m.Primary))
	for i, c := range m.Primary {
		list[i] = dialect.QuoteName(m.Source.Columns[c].Name)
	}
	return strings.Join(list, ", ")
}

func bound(r row.Row, key []int) [][]byte {
	out := make([][]byte, len(key))
	for i, c := range key {
		out[i] = append([]byte{}, r[c]...)
	}
	return out
}
