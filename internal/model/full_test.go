//go:build full

package model

import "testing"

// TestModel_HoldsAtLargerBounds takes a quarter of an hour on two cores.
func TestModel_HoldsAtLargerBounds(t *testing.T) {
	holds(t,
		bounds{lives: []int{0}},
		bounds{takeovers: 1, lives: []int{1, 3, 4, 5, 6}},
		bounds{takeovers: 2, lives: []int{8, 9}},
		bounds{during: true, lives: []int{1, 3, 4, 5, 6, 7}},
		bounds{during: true, takeovers: 1, lives: []int{2, 5, 7}},
	)
}
