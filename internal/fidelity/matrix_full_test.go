//go:build full

package fidelity

import (
	"testing"

	"shardlift/internal/testdb"
)

// TestItem1_FullMatrix takes the corpus from every source to every destination.
func TestItem1_FullMatrix(t *testing.T) {
	for _, source := range testdb.Versions() {
		for _, to := range []product{plain("mysql57"), plain("mysql97"), simulator("mysql57"), simulator("mysql80"), simulator("mysql97")} {
			t.Run(source+" to "+to.name, func(t *testing.T) { everyType(t, source, to) })
		}
	}
}
