package ddl

import (
	"strconv"
	"strings"
)

// Mode says how the server read the statement.
type Mode struct {
	// ANSIQuotes: "x" is a name, not a text.
	ANSIQuotes bool
	// NoBackslashEscapes: a backslash in a text is a backslash.
	NoBackslashEscapes bool
	// DoubleByte: the client's character set is one of gbk, gb18030, big5, sjis
	// and cp932, whose second bytes may look like a quote or a backslash.
	DoubleByte bool
	// Version is the MySQL that read the statement, as 80036; 0 unknown, or MariaDB.
	Version int
	// Foreign: the client's character set is not UTF-8, so that names beyond
	// ASCII cannot be compared.
	Foreign bool
}

type tokenKind uint8

const (
	end     tokenKind = iota
	word              // unquoted name or keyword
	quoted            // name in backticks or ANSI quotes
	text              // literal in quotes
	number            // literal number, hex and bit literals included
	symbol            // one byte
	version           // start or end of a versioned comment read as code
)

type token struct {
	kind tokenKind
	// value is the name without quotes, or the text as written.
	value string
	// upper is the keyword in upper case; only of words.
	upper string
	start int
	end   int
}

// is says whether the token is this keyword or this symbol.
func (t token) is(s string) bool {
	return t.kind == word && t.upper == s || t.kind == symbol && t.value == s
}

// isName says whether the token can be a name.
func (t token) isName() bool { return t.kind == word || t.kind == quoted }

// lexer cuts a statement into tokens.
type lexer struct {
	sql  string
	mode Mode
	// code: versioned comments are read as code.
	code bool
	at   int
	// versioned: a versioned comment was seen.
	versioned bool
	// broken: a quote or a comment is not closed.
	broken bool
	depth  int // versioned comments that are open
}

// next returns the next token.
func (l *lexer) next() token {
	l.skip()
	start := l.at
	if start >= len(l.sql) {
		return token{kind: end, start: start, end: start}
	}
	c := l.sql[start]
	switch {
	case c == '`' || c == '"' && l.mode.ANSIQuotes:
		return token{kind: quoted, value: l.quotes(c, false), start: start, end: l.at}
	case c == '\'' || c == '"':
		l.quotes(c, !l.mode.NoBackslashEscapes)
		return token{kind: text, value: l.sql[start:l.at], start: start, end: l.at}
	case (c == 'x' || c == 'X' || c == 'b' || c == 'B' || c == 'n' || c == 'N') && start+1 < len(l.sql) && l.sql[start+1] == '\'':
		l.at++
		l.quotes('\'', !l.mode.NoBackslashEscapes)
		return token{kind: text, value: l.sql[start:l.at], start: start, end: l.at}
	case isWordByte(c):
		return l.word()
	default:
		l.at++
		return token{kind: symbol, value: l.sql[start:l.at], start: start, end: l.at}
	}
}

// word reads a name, a keyword or a number: MySQL's names may start with digits.
func (l *lexer) word() token {
	start, digits := l.at, true
	for l.at < len(l.sql) && isWordByte(l.sql[l.at]) {
		c := l.sql[l.at]
		digits = digits && (c >= '0' && c <= '9' || l.at == start+1 && l.sql[start] == '0' && (c == 'x' || c == 'b'))
		l.at += l.step()
	}
	value := l.sql[start:l.at]
	if digits || strings.HasPrefix(value, "0x") {
		return token{kind: number, value: value, start: start, end: l.at}
	}
	return token{kind: word, value: value, upper: strings.ToUpper(value), start: start, end: l.at}
}

// step is the length of the character here: two bytes for a lead byte.
func (l *lexer) step() int {
	if l.mode.DoubleByte && l.sql[l.at] >= 0x81 && l.at+1 < len(l.sql) {
		return 2
	}
	return 1
}

// quotes reads up to the closing quote and returns what stands between, with
// doubled quotes undone.
func (l *lexer) quotes(quote byte, backslash bool) string {
	l.at++
	start, doubled := l.at, false
	for l.at < len(l.sql) {
		c := l.sql[l.at]
		switch {
		case c == '\\' && backslash:
			l.at += 2
			continue
		case c == quote && l.at+1 < len(l.sql) && l.sql[l.at+1] == quote:
			doubled = true
			l.at += 2
			continue
		case c == quote:
			value := l.sql[start:l.at]
			l.at++
			if doubled {
				value = strings.ReplaceAll(value, string([]byte{quote, quote}), string(quote))
			}
			return value
		}
		l.at += l.step()
	}
	l.at = len(l.sql)
	l.broken = true
	return l.sql[start:]
}

// skip passes white space and comments.
func (l *lexer) skip() {
	for l.at < len(l.sql) {
		rest := l.sql[l.at:]
		switch {
		case rest[0] == ' ' || rest[0] >= '\t' && rest[0] <= '\r' || rest[0] == 0:
			l.at++
		case rest[0] == '#':
			l.line()
		case strings.HasPrefix(rest, "--") && (len(rest) == 2 || rest[2] <= ' '):
			l.line()
		case strings.HasPrefix(rest, "/*"):
			l.comment()
		case l.depth > 0 && strings.HasPrefix(rest, "*/"):
			l.depth--
			l.at += 2
		default:
			return
		}
	}
}

func (l *lexer) line() {
	if n := strings.IndexByte(l.sql[l.at:], '\n'); n >= 0 {
		l.at += n + 1
		return
	}
	l.at = len(l.sql)
}

// comment passes a comment, or only the opening of one that is code. Within a
// versioned comment MySQL allows plain comments.
func (l *lexer) comment() {
	rest := l.sql[l.at:]
	head := 0
	switch {
	case strings.HasPrefix(rest, "/*!"):
		head = 3
	case strings.HasPrefix(rest, "/*M!"):
		head = 4
	}
	digits := head
	for head > 0 && digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
		digits++
	}
	code, known := l.isCode(rest[:head], rest[head:digits])
	if head > 0 && !known {
		l.versioned, code = true, l.code
	}
	if head == 0 || !code {
		l.closeComment(2, head > 0)
		return
	}
	l.at += digits
	l.depth++
}

// isCode says whether the server read a comment as code, as far as that is known.
func (l *lexer) isCode(head, version string) (code, known bool) {
	switch {
	case head != "/*!" || version != "" && len(version) != len(always):
		return false, false
	case version <= always:
		return true, true
	case l.mode.Version > 0:
		n, err := strconv.Atoi(version)
		return n <= l.mode.Version, err == nil
	default:
		return false, false
	}
}

// always is the newest version in a comment that every server here reads as
// code, as in the DROP /*!40005 TEMPORARY */ TABLE that servers write when a
// session ends.
const always = "50500"

// closeComment passes everything up to the end of the comment; a versioned one
// may hold plain comments.
func (l *lexer) closeComment(head int, nested bool) {
	l.at += head
	for l.at < len(l.sql) {
		switch {
		case strings.HasPrefix(l.sql[l.at:], "*/"):
			l.at += 2
			return
		case nested && strings.HasPrefix(l.sql[l.at:], "/*"):
			l.closeComment(2, false)
		default:
			l.at++
		}
	}
	l.broken = true
}

// isWordByte says whether a byte belongs to an unquoted name.
func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80
}
