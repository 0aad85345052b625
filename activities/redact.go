package activities

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"shardlift/internal/task"
)

// Redactor takes hosts, users and passwords out of texts. It knows what was
// opened in this process; zero value is ready, safe for concurrent use.
type Redactor struct {
	mu    sync.RWMutex
	known map[string]string
	order []string // longest first, so that no part of a secret stays
}

// Learn adds an endpoint's secrets.
func (r *Redactor) Learn(e task.Endpoint) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(e.Password, "<password>")
	r.add(e.User, "<user>")
	r.add(e.Host, "<host>")
	for _, n := range e.DataNodes {
		r.add(n.Password, "<password>")
		r.add(n.User, "<user>")
		r.add(n.Host, "<host>")
	}
	slices.SortFunc(r.order, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
}

func (r *Redactor) add(text, mask string) {
	if text == "" {
		return
	}
	if r.known == nil {
		r.known = map[string]string{}
	}
	if _, ok := r.known[text]; !ok {
		r.known[text] = mask
		r.order = append(r.order, text)
	}
}

// Redact replaces every known secret. One of up to three characters is replaced
// only where it stands alone, or no text would be readable.
func (r *Redactor) Redact(text string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, s := range r.order {
		if len(s) > 3 {
			text = strings.ReplaceAll(text, s, r.known[s])
		} else {
			text = replaceWord(text, s, r.known[s])
		}
	}
	return text
}

func replaceWord(text, word, mask string) string {
	var b strings.Builder
	for {
		i := strings.Index(text, word)
		if i < 0 {
			b.WriteString(text)
			return b.String()
		}
		end := i + len(word)
		b.WriteString(text[:i])
		if i > 0 && isWord(text[i-1]) || end < len(text) && isWord(text[end]) {
			b.WriteString(word)
		} else {
			b.WriteString(mask)
		}
		text = text[end:]
	}
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
