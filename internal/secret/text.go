package secret

import (
	"fmt"

	"github.com/rs/zerolog"
)

const hidden = "[secret]"

// Text is a secret in memory. Every way of printing it prints "[secret]"; only
// Reveal gives the plain text.
type Text struct{ plain string }

// NewText hides s.
func NewText(s string) Text { return Text{plain: s} }

// Reveal returns the plain text; call it only to open a connection or to seal.
func (t Text) Reveal() string { return t.plain }

// IsEmpty says whether there is nothing to hide.
func (t Text) IsEmpty() bool { return t.plain == "" }

// String prints "[secret]".
func (t Text) String() string { return hidden }

// Format prints "[secret]" under every verb.
func (t Text) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// MarshalJSON prints "[secret]".
func (t Text) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// MarshalText prints "[secret]".
func (t Text) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalZerologObject logs nothing of the secret.
func (t Text) MarshalZerologObject(e *zerolog.Event) { e.Str("value", hidden) }
