package binlog

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
)

// TestStream_SignsOfEveryColumnAreRead: a column of each type stands before signed
// and unsigned ones; which types have a bit for their sign differs by version
// (YEAR, on MySQL 8.0.15 and later).
func TestStream_SignsOfEveryColumnAreRead(t *testing.T) {
	onAll(t, nil, func(t *testing.T, r *rig) {
		types := []string{"YEAR"}
		for _, c := range typeCases() {
			if c.fits(r) {
				types = append(types, c.sql)
			}
		}
		session := r.session()
		execOn(t, session, "SET SESSION sql_mode = ''")
		for i, kind := range types {
			execOn(t, session, fmt.Sprintf("CREATE TABLE s%d (id INT PRIMARY KEY, c %s, a INT UNSIGNED, b INT, d %s, e BIGINT UNSIGNED, f TINYINT, g TINYINT UNSIGNED) ENGINE=InnoDB", i, kind, kind))
		}
		r.learn()
		start := r.head()
		for i := range types {
			execOn(t, session, fmt.Sprintf("INSERT INTO s%d VALUES (1, NULL, 4294967295, -1, NULL, 18446744073709551615, -128, 255)", i))
		}
		events := r.readTo(r.open(start), r.head())
		got := r.played(events)
		for i, kind := range types {
			rows := got[fmt.Sprintf("s%d", i)]
			require.Len(t, rows, 1, kind)
			for _, one := range rows {
				var shown []string
				for _, k := range []int{2, 3, 5, 6, 7} {
					shown = append(shown, string(one[k]))
				}
				require.Equal(t, "4294967295 -1 18446744073709551615 -128 255", strings.Join(shown, " "), kind)
			}
		}
	})
}

// TestSigns_AnotherSignIsSeen: a definition whose signs the binlog contradicts is
// another one, however YEAR is counted.
func TestSigns_AnotherSignIsSeen(t *testing.T) {
	onAll(t, []string{"mysql80", "mysql97"}, func(t *testing.T, r *rig) {
		r.exec("CREATE TABLE a (id INT PRIMARY KEY, y YEAR, u INT UNSIGNED, i INT, j INT UNSIGNED) ENGINE=InnoDB")
		r.learn()
		for _, d := range r.tables {
			d.Columns[3].Unsigned = true
		}
		start := r.head()
		r.exec("INSERT INTO a VALUES (1, 2000, 1, 1, 1)")
		require.ErrorIs(t, r.fails(r.open(start)), fault.DefinitionMismatch)
	})
}
