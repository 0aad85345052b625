package precheck

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"shardlift/internal/dialect"
	"shardlift/internal/table"
)

func limitItems() []item {
	return []item{
		{code: "dstMaxAllowedPacketCheck", group: groupParameters, title: "Destination takes the largest rows", needs: onBoth, run: destinationPacket},
		{code: "MysqlSourceMaxAllowedPacketActionChecker", group: groupParameters, title: "Source sends the largest rows", needs: onSource, incremental: true, run: sourcePacket},
	}
}

// overhead is what a statement needs besides its values.
const overhead = 1 << 20

// destinationPacket: a row takes up to twice its bytes as text (hex).
func destinationPacket(ctx context.Context, e *Env) (finding, error) {
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	limit := d.Info().MaxPacket
	if limit <= 0 {
		return alarm("the destination does not tell max_allowed_packet", "see that it is at least twice the largest row plus 1 MiB"), nil
	}
	return e.packet(ctx, limit, 2, "destination", "SET GLOBAL max_allowed_packet = 1073741824; on the destination and its data nodes (DDM: parameter template), and in their configuration files")
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
	return e.packet(ctx, limit, 2, "source", "SET GLOBAL max_allowed_packet = 1073741824; (where it exists slave_max_allowed_packet or replica_max_allowed_packet) on the source, and in its configuration file")
}

// packet compares a limit with the largest rows times a factor. A table whose
// rows cannot be that large by their types, or whose whole data is smaller, is
// not read.
func (e *Env) packet(ctx context.Context, limit, factor int64, side, remedy string) (finding, error) {
	pairs, err := e.selectedOnSource(ctx)
	if err != nil {
		return finding{}, err
	}
	most := (limit - overhead) / factor
	scan := e.newScan(ctx)
	defer scan.end()
	var g graded
	for _, p := range pairs {
		t := p.source
		columns := large(t)
		if len(columns) == 0 || widest(t) <= most || t.Bytes >= 0 && t.Bytes < most/2 {
			continue
		}
		n, whole, err := scan.aggregate(t, columns, "MAX("+lengths(t, columns)+")")
		if err != nil {
			return finding{}, err
		}
		switch {
		case n > most:
			g.fail("%s has a row of about %d MiB", t.Name, n>>20)
		case !whole:
			g.alarm("%s: not all rows were looked at", t.Name)
		}
	}
	return g.finding(fmt.Sprintf("max_allowed_packet of the %s is %d MiB, enough for every row", side, limit>>20),
		fmt.Sprintf("max_allowed_packet of the %s is %d MiB, too small for the largest rows", side, limit>>20),
		fmt.Sprintf("max_allowed_packet of the %s is %d MiB; whether every row fits is not known", side, limit>>20), remedy), nil
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
