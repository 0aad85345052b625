//go:build full

package fidelity

import (
	"fmt"
	"testing"
	"time"

	"shardlift/internal/testdb"
)

// TestItem3_EverySourceAndDestination repeats the keys with more changes and
// other seeds; the seed is in the name of the test.
func TestItem3_EverySourceAndDestination(t *testing.T) {
	seed := uint64(time.Now().Unix())
	for i, source := range testdb.Versions() {
		for k, to := range []product{plain("mysql57"), plain("mysql97"), simulator("mysql57"), simulator("mysql80")} {
			seed := seed + uint64(10*i+k)
			t.Run(fmt.Sprintf("%s to %s seed %d", source, to.name, seed), func(t *testing.T) { keysWhileWritten(t, source, to, seed, 80) })
		}
	}
}

// TestItem2_EverySourceAndDestination has all pairs of the forms.
func TestItem2_EverySourceAndDestination(t *testing.T) {
	for _, source := range testdb.Versions() {
		for _, to := range []product{plain("mysql57"), plain("mysql97"), simulator("mysql57"), simulator("mysql80")} {
			t.Run(source+" to "+to.name, func(t *testing.T) { everyShape(t, source, to) })
		}
	}
}
