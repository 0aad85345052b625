// Package chunk cuts tables into ranges of primary keys, of about equal size in
// bytes. The source finds and compares the boundaries; here they are only
// carried as canonical bytes.
//
// The ranges of a table cover the whole key space: the first is open downwards,
// the last upwards, so rows that come later belong to a range too.
package chunk
