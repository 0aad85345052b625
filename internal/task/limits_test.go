package task

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLimits_WindowsHoldByTheClockOfTheirZone(t *testing.T) {
	l := Limits{
		MBPerSecond: 1, TimeZone: "Europe/Berlin",
		Windows: []LimitWindow{{From: "22:00", To: "06:00"}, {From: "12:00", To: "13:30", MBPerSecond: 7, RowsPerSecond: 70}},
	}
	require.Empty(t, l.Validate())
	for text, want := range map[string][2]int{
		"2024-07-01T10:00:00Z": {7, 70}, // 12:00 in summer
		"2024-01-01T10:00:00Z": {1, 0},  // 11:00 in winter
		"2024-01-01T12:29:59Z": {7, 70},
		"2024-01-01T12:30:00Z": {1, 0},
		"2024-01-01T21:00:00Z": {0, 0}, // 22:00: no limit at night
		"2024-01-01T23:30:00Z": {0, 0}, // after midnight
		"2024-01-01T04:59:00Z": {0, 0},
		"2024-01-01T05:00:00Z": {1, 0},
	} {
		now, err := time.Parse(time.RFC3339, text)
		require.NoError(t, err)
		mb, rows, _ := l.At(now)
		require.Equal(t, want, [2]int{mb, rows}, text)
	}
}

func TestLimits_WrongOnesAreNamed(t *testing.T) {
	for name, c := range map[string]struct {
		limits Limits
		field  string
	}{
		"too many":       {Limits{Windows: make([]LimitWindow, 4)}, "limits.windows"},
		"no time":        {Limits{Windows: []LimitWindow{{From: "8:00", To: "9:61"}}}, "limits.windows[0].from"},
		"empty":          {Limits{Windows: []LimitWindow{{From: "08:00", To: "08:00"}}}, "limits.windows[0].to"},
		"overlap":        {Limits{Windows: []LimitWindow{{From: "08:00", To: "10:00"}, {From: "09:59", To: "11:00"}}}, "limits.windows[1]"},
		"over midnight":  {Limits{Windows: []LimitWindow{{From: "22:00", To: "02:00"}, {From: "01:00", To: "03:00"}}}, "limits.windows[1]"},
		"zone":           {Limits{TimeZone: "Mars/Olympus"}, "limits.time_zone"},
		"machine's zone": {Limits{TimeZone: "Local"}, "limits.time_zone"},
		"rate":           {Limits{MBPerSecond: 10_000}, "limits.mb_per_second"},
		"window's rate":  {Limits{Windows: []LimitWindow{{From: "08:00", To: "10:00", RowsPerSecond: -1}}}, "limits.windows[0].rows_per_second"},
		"load":           {Limits{Load: LoadLimits{HistoryList: -1}}, "limits.load.history_list"},
	} {
		t.Run(name, func(t *testing.T) {
			found := c.limits.Validate()
			require.NotEmpty(t, found)
			fields := make([]string, len(found))
			for i, f := range found {
				fields[i] = f.Field
			}
			require.Contains(t, fields, c.field)
		})
	}
	require.Empty(t, Limits{Windows: []LimitWindow{{From: "00:00", To: "24:00", MBPerSecond: 5}, {From: "24:00", To: "24:00"}}[:1]}.Validate())
}

func TestLimits_EqualSeesEveryField(t *testing.T) {
	require.True(t, Limits{}.IsZero())
	for _, l := range []Limits{
		{MBPerSecond: 1}, {RowsPerSecond: 1}, {Windows: []LimitWindow{{From: "01:00"}}}, {TimeZone: "UTC"}, {Apply: true}, {Load: LoadLimits{ThreadsRunning: 1}},
	} {
		require.False(t, l.IsZero())
		again := l
		require.True(t, l.Equal(again))
	}
}
