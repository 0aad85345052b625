package checkpoint

import (
	"cmp"
	"fmt"
)

// Token orders the attempts that may write: the epoch comes from the Store
// (NewEpoch), the box is counted by the workflow, the attempt by Temporal.
type Token struct {
	Epoch   int64
	Box     int64
	Attempt int32
}

// Compare is below 0 when t is older than o, 0 when they are the same attempt.
func (t Token) Compare(o Token) int {
	return cmp.Or(cmp.Compare(t.Epoch, o.Epoch), cmp.Compare(t.Box, o.Box), cmp.Compare(t.Attempt, o.Attempt))
}

// String prints the token with a fixed width, so that texts compare as tokens
// do; the tables keep this form.
func (t Token) String() string {
	return fmt.Sprintf("%019d.%019d.%010d", t.Epoch, t.Box, t.Attempt)
}
