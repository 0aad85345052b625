//go:build full

package activities

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGroups_KilledAtEveryStatement kills the worker's process at every statement
// of the three steps that changes something, before it and after it; on a sharded
// destination, where most are one and the same for each shard, at every ninth.
func TestGroups_KilledAtEveryStatement(t *testing.T) {
	for server, stride := range map[string]int{"mysql97": 1, behindDDM: 9} {
		t.Run(server, func(t *testing.T) {
			p := newParted(t, server)
			p.start()
			statements := map[string]int{}
			for at, group := 1, 1; ; at, group = at+stride, group+2 {
				before := p.round(group, at, false, false)
				after := p.round(group+1, at, true, false)
				for activity := range before {
					statements[activity]++
				}
				if len(before)+len(after) == 0 {
					break
				}
			}
			require.Len(t, statements, 3)
			for _, n := range statements {
				require.GreaterOrEqual(t, n*stride, 20)
			}
			t.Log(statements)
		})
	}
}
