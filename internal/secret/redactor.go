package secret

import (
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Redactor takes known words (passwords, users, hosts) out of texts for people
// and logs. The zero value is ready; safe for concurrent use.
type Redactor struct {
	mu    sync.RWMutex
	words []redactedWord // longest first
}

type redactedWord struct{ word, shown string }

// Add makes Redact show shown (such as "<user>") in place of word from now on.
// An empty word is ignored.
func (r *Redactor) Add(word, shown string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := redactedWord{word, shown}
	if word == "" || slices.Contains(r.words, w) {
		return
	}
	// A copy: Redact may be reading the old one.
	words := append(slices.Clone(r.words), w)
	slices.SortStableFunc(words, func(a, b redactedWord) int { return len(b.word) - len(a.word) })
	r.words = words
}

// Redact returns text without the words. A word of fewer than five characters
// is replaced only where it stands alone, or a user called "app" would empty
// every text of "apply".
func (r *Redactor) Redact(text string) string {
	r.mu.RLock()
	words := r.words
	r.mu.RUnlock()
	for _, w := range words {
		if strings.Contains(text, w.word) {
			text = replace(text, w)
		}
	}
	return text
}

func replace(text string, w redactedWord) string {
	if utf8.RuneCountInString(w.word) >= 5 {
		return strings.ReplaceAll(text, w.word, w.shown)
	}
	var out strings.Builder
	for {
		i := strings.Index(text, w.word)
		if i < 0 {
			out.WriteString(text)
			return out.String()
		}
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[i+len(w.word):])
		out.WriteString(text[:i])
		if isWordRune(before) || isWordRune(after) {
			out.WriteString(w.word)
		} else {
			out.WriteString(w.shown)
		}
		text = text[i+len(w.word):]
	}
}

func isWordRune(r rune) bool {
	return r != utf8.RuneError && (r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r))
}
