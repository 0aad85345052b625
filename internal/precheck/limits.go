package precheck

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/table"
)

func limitItems() []item {
	return []item{
		{code: "dstMaxAllowedPacketCheck", group: groupParameters, title: "Destination takes the largest rows", needs: onBoth, skippable: true, run: destinationPacket},
		{code: "MysqlSourceMaxAllowedPacketActionChecker", group: groupParameters, title: "Source sends the largest rows", needs: onSource, incremental: true, skippable: true, run: sourcePacket},
		{code: "srcHasLargeColumnTypeCheck", group: groupSource, title: "Rows are not very large", needs: onSource, run: largeRows},
	}
}

// overhead is what a statement needs besides its values.
const overhead = 1 << 20

// Statements by which the real limit of a destination is found.
const (
	firstProbe = 256 << 10 // what our statements have at most, but for larger rows
	lastProbe  = 128 << 20
)

// destinationPacket: a row takes up to twice its bytes as text (hex). What a
// proxy says of its limit may be its data nodes' (DBLE: 4 MiB behind a printed
// 1 GiB), so that a statement of the size that is needed is tried.
func destinationPacket(ctx context.Context, e *Env) (finding, error) {
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	const remedy = "SET GLOBAL max_allowed_packet = 1073741824; on the destination and its data nodes (DDM: parameter template), and in their configuration files; or exclude the tables"
	limit := d.Info().MaxPacket
	nodes, err := e.nodes(ctx)
	if err != nil {
		return finding{}, err
	}
	for _, n := range nodes {
		if own, err := strconv.ParseInt(n.variable("max_allowed_packet"), 10, 64); n.err == nil && err == nil && (limit <= 0 || own < limit) {
			limit = own
		}
	}
	largest, err := e.largest(ctx)
	if err != nil {
		return finding{}, err
	}
	needed := int64(firstProbe)
	for _, l := range largest {
		needed = max(needed, 2*l.bytes+overhead)
	}
	took, err := e.tryPacket(ctx, d, min(needed, lastProbe))
	if err != nil {
		return finding{}, err
	}
	switch {
	case took < min(needed, lastProbe):
		limit = took
	case limit <= 0 && needed > lastProbe:
		return alarm(fmt.Sprintf("the destination does not tell max_allowed_packet; statements of %d MiB were tried, %d MiB are needed", took>>20, needed>>20), remedy), nil
	case limit <= 0:
		return pass("the destination takes statements of %d MiB, enough for every row", needed>>20), nil
	}
	return e.packet(ctx, limit, "destination", remedy)
}

// tryPacket sends a SELECT of so many bytes, and smaller ones until one passes;
// it returns the size that passed. A refused statement may cost the connection.
func (e *Env) tryPacket(ctx context.Context, d *destination.Destination, size int64) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, itemTime)
	defer cancel()
	for ; size > firstProbe; size /= 2 {
		var length int64
		err := d.DB().QueryRowContext(ctx, "SELECT LENGTH('"+strings.Repeat("x", int(size)-64)+"')").Scan(&length)
		if err == nil {
			return size, nil
		}
		if ctx.Err() != nil {
			return 0, mysqlconn.Fault(err, "destination")
		}
	}
	return size, nil
}

// sourcePacket: an update's event has both images of the row. From 5.5.26 and
// 5.6.6 the binlog has a limit of its own.
func sourcePacket(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	c := s.capabilities
	text := c.VariableOr("replica_max_allowed_packet", c.VariableOr("slave_max_allowed_packet", c.VariableOr("max_allowed_packet", "")))
	limit, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return pass("the source does not tell a limit"), nil
	}
	return e.packet(ctx, limit, "source", "SET GLOBAL max_allowed_packet = 1073741824; (where it exists slave_max_allowed_packet or replica_max_allowed_packet) on the source, and in its configuration file")
}

// packet compares a limit with twice the largest rows. Tables whose rows cannot
// be that large by their types count for nothing.
func (e *Env) packet(ctx context.Context, limit int64, side, remedy string) (finding, error) {
	pairs, err := e.selectedOnSource(ctx)
	if err != nil {
		return finding{}, err
	}
	largest, err := e.largest(ctx)
	if err != nil {
		return finding{}, err
	}
	most := (limit - min(overhead, limit/4)) / 2
	var g graded
	for _, p := range pairs {
		l, asked := largest[p.source.Name]
		switch {
		case !asked || widest(p.source) <= most:
		case l.bytes > most:
			g.fail("%s has a row of about %d MiB", p.source.Name, l.bytes>>20)
		case !l.whole:
			g.alarm("%s: not all rows were looked at", p.source.Name)
		}
	}
	return g.finding(fmt.Sprintf("max_allowed_packet of the %s is %d MiB, enough for every row", side, limit>>20),
		fmt.Sprintf("max_allowed_packet of the %s is %d MiB, too small for the largest rows", side, limit>>20),
		fmt.Sprintf("max_allowed_packet of the %s is %d MiB; whether every row fits is not known", side, limit>>20), remedy), nil
}

// veryLarge is what makes a row slow: its statement takes twice as much, and a
// worker holds several at once.
const veryLarge = 16 << 20

// largeRows (PC-60): rows of dozens of MiB move, one by one and slowly.
func largeRows(ctx context.Context, e *Env) (finding, error) {
	pairs, err := e.selectedOnSource(ctx)
	if err != nil {
		return finding{}, err
	}
	largest, err := e.largest(ctx)
	if err != nil {
		return finding{}, err
	}
	var g graded
	for _, p := range pairs {
		l, asked := largest[p.source.Name]
		switch {
		case !asked || widest(p.source) <= veryLarge:
		case l.bytes > veryLarge:
			g.alarm("%s has a row of about %d MiB", p.source.Name, l.bytes>>20)
		case !l.whole:
			g.alarm("%s: not all rows were looked at", p.source.Name)
		}
	}
	return g.finding("no row is larger than 16 MiB", "", "tables have rows of more than 16 MiB, or may have: each needs several times its size of a worker's memory",
		"give the workers memory for several such rows at once (docs/operations.md), or exclude the tables"), nil
}

// largest is the size of a table's largest row in bytes.
type largest struct {
	bytes int64
	whole bool
}

// smallTable is what makes a table's rows not worth looking at: no row is larger.
const smallTable = 256 << 10

// largest returns the largest rows of the tables whose columns may be large.
func (e *Env) largest(ctx context.Context) (map[table.Name]largest, error) {
	return e.largestRows.get(func() (map[table.Name]largest, error) {
		pairs, err := e.selectedOnSource(ctx)
		if err != nil {
			return nil, err
		}
		scan, err := e.newScan(ctx)
		if err != nil {
			return nil, err
		}
		defer scan.end()
		out := map[table.Name]largest{}
		for _, p := range pairs {
			t := p.source
			columns := large(t)
			if len(columns) == 0 || t.Bytes >= 0 && t.Bytes < smallTable {
				continue
			}
			if out[t.Name], err = scan.largest(t, columns); err != nil {
				return nil, err
			}
		}
		return out, nil
	})
}

func (s *scan) largest(t *table.Table, columns []int) (largest, error) {
	size := "SELECT " + lengths(t, columns) + " AS size FROM " + quoted(t)
	query := func(limit string) string { return "SELECT COUNT(*), MAX(size) FROM (" + size + limit + ") AS looked" }
	if s.src.limited() {
		values, whole, err := s.ask(query(""), 2)
		if whole || err != nil {
			return largest{values[1], whole}, err
		}
	}
	values, whole, err := s.ask(query(fmt.Sprintf(" LIMIT %d", scanRows)), 2)
	return largest{values[1], whole && values[0] < scanRows}, err
}

// large returns the columns whose values may be larger than a page.
func large(t *table.Table) []int {
	var out []int
	for i, c := range t.Columns {
		if c.Generated == table.GeneratedVirtual {
			continue
		}
		if width(c) > 1<<14 {
			out = append(out, i)
		}
	}
	return out
}

// width is the most bytes that a value may have; types without a length of
// their own count as unlimited.
func width(c table.Column) int64 {
	switch c.Type {
	case table.TypeText, table.TypeBinary, table.TypeFixedBinary:
		if strings.Contains(c.SQLType, "char") {
			return c.Length * 4
		}
		return c.Length
	case table.TypeJSON, table.TypeGeometry, table.TypeVector:
		return 1 << 32
	default:
		return 64
	}
}

func widest(t *table.Table) int64 {
	var sum int64
	for _, c := range t.Columns {
		sum += width(c)
	}
	return sum
}

// lengths is the sum of the columns' bytes; JSON counts as its text does.
func lengths(t *table.Table, columns []int) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		name := dialect.QuoteName(t.Columns[c].Name)
		parts[i] = "COALESCE(LENGTH(" + name + "), 0)"
	}
	return strings.Join(parts, " + ")
}
