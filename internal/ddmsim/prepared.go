package ddmsim

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"vitess.io/vitess/go/mysql"
	"vitess.io/vitess/go/sqltypes"
	querypb "vitess.io/vitess/go/vt/proto/query"
)

// maxPlaceholders is the protocol's limit.
const maxPlaceholders = 65535

// prepare scans the statement and counts its placeholders. No column
// definitions are promised: they come with each execution.
func (ss *session) prepare(sql string) ([]*querypb.Field, uint16, error) {
	t, err := scan(sql)
	if err != nil {
		return nil, 0, err
	}
	if t.len() == 0 {
		return nil, 0, sqlError(1065, "42000", "Query was empty")
	}
	n := 0
	for i := range t.tok {
		if t.tok[i].kind == tokParam {
			n++
		}
	}
	if n > maxPlaceholders {
		return nil, 0, sqlError(1390, "HY000", "Prepared statement contains too many placeholders")
	}
	if t.at(0, "PREPARE") || t.at(0, "EXECUTE") {
		return nil, 0, refuse("D-15", "%s in SQL is not supported", t.src(0))
	}
	return nil, uint16(n), nil
}

// bind writes the arguments of an execution into the statement's text.
func bind(p *mysql.PrepareData) (string, error) {
	t, err := scan(p.PrepareStmt)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	size := len(p.PrepareStmt)
	for _, v := range p.BindVars {
		size += len(v.GetValue()) + 2
	}
	b.Grow(size)
	src, at, n := p.PrepareStmt, int32(0), 0
	for _, k := range t.tok {
		if k.kind != tokParam {
			continue
		}
		n++
		v := p.BindVars["v"+strconv.Itoa(n)]
		if v == nil {
			return "", sqlError(1210, "HY000", fmt.Sprintf("Incorrect arguments to execute: no value for parameter %d", n))
		}
		b.WriteString(src[at:k.start])
		writeArgument(&b, v)
		at = k.end
	}
	b.WriteString(src[at:])
	return b.String(), nil
}

var escapes = strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\x00", `\0`)

// writeArgument writes a literal with the argument's exact value. A float keeps
// an exponent: without one MySQL would read a decimal, and lose minus zero.
// Bytes that are no UTF-8 are marked, or the node would warn.
func writeArgument(b *strings.Builder, v *querypb.BindVariable) {
	s := string(v.Value)
	switch v.Type {
	case sqltypes.Null:
		b.WriteString("NULL")
		return
	case sqltypes.Int64, sqltypes.Uint64:
		b.WriteString(s)
		return
	case sqltypes.Float64:
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			b.WriteString(strconv.FormatFloat(f, 'e', -1, 64))
			return
		}
	default: // text and bytes, dates and times
	}
	if !utf8.ValidString(s) {
		b.WriteString("_binary")
	}
	b.WriteByte('\'')
	_, _ = escapes.WriteString(b, s)
	b.WriteByte('\'')
}
