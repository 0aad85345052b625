package table

// KeyRange is a range of primary keys of one table: rows with
// Lower < key <= Upper. A nil bound is open; both nil is the whole table. A
// bound has one canonical value (package row) per column of the primary key;
// it is compared by the server only, never in Go.
type KeyRange struct {
	Lower [][]byte `json:"lower,omitempty"`
	Upper [][]byte `json:"upper,omitempty"`
}
