//go:build full

package activities

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGroups_KilledAtEveryStatement kills the worker's process at every statement
// of the three steps that changes something, before it and after it.
func TestGroups_KilledAtEveryStatement(t *testing.T) {
	for _, server := range []string{"mysql97", behindDDM} {
		t.Run(server, func(t *testing.T) {
			p := newParted(t, server)
			p.start()
			statements := map[string]int{}
			for at, group := 1, 1; ; at++ {
				before := p.round(group, at, false, false)
				after := p.round(group+1, at, true, false)
				group += 2
				require.Equal(t, before, after)
				for activity := range before {
					statements[activity]++
				}
				if len(before) == 0 {
					break
				}
			}
			require.Len(t, statements, 3)
			for _, n := range statements {
				require.GreaterOrEqual(t, n, 20)
			}
			t.Log(statements)
		})
	}
}
