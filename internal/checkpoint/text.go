package checkpoint

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"shardlift/internal/fault"
)

// literal is SQL text of one value; statements are put together with Sprintf.
type literal string

func num(n int64) literal { return literal(strconv.FormatInt(n, 10)) }

func flag(b bool) literal {
	if b {
		return "1"
	}
	return "0"
}

// str writes a string for a sql_mode without NO_BACKSLASH_ESCAPES (sessions verify it).
func str(s string) literal {
	return literal("'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\x00", `\0`, "\n", `\n`, "\r", `\r`, "\x1a", `\Z`).Replace(s) + "'")
}

// blob writes bytes as hex; DBLE takes x” for a column's name, so empty is ”.
func blob(b []byte) literal {
	if len(b) == 0 {
		return "''"
	}
	return literal("0x" + hex.EncodeToString(b))
}

// body writes a value as JSON.
func body(v any) (literal, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode metadata: %w", err)
	}
	return blob(data), nil
}

// read decodes what body wrote; object says what it is.
func read(data []byte, into any, object string) error {
	if err := json.Unmarshal(data, into); err != nil {
		return fault.MetadataDamaged.New(object, "it is not in the expected form")
	}
	return nil
}

// micros writes a time; 0 stands for the zero time.
func micros(t time.Time) literal {
	if t.IsZero() {
		return "0"
	}
	return num(t.UnixMicro())
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// clip cuts a text to at most n bytes between characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
