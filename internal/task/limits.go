package task

import (
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a window names a time zone, whatever the machine has installed
)

// Limits bound the copy, and the apply where Apply says so; 0 is no limit.
// Inside one of the windows that window's numbers hold instead of the two above.
type Limits struct {
	MBPerSecond   int `yaml:"mb_per_second" json:"mb_per_second"`
	RowsPerSecond int `yaml:"rows_per_second" json:"rows_per_second"`
	// Windows are at most three times of day that do not overlap.
	Windows []LimitWindow `yaml:"windows,omitempty" json:"windows,omitempty"`
	// TimeZone is where the windows' clock stands; "" is UTC.
	TimeZone string `yaml:"time_zone,omitempty" json:"time_zone,omitempty"`
	// Apply: the limits hold for the apply too.
	Apply bool `yaml:"apply,omitempty" json:"apply,omitempty"`
	// Load makes copy and limited apply wait while others need the servers.
	Load LoadLimits `yaml:"load,omitempty" json:"load,omitzero"`
}

// LimitWindow is a time of day, "hh:mm" to "hh:mm", over midnight when To is
// before From. 0 is no limit in it.
type LimitWindow struct {
	From          string `yaml:"from" json:"from"`
	To            string `yaml:"to" json:"to"`
	MBPerSecond   int    `yaml:"mb_per_second" json:"mb_per_second"`
	RowsPerSecond int    `yaml:"rows_per_second" json:"rows_per_second"`
}

// LoadLimits say from when on a server counts as busy; 0 is never.
type LoadLimits struct {
	// ThreadsRunning, ReplicaLagSeconds and HistoryList are the source's:
	// Threads_running, its lag when it is a replica itself, and InnoDB's history
	// list length. Copying waits while one of them is above its limit.
	ThreadsRunning    int `yaml:"threads_running,omitempty" json:"threads_running,omitempty"`
	ReplicaLagSeconds int `yaml:"replica_lag_seconds,omitempty" json:"replica_lag_seconds,omitempty"`
	HistoryList       int `yaml:"history_list,omitempty" json:"history_list,omitempty"`
	// DestinationMillis is how long a transaction on the destination may take
	// before copying slows down.
	DestinationMillis int `yaml:"destination_ms,omitempty" json:"destination_ms,omitempty"`
}

// Source says whether any limit is about the source.
func (l LoadLimits) Source() bool {
	return l.ThreadsRunning > 0 || l.ReplicaLagSeconds > 0 || l.HistoryList > 0
}

// IsZero says whether nothing is limited.
func (l Limits) IsZero() bool { return l.Equal(Limits{}) }

// Equal says whether both limit the same.
func (l Limits) Equal(o Limits) bool {
	return l.MBPerSecond == o.MBPerSecond && l.RowsPerSecond == o.RowsPerSecond && slices.Equal(l.Windows, o.Windows) &&
		l.TimeZone == o.TimeZone && l.Apply == o.Apply && l.Load == o.Load
}

// At returns what holds at a moment and the name of the window, "" outside of all.
func (l Limits) At(now time.Time) (mbPerSecond, rowsPerSecond int, window string) {
	zone, err := time.LoadLocation(l.TimeZone) // "" is UTC
	if err != nil {
		zone = time.UTC // Validate has refused it
	}
	local := now.In(zone)
	minute := local.Hour()*60 + local.Minute()
	for _, w := range l.Windows {
		if slices.ContainsFunc(w.spans(), func(s span) bool { return s.from <= minute && minute < s.to }) {
			return w.MBPerSecond, w.RowsPerSecond, w.From + " to " + w.To
		}
	}
	return l.MBPerSecond, l.RowsPerSecond, ""
}

// span is a part of a day in minutes, to excluded.
type span struct{ from, to int }

const day = 24 * 60

// spans are the parts of a window: two when it goes over midnight; none when it
// is not written as it must be.
func (w LimitWindow) spans() []span {
	from, err1 := clock(w.From)
	to, err2 := clock(w.To)
	switch {
	case err1 != nil || err2 != nil || from == to:
		return nil
	case from < to:
		return []span{{from, to}}
	default:
		return []span{{from, day}, {0, to}}
	}
}

// clock reads hh:mm; 24:00 is the end of the day.
func clock(text string) (minutes int, err error) {
	if text == "24:00" {
		return day, nil
	}
	t, err := time.Parse("15:04", text)
	if err != nil || len(text) != len("15:04") {
		return 0, fmt.Errorf("%q is no time of day", text)
	}
	return t.Hour()*60 + t.Minute(), nil
}

const maxWindows = 3 // drs.md F-03

// Validate returns every wrong field, by its place in the task file.
func (l Limits) Validate() []FieldError {
	v := &validation{}
	v.rates("limits.", l.MBPerSecond, l.RowsPerSecond)
	v.check(len(l.Windows) <= maxWindows, "limits.windows", "at most three")
	_, err := time.LoadLocation(l.TimeZone)
	v.check(err == nil && l.TimeZone != "Local", "limits.time_zone", "must be a name of the time zone database such as Europe/Berlin, or UTC")
	var taken []span
	for i, w := range l.Windows {
		at := fmt.Sprintf("limits.windows[%d].", i)
		v.rates(at, w.MBPerSecond, w.RowsPerSecond)
		for field, text := range map[string]string{"from": w.From, "to": w.To} {
			_, err := clock(text)
			v.check(err == nil, at+field, `must be a time of day, "00:00" to "24:00"`)
		}
		v.check(w.From != w.To, at+"to", "must differ from from")
		for _, s := range w.spans() {
			v.check(!slices.ContainsFunc(taken, func(o span) bool { return s.from < o.to && o.from < s.to }), strings.TrimSuffix(at, "."), "overlaps another window")
			taken = append(taken, s)
		}
	}
	for field, n := range map[string]int{
		"threads_running": l.Load.ThreadsRunning, "replica_lag_seconds": l.Load.ReplicaLagSeconds,
		"history_list": l.Load.HistoryList, "destination_ms": l.Load.DestinationMillis,
	} {
		v.check(n >= 0, "limits.load."+field, "must be 0 (none) or more")
	}
	slices.SortStableFunc(v.errors, func(a, b FieldError) int { return strings.Compare(a.Field, b.Field) })
	return v.errors
}

func (v *validation) rates(at string, mb, rows int) {
	v.check(mb >= 0 && mb <= 9999, at+"mb_per_second", "must be 0 (none) to 9999")
	v.check(rows >= 0, at+"rows_per_second", "must be 0 (none) or more")
}
