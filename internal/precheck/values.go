package precheck

import (
	"context"

	"shardlift/internal/table"
)

func valueItems() []item {
	return []item{
		{code: "srcDateRange", group: groupSource, title: "Destination takes every date", needs: onBoth, run: oldDates},
	}
}

// oldDates: DDM refuses DATETIME values with a year up to 1582 (D-34), zero
// dates among them. The manual does not name DATE, so those are an alarm.
func oldDates(ctx context.Context, e *Env) (finding, error) {
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	if !isDDM(d) {
		return pass("%s takes every date that a source may hold", d.Info().Kind), nil
	}
	pairs, err := e.present(ctx)
	if err != nil {
		return finding{}, err
	}
	scan := e.newScan(ctx)
	defer scan.end()
	var g graded
	for _, p := range pairs {
		for i, c := range p.source.Columns {
			if c.Type != table.TypeDate && c.Type != table.TypeDateTime || p.source.Rows == 0 && p.source.Bytes == 0 {
				continue
			}
			n, whole, err := scan.count(p.source, i, before1583)
			if err != nil {
				return finding{}, err
			}
			switch {
			case n > 0 && c.Type == table.TypeDateTime:
				g.fail("%s.%s: %s rows before 1583", p.source.Name, c.Name, amount(n, whole))
			case n > 0:
				g.alarm("%s.%s: %s rows before 1583 (DATE: the manual does not say whether it is refused)", p.source.Name, c.Name, amount(n, whole))
			case !whole:
				g.alarm("%s.%s: not all rows were looked at", p.source.Name, c.Name)
			}
		}
	}
	return g.finding("no date is before 1583", "DDM refuses dates with a year up to 1582, zero dates among them", "there may be dates that DDM refuses; such a row stops the copy",
		"on the source set the values to NULL or to a date that DDM takes, or exclude the tables: SELECT <key> FROM <schema>.<table> WHERE <column> < '1583-01-01';"), nil
}
