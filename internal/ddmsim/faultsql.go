package ddmsim

import (
	"strconv"
	"time"

	"vitess.io/vitess/go/sqltypes"
)

// faultStatement injects faults by SQL, for programs that have no Go API:
//
//	DDMSIM FAULT NODE n DOWN | UP | CUT
//	DDMSIM FAULT SLOW 'pattern' milliseconds [TIMES k]
//	DDMSIM FAULT ERROR code 'pattern' [TIMES k]
//	DDMSIM FAULT DROP 'pattern' [AFTER] [TIMES k]
//	DDMSIM FAULT DROP CLIENTS
//	DDMSIM FAULT COMMIT shards [TIMES k]
//	DDMSIM FAULT CLEAR
//	DDMSIM SHOW FAULTS
func (ss *session) faultStatement(t *text) (*sqltypes.Result, error) {
	f := ss.server.faults
	if t.starts(1, "SHOW", "FAULTS") {
		return textResult([]string{"FAULT", "PATTERN", "LEFT"}, f.list()), nil
	}
	if !t.at(1, "FAULT") {
		return nil, syntaxError("DDMSIM FAULT … or DDMSIM SHOW FAULTS")
	}
	times := 0
	if end := t.len(); t.at(end-2, "TIMES") {
		n, err := strconv.Atoi(t.src(end - 1))
		if err != nil {
			return nil, syntaxError("TIMES needs a number")
		}
		times = n
	}
	pattern := func(i int) string {
		if t.kind(i) != tokString {
			return ""
		}
		return unquote(t.src(i))
	}
	number := func(i int) int {
		n, err := strconv.Atoi(t.src(i))
		if err != nil {
			return -1
		}
		return n
	}
	switch {
	case t.at(2, "CLEAR"):
		f.Clear()
		return ok, nil
	case t.at(2, "NODE") && number(3) >= 0 && number(3) < len(ss.server.cfg.Nodes):
		return ok, ss.nodeFault(t, number(3))
	case t.at(2, "SLOW") && pattern(3) != "" && number(4) >= 0:
		return ok, f.Slow(pattern(3), time.Duration(number(4))*time.Millisecond, times)
	case t.at(2, "ERROR") && number(3) > 0 && pattern(4) != "":
		return ok, f.Fail(pattern(4), number(3), "", times)
	case t.starts(2, "DROP", "CLIENTS"):
		f.DropClients()
		return nil, errDropClient
	case t.at(2, "DROP") && pattern(3) != "":
		return ok, f.DropClient(pattern(3), t.at(4, "AFTER"), times)
	case t.at(2, "COMMIT") && number(3) >= 0:
		f.FailCommit(number(3), max(times, 1))
		return ok, nil
	}
	return nil, syntaxError("DDMSIM FAULT NODE | SLOW | ERROR | DROP | COMMIT | CLEAR …")
}

func (ss *session) nodeFault(t *text, node int) error {
	switch {
	case t.at(4, "DOWN"):
		ss.server.faults.NodeDown(node)
	case t.at(4, "UP"):
		ss.server.faults.NodeUp(node)
	case t.at(4, "CUT"):
		ss.server.faults.CutNode(node)
	default:
		return syntaxError("DDMSIM FAULT NODE n DOWN | UP | CUT")
	}
	return nil
}
