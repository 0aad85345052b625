package binlog

import (
	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"

	"shardlift/internal/table"
)

// signs says of numeric columns, by their index, whether they are unsigned.
type signs map[int]bool

// newSigns reads the bits of a table map; nil where there are none. MySQL 8.0.15
// has no bit for a YEAR column, later versions and MariaDB have one, and no event
// says which: where one reading fits the definition, that is it.
func newSigns(t *table.Table, m *replication.TableMapEvent) signs {
	if len(m.SignednessBitmap) == 0 {
		return nil
	}
	out := readSigns(m, true)
	if !out.fit(t) {
		if without := readSigns(m, false); without.fit(t) {
			return without
		}
	}
	return out
}

func readSigns(m *replication.TableMapEvent, years bool) signs {
	out, bit := signs{}, 0
	for i, kind := range m.ColumnType {
		if !m.IsNumericColumn(i) || kind == mysql.MYSQL_TYPE_YEAR && !years {
			continue
		}
		if at := bit / 8; at < len(m.SignednessBitmap) {
			out[i] = m.SignednessBitmap[at]&(0x80>>(bit%8)) != 0
		}
		bit++
	}
	return out
}

func (s signs) fit(t *table.Table) bool {
	for i := range t.Columns {
		c := &t.Columns[i]
		if sign, known := s[i]; known && c.Type == table.TypeInt && sign != c.Unsigned {
			return false
		}
	}
	return true
}
