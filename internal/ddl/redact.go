package ddl

import "strings"

// maxShown is how much of a statement is shown, in bytes.
const maxShown = 200

// Redact returns the statement for people: literals replaced by ?, comments
// and white space folded, clipped. It holds no value of a row.
func Redact(statement string, mode Mode) string {
	l := lexer{sql: statement, mode: mode, code: true}
	var out strings.Builder
	last := 0
	for out.Len() < maxShown {
		t := l.next()
		if t.kind == end {
			return out.String()
		}
		if out.Len() > 0 && t.start > last {
			out.WriteByte(' ')
		}
		last = t.end
		switch t.kind {
		case text, number:
			out.WriteByte('?')
		default:
			out.WriteString(strings.ToValidUTF8(statement[t.start:t.end], "?"))
		}
	}
	return strings.ToValidUTF8(out.String()[:maxShown], "") + "…"
}
