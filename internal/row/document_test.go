package row

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAppendPlainDoubles_LeavesStringsAlone(t *testing.T) {
	for document, want := range map[string]string{
		`{"a 1.0": [1.0, -0.0, 10.05, "1.0\"2.0", 1e15], "b": 5}`: `{"a 1.0": [1, -0, 10.05, "1.0\"2.0", 1e15], "b": 5}`,
		`1.0`:            `1`,
		`"unclosed 1.0`:  `"unclosed 1.0`,
		`"ends in \`:     `"ends in \`,
		`[]`:             `[]`,
		`[1.0,2.0]`:      `[1,2]`,
		`[true, 3.0]`:    `[true, 3]`,
		`{"x":"y\\",1.0`: `{"x":"y\\",1`,
	} {
		require.Equal(t, want, string(AppendPlainDoubles(nil, []byte(document))))
	}
}

func TestAppendDocumentDouble_PrintsAsServersDo(t *testing.T) {
	for f, want := range map[float64]string{
		1: "1.0", -0.5: "-0.5", 1e15: "1e15", 1e14: "100000000000000.0", 1e-15: "0.000000000000001", 1e-16: "1e-16", 1234567890123456.5: "1234567890123456.5",
	} {
		require.Equal(t, want, string(AppendDocumentDouble(nil, f)))
	}
}
