package main

import (
	"time"

	"shardlift/web/api"
)

// oldest is how far a number is carried on from its last report: heartbeats
// bring one every ten seconds at most.
const oldest = 12 * time.Second

// estimate is the copy's progress between two reports. What it shows never
// falls and never reaches 100 % by itself.
type estimate struct {
	at      time.Time
	rows    int64
	percent float64
	full    api.FullProgress

	shownRows    int64
	shownPercent float64
}

// report takes a task's numbers. Only numbers that have changed are news: the
// same ones again do not start the time anew.
func (e *estimate) report(f api.FullProgress, now time.Time) {
	rows, percent := value(f.RowsDone), float64(value(f.Percent))
	if rows < e.rows || percent < e.percent { // a reset, or a lane that was counted anew
		e.shownRows, e.shownPercent = rows, percent
	}
	if e.at.IsZero() || rows != e.rows || percent != e.percent {
		e.at = now
	}
	e.rows, e.percent, e.full = rows, percent, f
}

// show returns rows and percent for now.
func (e *estimate) show(now time.Time) (rows int64, percent float64) {
	rows, percent = e.rows, e.percent
	elapsed := min(now.Sub(e.at), oldest).Seconds()
	speed, total := value(e.full.RowsPerSecond), value(e.full.RowsEstimated)
	if speed > 0 && elapsed > 0 && percent < 100 {
		more := int64(speed * elapsed)
		if rows < total { // an estimate that was passed says nothing
			more = min(more, total-rows)
		}
		rows += more
		if total > 0 {
			percent = min(percent+float64(more)*100/float64(total), 99.9)
		}
	}
	e.shownRows, e.shownPercent = max(rows, e.shownRows), min(max(percent, e.shownPercent), 100)
	return e.shownRows, e.shownPercent
}

// remaining is the time left, counted down from the report.
func (e *estimate) remaining(now time.Time) *int64 {
	if e.full.RemainingSeconds == nil {
		return nil
	}
	return new(max(*e.full.RemainingSeconds-int64(now.Sub(e.at).Seconds()), 0))
}
