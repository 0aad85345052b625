package source

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
	"shardlift/internal/position"
)

// TestRule9_CompareSetsFindsWhatWasLostAndPurged: a server that lacks one of our
// transactions has another history, and one that purged what we still need
// cannot go on.
func TestRule9_CompareSetsFindsWhatWasLostAndPurged(t *testing.T) {
	const a, b = "3e11fa47-71ca-11e1-9e33-c80aa9429562", "4e11fa47-71ca-11e1-9e33-c80aa9429562"
	for name, c := range map[string]struct {
		flavor                 position.Flavor
		from, executed, purged string
		want                   error
	}{
		"the same":                     {position.MySQL, a + ":1-10", a + ":1-10", "", nil},
		"later, all logs there":        {position.MySQL, a + ":1-10", a + ":1-20", a + ":1-10", nil},
		"lacks one":                    {position.MySQL, a + ":1-10", a + ":1-9", "", fault.HistoryLost},
		"has a hole":                   {position.MySQL, a + ":1-10", a + ":1-4:6-20", "", fault.HistoryLost},
		"lacks another server's":       {position.MySQL, a + ":1-10," + b + ":1", a + ":1-20", "", fault.HistoryLost},
		"purged what we need":          {position.MySQL, a + ":1-10", a + ":1-20", a + ":1-11", fault.BinlogPurged},
		"purged in our hole":           {position.MySQL, a + ":1-4:6-10", a + ":1-20", a + ":1-10", fault.BinlogPurged},
		"MariaDB, later":               {position.MariaDB, "0-1-10,2-1-5", "0-1-10,0-3-20,2-1-5,4-1-1", "0-1-10", nil},
		"MariaDB, behind":              {position.MariaDB, "0-1-10", "0-1-9", "", fault.HistoryLost},
		"MariaDB, a domain is missing": {position.MariaDB, "0-1-10,2-1-5", "0-1-10", "", fault.HistoryLost},
		"MariaDB, purged":              {position.MariaDB, "0-1-10", "0-1-20", "0-1-11", fault.BinlogPurged},
	} {
		from := position.Position{Flavor: c.flavor, GTID: &c.from}
		err := compareSets(from, c.executed, c.purged)
		if c.want == nil {
			require.NoError(t, err, name)
		} else {
			require.ErrorIs(t, err, c.want, name)
		}
	}
}
