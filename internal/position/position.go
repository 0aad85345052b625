package position

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Position is one place in a source's history; JSON-stable, since checkpoints
// and workflow state keep it.
type Position struct {
	Flavor Flavor `json:"flavor"`
	// Server is the identity File and Offset belong to: server_uuid, or
	// "id:<server_id>" where the server has none (5.5, MariaDB).
	Server string `json:"server,omitempty"`
	// File and Offset are the place in the binlog. Offset counts event sizes
	// and so goes on beyond the 4 GiB at which the event header wraps.
	File   string `json:"file,omitempty"`
	Offset uint64 `json:"offset,omitempty"`
	// Created is when File was made (the time of its format event, seconds), 0
	// unknown: a restored source may have a file of the same name.
	Created uint32 `json:"created,omitempty"`
	// GTID is the set of transactions before this place; nil for a source
	// without GTIDs, "" for an empty set.
	GTID *string `json:"gtid,omitempty"`
}

// IsZero says whether the position says nothing.
func (p Position) IsZero() bool { return p.File == "" && p.GTID == nil }

// HasGTID says whether the set decides.
func (p Position) HasGTID() bool { return p.GTID != nil }

// Set parses the GTID set; the empty set of the flavor when there is none.
func (p Position) Set() (Set, error) {
	if p.GTID == nil {
		return ParseSet(p.Flavor, "")
	}
	return ParseSet(p.Flavor, *p.GTID)
}

// InHistory says whether a server's history contains the position's GTID set.
// executed is the server's gtid_executed, or MariaDB's gtid_binlog_state.
func (p Position) InHistory(executed string) (bool, error) {
	mine, err := p.Set()
	if err != nil {
		return false, err
	}
	if p.Flavor == MariaDB {
		return mine.InState(executed)
	}
	all, err := ParseSet(p.Flavor, executed)
	return err == nil && all.Contains(mine), err
}

// WithSet returns the position with another GTID set.
func (p Position) WithSet(s Set) Position {
	text := s.String()
	p.GTID = &text
	return p
}

// Covers says whether everything before o is also before p. Positions without
// GTIDs of different servers cannot be compared: that is an error, never a guess.
func (p Position) Covers(o Position) (bool, error) {
	if p.HasGTID() && o.HasGTID() {
		mine, err := p.Set()
		if err != nil {
			return false, err
		}
		theirs, err := o.Set()
		if err != nil {
			return false, err
		}
		return mine.Contains(theirs), nil
	}
	if p.Server != o.Server {
		return false, fmt.Errorf("compare binlog positions: %s:%d and %s:%d are of different servers", p.File, p.Offset, o.File, o.Offset)
	}
	return CompareFile(p.File, p.Offset, o.File, o.Offset) >= 0, nil
}

// CompareFile orders two places of one server: by the number at the end of the
// file name (999999 is followed by 1000000), then by offset.
func CompareFile(fileA string, offsetA uint64, fileB string, offsetB uint64) int {
	if fileA != fileB {
		a, okA := FileNumber(fileA)
		b, okB := FileNumber(fileB)
		if okA && okB && a != b {
			return cmp.Compare(a, b)
		}
		if c := cmp.Compare(fileA, fileB); c != 0 {
			return c
		}
	}
	return cmp.Compare(offsetA, offsetB)
}

// FileNumber returns the number at the end of a binlog file's name.
func FileNumber(file string) (uint64, bool) {
	dot := strings.LastIndexByte(file, '.')
	if dot < 0 {
		return 0, false
	}
	n, err := strconv.ParseUint(file[dot+1:], 10, 64)
	return n, err == nil
}

// String prints the position for people, the GTID set clipped to 200 characters.
func (p Position) String() string {
	text := fmt.Sprintf("%s:%d", p.File, p.Offset)
	if p.GTID != nil {
		g := *p.GTID
		if len(g) > 200 {
			g = g[:200] + "…"
		}
		text += " gtid " + g
	}
	return text
}
