package destination

import (
	"slices"

	"shardlift/internal/mysqlconn"
	"shardlift/internal/table"
)

// unicode are the character sets that have every character of every other one.
var unicode = []string{"utf8mb4", "utf16", "utf16le", "utf32"}

// ComparableExprs returns what to select on the source (column from) and on the
// destination (column to) so that equal texts give equal bytes and no others do.
// Where character sets differ one side is converted by its server: the source's
// into a Unicode set, since sets like sjis and cp932 have two codes for some
// characters, of which the way back gives one. key says that the source's value
// is used in conditions and must come as it is.
func ComparableExprs(from, to table.Column, key bool) (source, destination string) {
	source, destination = mysqlconn.SelectExpr(from), storedExpr(to)
	switch {
	case sameBytes(from, to):
		return source, destination
	case !key && slices.Contains(unicode, to.Charset):
		return converted(source, to.Charset), destination
	default:
		return source, ExprIn(to, from)
	}
}

// storedExpr selects a column so that it comes whole where a middleware reads its
// shards by the text protocol and in utf8mb4 (vtgate): text in the column's own
// character set, FLOAT, which prints six digits, as a double, VECTOR, which
// vtgate 24.0 sends so that the rows behind it are lost without an error, as
// bytes.
func storedExpr(c table.Column) string {
	name := mysqlconn.SelectExpr(c)
	if c.Type == table.TypeFloat {
		return "(" + name + " * 1e0)" // + 0e0 would lose the sign of -0
	}
	if c.Type == table.TypeVector {
		return "CAST(" + name + " AS BINARY)"
	}
	if c.Type != table.TypeText || slices.Contains([]string{"", "utf8mb4", "utf8", "ascii", "binary"}, c.Charset) {
		return name
	}
	return "CAST(" + name + " AS BINARY)"
}

// ExprIn selects column c so that its text has column as's character set.
func ExprIn(c, as table.Column) string {
	if sameBytes(c, as) {
		return storedExpr(c)
	}
	name := mysqlconn.SelectExpr(c)
	if slices.Contains(unicode, as.Charset) {
		return converted(name, as.Charset)
	}
	there := "CONVERT(" + name + " USING " + as.Charset + ")"
	back := "CONVERT(" + there + " USING " + c.Charset + ")"
	return "IF(CAST(" + back + " AS BINARY) = CAST(" + name + " AS BINARY), CAST(" + there + " AS BINARY), " + marked(name) + ")"
}

// converted selects a text in a set that has all characters. What is none comes
// as a question mark: there are more of them then than before. NULL is neither.
func converted(name, to string) string {
	there := "CONVERT(" + name + " USING " + to + ")"
	return "IF(" + Unrepresentable(name, to) + ", " + marked(name) + ", CAST(" + there + " AS BINARY))"
}

// Unrepresentable is the condition that a text, named by an expression, has
// something that is no character of another set.
func Unrepresentable(name, to string) string {
	return questions("CONVERT("+name+" USING "+to+")") + " <> " + questions(name)
}

func questions(text string) string {
	return "CHAR_LENGTH(" + text + ") - CHAR_LENGTH(REPLACE(" + text + ", '?', ''))"
}

// marked stands for a text that has no place in the other set: no text of the
// other side is like it, a question mark least of all.
func marked(name string) string { return "CONCAT(0x00ff00ff, HEX(" + name + "))" }

// sameBytes says whether equal texts of both columns are equal bytes.
func sameBytes(a, b table.Column) bool {
	if a.Type != table.TypeText || b.Type != table.TypeText || a.Charset == b.Charset || a.Charset == "" || b.Charset == "" {
		return true
	}
	utf8 := func(c table.Column) bool { return c.Charset == "utf8" || c.Charset == "utf8mb4" }
	return utf8(a) && utf8(b)
}
