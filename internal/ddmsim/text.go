package ddmsim

import "strings"

// text is a scanned statement: its source without hints and its tokens.
type text struct {
	sql   string
	tok   []token
	hints []string // contents of /*+ … */ and /*!name:… */
}

// len returns the number of tokens.
func (t *text) len() int { return len(t.tok) }

// src returns the source of token i, "" beyond the end.
func (t *text) src(i int) string {
	if i < 0 || i >= len(t.tok) {
		return ""
	}
	return t.sql[t.tok[i].start:t.tok[i].end]
}

// kind returns the kind of token i; tokSymbol beyond the end.
func (t *text) kind(i int) tokenKind {
	if i < 0 || i >= len(t.tok) {
		return tokSymbol
	}
	return t.tok[i].kind
}

// at reports whether the symbol or bare word stands at token i.
func (t *text) at(i int, s string) bool {
	if i < 0 || i >= len(t.tok) {
		return false
	}
	k := t.tok[i]
	return (k.kind == tokWord || k.kind == tokSymbol) && int(k.end-k.start) == len(s) && strings.EqualFold(t.sql[k.start:k.end], s)
}

// starts reports whether the bare words stand at tokens i, i+1, ….
func (t *text) starts(i int, words ...string) bool {
	for j, w := range words {
		if !t.at(i+j, w) {
			return false
		}
	}
	return true
}

// ident returns the identifier at token i.
func (t *text) ident(i int) (string, bool) {
	switch t.kind(i) {
	case tokWord:
		return t.src(i), i < len(t.tok)
	case tokQuoted:
		s := t.src(i)
		return strings.ReplaceAll(s[1:len(s)-1], "``", "`"), true
	default:
		return "", false
	}
}

// objectName is a possibly qualified name in the statement.
type objectName struct {
	schema, name string // schema is "" when not written
	first, next  int    // tokens: first of the name, first after it
}

// object reads name or schema.name at token i.
func (t *text) object(i int) (objectName, error) {
	n, ok := t.ident(i)
	if !ok {
		return objectName{}, syntaxError("a name is expected near '" + clip(t.src(i)) + "'")
	}
	if !t.at(i+1, ".") {
		return objectName{name: n, first: i, next: i + 1}, nil
	}
	m, ok := t.ident(i + 2)
	if !ok {
		return objectName{}, syntaxError("a name is expected after '.'")
	}
	return objectName{schema: n, name: m, first: i, next: i + 3}, nil
}

// from returns the source from token i to the end.
func (t *text) from(i int) string {
	if i >= len(t.tok) {
		return ""
	}
	return t.sql[t.tok[i].start:]
}

// before returns the source before token i.
func (t *text) before(i int) string {
	if i >= len(t.tok) {
		return t.sql
	}
	return t.sql[:t.tok[i].start]
}

// between returns the source of tokens i (inclusive) to j (exclusive).
func (t *text) between(i, j int) string {
	if i >= j {
		return ""
	}
	return t.sql[t.tok[i].start:t.tok[j-1].end]
}

// closing returns the token of the parenthesis or brace that closes the one at i.
func (t *text) closing(i int) (int, error) {
	depth := 0
	for j := i; j < len(t.tok); j++ {
		if t.tok[j].kind != tokSymbol {
			continue
		}
		switch t.src(j) {
		case "(", "{":
			depth++
		case ")", "}":
			depth--
			if depth == 0 {
				return j, nil
			}
		}
	}
	return 0, syntaxError("unbalanced parentheses")
}

// clip shortens a piece of the statement for an error message.
func clip(s string) string {
	if len(s) > 40 {
		return s[:40]
	}
	return s
}

// unquote returns the bytes of a string literal.
func unquote(lit string) string {
	q, body := lit[0], lit[1:len(lit)-1]
	if strings.IndexByte(body, '\\') < 0 && strings.IndexByte(body, q) < 0 {
		return body
	}
	out := make([]byte, 0, len(body))
	for i := 0; i < len(body); i++ {
		c := body[i]
		if c == q {
			i++ // doubled
		} else if c == '\\' && i+1 < len(body) {
			i++
			c = unescape(body[i])
			if body[i] == '%' || body[i] == '_' { // kept with the backslash outside of patterns
				out = append(out, '\\')
			}
		}
		out = append(out, c)
	}
	return string(out)
}

func unescape(c byte) byte {
	switch c {
	case '0':
		return 0
	case 'b':
		return '\b'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'Z':
		return 26
	}
	return c
}

// quoteName writes an identifier in backticks.
func quoteName(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }

// quoteText writes a string literal.
func quoteText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\x00", `\0`).Replace(s) + "'"
}
