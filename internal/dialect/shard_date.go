package dialect

import (
	"strings"
	"time"

	"shardlift/internal/row"
	"shardlift/internal/table"
)

// dateNumber is the number that the date algorithms take modulo the shards.
func dateNumber(algorithm string, c *table.Column, v row.Value) (uint64, bool) {
	day, ok := dayOf(c, v)
	if !ok {
		return 0, false
	}
	switch algorithm {
	case "YYYYMM":
		return uint64(day.Year()*12 + int(day.Month())), true
	case "YYYYDD":
		return uint64(day.Year()*366 + day.YearDay()), true
	case "YYYYWEEK":
		year, week := day.ISOWeek() // the manual's example is week 1 of the next year
		return uint64(year*54 + week), true
	default:
		return 0, false
	}
}

// dateFunction evaluates the functions that HASH and RANGE may have around a column.
func dateFunction(function string, c *table.Column, v row.Value) (uint64, bool) {
	day, ok := dayOf(c, v)
	if !ok {
		return 0, false
	}
	switch strings.ToLower(function) {
	case "year":
		return uint64(day.Year()), true
	case "month":
		return uint64(day.Month()), true
	case "weekofyear":
		_, week := day.ISOWeek()
		return uint64(week), true
	case "day":
		return uint64(day.Day()), true
	default:
		return 0, false
	}
}

// dayOf reads the date part, for the calendar only; TIMESTAMPs are UTC here as
// they are in our sessions. Zero and partial dates have no stated shard.
func dayOf(c *table.Column, v row.Value) (time.Time, bool) {
	switch c.Type {
	case table.TypeDate, table.TypeDateTime, table.TypeTimestamp:
	default:
		return time.Time{}, false
	}
	if len(v) < len(time.DateOnly) {
		return time.Time{}, false
	}
	day, err := time.Parse(time.DateOnly, string(v[:len(time.DateOnly)]))
	return day, err == nil
}
