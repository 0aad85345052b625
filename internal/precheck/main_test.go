package precheck

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"

	"shardlift/internal/contract"
)

// seen collects which verdicts the tests of this package saw of each item.
var seen struct {
	sync.Mutex
	verdicts map[string][]contract.Verdict
}

func see(r contract.PrecheckItemResult) {
	seen.Lock()
	defer seen.Unlock()
	if seen.verdicts == nil {
		seen.verdicts = map[string][]contract.Verdict{}
	}
	if !slices.Contains(seen.verdicts[r.Code], r.Verdict) {
		seen.verdicts[r.Code] = append(seen.verdicts[r.Code], r.Verdict)
	}
}

// withoutFailure are items of which no server of this package's tests can show a
// failure, and why.
var withoutFailure = map[string]string{
	"srcBinlogCompression": "informs only",
	"srcPerconaJemalloc":   "Percona Server cannot be had",
	"dstVitessRouting":     "on a real Vitess: internal/testvitess",
}

// TestMain wants of a whole run that each item has been seen to pass and not to
// pass on a real server.
func TestMain(m *testing.M) {
	status := m.Run()
	if f := flag.Lookup("test.run"); status == 0 && f.Value.String() == "" {
		status = unseen()
	}
	os.Exit(status)
}

func unseen() (status int) {
	for _, i := range all() {
		passed := slices.Contains(seen.verdicts[i.code], contract.Passed)
		other := slices.ContainsFunc(seen.verdicts[i.code], func(v contract.Verdict) bool { return v != contract.Passed })
		if _, known := withoutFailure[i.code]; !passed || !other && !known {
			fmt.Printf("%s: no fixture that %s\n", i.code, map[bool]string{true: "does not pass", false: "passes"}[passed])
			status = 1
		}
	}
	return status
}
