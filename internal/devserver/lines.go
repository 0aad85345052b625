package main

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

// maxLine is the longest line held back while it is incomplete.
const maxLine = 64 << 10

// lines writes whole lines of several writers to one. Safe for concurrent use.
type lines struct {
	mu sync.Mutex
	to io.Writer
}

// say writes a line of our own.
func (l *lines) say(format string, args ...any) {
	l.block("shardlift-dev | " + fmt.Sprintf(format, args...) + "\n")
}

// block writes text at once, so that nothing gets between its lines. A closed
// output is no reason to stop.
func (l *lines) block(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = io.WriteString(l.to, text)
}

// prefixed returns a writer that puts name before every line.
func (l *lines) prefixed(name string) *prefixWriter {
	return &prefixWriter{to: l, prefix: fmt.Sprintf("%-13s | ", name)}
}

// prefixWriter holds back the last incomplete line. Not safe for concurrent
// use (os/exec uses one goroutine for an output shared with the error output).
type prefixWriter struct {
	to     *lines
	prefix string
	rest   []byte
}

// Write never fails.
func (w *prefixWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		i := bytes.IndexByte(w.rest, '\n')
		if i < 0 && len(w.rest) > maxLine {
			w.flush()
		}
		if i < 0 {
			return len(p), nil
		}
		w.to.block(w.prefix + string(w.rest[:i]) + "\n")
		w.rest = w.rest[i+1:]
	}
}

// flush writes the incomplete line, if any.
func (w *prefixWriter) flush() {
	if len(w.rest) > 0 {
		w.to.block(w.prefix + string(w.rest) + "\n")
		w.rest = nil
	}
}
