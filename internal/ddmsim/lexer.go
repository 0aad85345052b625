package ddmsim

import "strings"

// tokenKind says what a token is.
type tokenKind uint8

const (
	tokWord     tokenKind = iota // bare identifier or keyword
	tokQuoted                    // `identifier`
	tokString                    // '…' or "…"
	tokNumber                    // 1, 1.5, 1e3
	tokHex                       // 0x12, x'12'
	tokBit                       // 0b1, b'1'
	tokVariable                  // @x, @@x, :=
	tokParam                     // ?
	tokSymbol                    // everything else, one operator each
)

// token is a half-open byte span of the statement.
type token struct {
	kind       tokenKind
	start, end int32
}

// scan cuts one statement into tokens. It refuses comments (D-10) and more
// than one statement (D-11). A string literal keeps its source form: rows are
// later copied byte by byte.
func scan(sql string) (*text, error) {
	t := &text{sql: sql, tok: make([]token, 0, 16+len(sql)/8)}
	s := scanner{src: sql, out: t}
	for s.pos < len(sql) {
		if err := s.next(); err != nil {
			return nil, err
		}
	}
	for len(t.tok) > 0 && t.at(len(t.tok)-1, ";") {
		t.tok = t.tok[:len(t.tok)-1]
	}
	for i := range t.tok {
		if t.at(i, ";") {
			return nil, refuse("D-11", "several statements in one packet")
		}
	}
	if s.blank != nil {
		t.sql = string(s.blank)
	}
	if n := len(t.tok); n > 0 {
		t.sql = t.sql[:t.tok[n-1].end]
	}
	return t, nil
}

type scanner struct {
	src     string
	pos     int
	out     *text
	version bool   // inside /*!40101 … */
	blank   []byte // copy of src with hints blanked, made when there is one
}

func (s *scanner) emit(k tokenKind, start int) {
	s.out.tok = append(s.out.tok, token{k, int32(start), int32(s.pos)})
}

func (s *scanner) peek(n int) byte {
	if s.pos+n < len(s.src) {
		return s.src[s.pos+n]
	}
	return 0
}

func (s *scanner) next() error {
	start, c := s.pos, s.src[s.pos]
	switch {
	case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == 0:
		s.pos++
		return nil
	case c == '\'' || c == '"' || c == '`':
		return s.quoted(start, c)
	case isDigit(c) || c == '.' && isDigit(s.peek(1)):
		s.number(start)
		return nil
	case isWordByte(c):
		return s.word(start)
	case c == '#' || c == '-' && s.peek(1) == '-' && (s.pos+2 >= len(s.src) || s.src[s.pos+2] <= ' '):
		return refuse("D-10", "comments are not supported")
	case c == '/' && s.peek(1) == '*':
		return s.comment()
	case s.version && c == '*' && s.peek(1) == '/':
		s.version = false
		s.blankOut(start, start+2)
		s.pos += 2
		return nil
	case c == '@':
		for s.pos < len(s.src) && (s.src[s.pos] == '@' || s.src[s.pos] == '.' || isWordByte(s.src[s.pos])) {
			s.pos++
		}
		if s.pos < len(s.src) && strings.IndexByte("'\"`", s.src[s.pos]) >= 0 {
			if err := s.quoted(s.pos, s.src[s.pos]); err != nil {
				return err
			}
			s.out.tok = s.out.tok[:len(s.out.tok)-1]
		}
		s.emit(tokVariable, start)
		return nil
	case c == '?':
		s.pos++
		s.emit(tokParam, start)
		return nil
	}
	s.symbol(start)
	return nil
}

func (s *scanner) symbol(start int) {
	for _, op := range []string{"->>", "<=>", "->", ":=", "<=", ">=", "<>", "!=", "<<", ">>", "||", "&&"} {
		if strings.HasPrefix(s.src[s.pos:], op) {
			s.pos += len(op)
			s.emit(tokSymbol, start)
			return
		}
	}
	s.pos++
	s.emit(tokSymbol, start)
}

// quoted reads to the closing quote; a doubled quote and (not in backticks) a
// backslash escape do not close.
func (s *scanner) quoted(start int, q byte) error {
	kind := tokString
	if q == '`' {
		kind = tokQuoted
	}
	for i := s.pos + 1; i < len(s.src); i++ {
		switch c := s.src[i]; {
		case c == '\\' && q != '`':
			i++
		case c != q:
		case i+1 < len(s.src) && s.src[i+1] == q:
			i++
		default:
			s.pos = i + 1
			s.emit(kind, start)
			return nil
		}
	}
	return syntaxError("unterminated quote")
}

func (s *scanner) number(start int) {
	c, n := s.src[s.pos], s.peek(1)
	if c == '0' && (n == 'x' || n == 'b') {
		end := s.pos + 2
		for end < len(s.src) && isWordByte(s.src[end]) {
			end++
		}
		digits, kind := "0123456789abcdefABCDEF", tokHex
		if n == 'b' {
			digits, kind = "01", tokBit
		}
		if end > s.pos+2 && strings.Trim(s.src[s.pos+2:end], digits) == "" {
			s.pos = end
			s.emit(kind, start)
			return
		}
	}
	for s.pos < len(s.src) && isDigit(s.src[s.pos]) {
		s.pos++
	}
	if s.pos < len(s.src) && isWordByte(s.src[s.pos]) && !isExponent(s.src[s.pos:]) {
		for s.pos < len(s.src) && isWordByte(s.src[s.pos]) { // an identifier may start with digits
			s.pos++
		}
		s.emit(tokWord, start)
		return
	}
	if s.pos < len(s.src) && s.src[s.pos] == '.' {
		s.pos++
		for s.pos < len(s.src) && isDigit(s.src[s.pos]) {
			s.pos++
		}
	}
	if isExponent(s.src[s.pos:]) {
		s.pos += 2
		for s.pos < len(s.src) && isDigit(s.src[s.pos]) {
			s.pos++
		}
	}
	s.emit(tokNumber, start)
}

// isExponent reports whether s starts with e5, e+5 or e-5.
func isExponent(s string) bool {
	if len(s) < 2 || s[0] != 'e' && s[0] != 'E' {
		return false
	}
	if s[1] == '+' || s[1] == '-' {
		return len(s) > 2 && isDigit(s[2])
	}
	return isDigit(s[1])
}

func (s *scanner) word(start int) error {
	c := s.src[s.pos]
	if s.peek(1) == '\'' && (c == 'x' || c == 'X' || c == 'b' || c == 'B') {
		end := strings.IndexByte(s.src[s.pos+2:], '\'')
		if end < 0 {
			return syntaxError("unterminated quote")
		}
		s.pos += 3 + end
		if c == 'x' || c == 'X' {
			s.emit(tokHex, start)
		} else {
			s.emit(tokBit, start)
		}
		return nil
	}
	for s.pos < len(s.src) && isWordByte(s.src[s.pos]) {
		s.pos++
	}
	s.emit(tokWord, start)
	return nil
}

// comment reads a hint, opens a version comment, or refuses.
func (s *scanner) comment() error {
	start := s.pos
	end := strings.Index(s.src[s.pos+2:], "*/")
	if end < 0 {
		return syntaxError("unterminated comment")
	}
	end += s.pos + 2
	body := s.src[s.pos+2 : end]
	switch {
	case strings.HasPrefix(body, "+"), strings.HasPrefix(body, "!") && len(body) > 1 && !isDigit(body[1]) && strings.Contains(body, ":"):
		s.out.hints = append(s.out.hints, strings.TrimSpace(body[1:]))
		s.blankOut(start, end+2)
		s.pos = end + 2
		return nil
	case strings.HasPrefix(body, "!"):
		s.version = true
		s.pos += 3
		for s.pos < len(s.src) && isDigit(s.src[s.pos]) {
			s.pos++
		}
		s.blankOut(start, s.pos)
		return nil
	}
	return refuse("D-10", "comments are not supported")
}

func (s *scanner) blankOut(from, to int) {
	if s.blank == nil {
		s.blank = []byte(s.src)
	}
	for i := from; i < to; i++ {
		s.blank[i] = ' '
	}
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80
}
