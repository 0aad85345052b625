package fault

// Definitions of comparison (6500-6599).
var ComparisonType = Definition{"SL-6501", Operator, "unknown type of comparison", "compare by objects, rows or values"}
