package mutants

import "slices"

// Guards are the guards of the data path that are taken out one at a time. Add
// one with each new guard; a text is as short as is found once.
func Guards() []Guard {
	return slices.Concat(applyGuards(), copyGuards(), valueGuards(), streamGuards(), lossGuards())
}
