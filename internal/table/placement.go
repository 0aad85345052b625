package table

// Kind says how a destination keeps a table.
type Kind string

const (
	// Single: one physical table on one data node (DDM: unsharded); plain servers have only these.
	Single Kind = "single"
	// Broadcast: the same rows on every shard.
	Broadcast Kind = "broadcast"
	// Sharded: each row on the one physical table that its shard key says.
	Sharded Kind = "sharded"
)

// Rule is one level of sharding. Algorithm is upper case as DDM's SHOW RULE
// prints it, e.g. "MOD_HASH", or VITESS_ and a vindex's type; empty means that
// the level does not exist.
type Rule struct {
	Algorithm string `json:"algorithm,omitempty"`
	Column    string `json:"column,omitempty"`
	// Function is the date function around the column ("year"), or empty.
	Function string `json:"function,omitempty"`
	// Offset is RIGHT_SHIFT's number of bits.
	Offset int `json:"offset,omitempty"`
	// Ranges is RANGE's list as the middleware prints it.
	Ranges string `json:"ranges,omitempty"`
	Count  int    `json:"count"`
}

// Placement says where the rows of one destination table live.
type Placement struct {
	Kind     Kind `json:"kind"`
	Database Rule `json:"database"`
	Table    Rule `json:"table"`
	// Shards is the number of physical shards of the schema, at least 1.
	Shards int `json:"shards"`
	// Sequence is the sequence that fills the table's auto-increment column, or empty.
	Sequence string `json:"sequence,omitempty"`
	// ZeroAsText: the sequence takes a number 0 for a wish for its next value,
	// whatever the sql_mode, but stores a text '0' as it is (Vitess).
	ZeroAsText bool `json:"zero_as_text,omitempty"`
}

// ShardColumns returns the distinct names of the columns that route a row.
func (p Placement) ShardColumns() []string {
	if p.Kind != Sharded {
		return nil
	}
	out := []string{}
	if p.Database.Column != "" {
		out = append(out, p.Database.Column)
	}
	if c := p.Table.Column; c != "" && c != p.Database.Column {
		out = append(out, c)
	}
	return out
}
