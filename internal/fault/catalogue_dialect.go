package fault

// Definitions of tables that do not fit their destination (3500-3599).
var (
	ColumnMissing    = Definition{"SL-3501", Operator, "column is missing on the destination", "add the column to the destination table with the source's type"}
	ColumnMismatch   = Definition{"SL-3502", Operator, "column types do not fit", "give the destination column the source's type"}
	ColumnNeedsValue = Definition{"SL-3503", Operator, "destination column is not in the source and needs a value", "make the column nullable, give it a default, or drop it on the destination"}
	NoPrimaryKey     = Definition{"SL-3504", Operator, "table has no primary key", "add a primary key on both sides, or exclude the table"}
	KeyMismatch      = Definition{"SL-3505", Operator, "primary keys do not fit", "give the destination table the source's primary key (with the sharding key added, if need be)"}
	LabelMissing     = Definition{"SL-3506", Operator, "ENUM or SET label is missing on the destination", "give the destination column every label of the source's column"}
	ShardKeyMissing  = Definition{"SL-3507", Operator, "sharding key is not written from the source", "shard the destination table by a column that the source table has"}
)
