package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/web/api"
)

// lineWidth is what tables and texts fit into.
const lineWidth = 100

// printJSON prints the server's own text, indented: members that this program
// does not know stay in it.
func (a *app) printJSON(body []byte) error {
	var indented bytes.Buffer
	if err := json.Indent(&indented, bytes.TrimSpace(body), "", "  "); err != nil {
		return fault.StrangeAnswer.Wrap(err, "")
	}
	indented.WriteByte('\n')
	return a.write(indented.Bytes())
}

// printValue prints what this program put together.
func (a *app) printValue(v any) error {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("make JSON: %w", err)
	}
	return a.write(append(body, '\n'))
}

// printLine prints one line of JSON, for streams.
func (a *app) printLine(body []byte) error {
	var compact bytes.Buffer
	if err := json.Compact(&compact, body); err != nil {
		return fault.StrangeAnswer.Wrap(err, "")
	}
	compact.WriteByte('\n')
	return a.write(compact.Bytes())
}

func (a *app) write(text []byte) error {
	if _, err := a.out.Write(text); err != nil {
		return fault.FileUnusable.Wrap(err, "standard output")
	}
	return nil
}

// say prints a line of a command's text answer.
func (a *app) say(format string, args ...any) error {
	return a.write(fmt.Appendf(nil, format+"\n", args...))
}

// grid is a table for people. Columns are aligned and shrink, widest first,
// until a line fits lineWidth; whole ones shrink last, to be copied from.
type grid struct {
	header []string
	right  []int // columns of numbers
	whole  []int
	rows   [][]string
}

// narrow is what a column shrinks to before whole ones do.
const narrow = 10

func (g *grid) add(cells ...string) { g.rows = append(g.rows, cells) }

func (g *grid) print(w io.Writer) error {
	widths := make([]int, len(g.header))
	lines := append([][]string{g.header}, g.rows...)
	for _, row := range lines {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	g.shrink(widths, lineWidth-2*(len(widths)-1))
	var out strings.Builder
	for _, row := range lines {
		var line strings.Builder
		for i, cell := range row {
			if i > 0 {
				line.WriteString("  ")
			}
			cell = clip(cell, widths[i])
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if slices.Contains(g.right, i) {
				line.WriteString(padding + cell)
			} else {
				line.WriteString(cell + padding)
			}
		}
		out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func (g *grid) shrink(widths []int, total int) {
	sum := 0
	for _, w := range widths {
		sum += w
	}
	for ; sum > total; sum-- {
		widest := -1
		for i, w := range widths {
			if w > narrow && !slices.Contains(g.whole, i) && (widest < 0 || w > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			widest = slices.Index(widths, slices.Max(widths))
		}
		if widths[widest] <= 4 {
			return
		}
		widths[widest]--
	}
}

func clip(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:width-1]) + "…"
}

// facts is a list of labelled texts; long ones are wrapped under themselves.
type facts struct {
	labels, texts []string
}

func (f *facts) add(label, format string, args ...any) {
	f.labels = append(f.labels, label)
	f.texts = append(f.texts, fmt.Sprintf(format, args...))
}

func (f *facts) print(w io.Writer) error {
	width := 0
	for _, l := range f.labels {
		width = max(width, len(l))
	}
	var out strings.Builder
	for i, l := range f.labels {
		for n, line := range wrap(f.texts[i], lineWidth-width-4) {
			if n > 0 {
				l = ""
			}
			out.WriteString(strings.TrimRight(fmt.Sprintf("  %-*s  %s", width, l, line), " ") + "\n")
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// wrap breaks a text at blanks; a word longer than the width stays whole, so
// that statements and addresses can be copied.
func wrap(text string, width int) []string {
	var lines []string
	for part := range strings.SplitSeq(text, "\n") {
		line := ""
		for word := range strings.FieldsSeq(part) {
			switch {
			case line == "":
				line = word
			case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width:
				line += " " + word
			default:
				lines = append(lines, line)
				line = word
			}
		}
		lines = append(lines, line)
	}
	return lines
}

const unknown = "?"

// count prints a number with separators: 1,234,567; unknown is "?".
func count[N int | int64](n *N) string {
	if n == nil {
		return unknown
	}
	digits := strconv.FormatInt(int64(*n), 10)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// rate prints a number per second.
func rate(r *float64) string {
	if r == nil || math.IsNaN(*r) || math.IsInf(*r, 0) {
		return unknown
	}
	if *r < 10 {
		return strconv.FormatFloat(*r, 'f', 1, 64)
	}
	return count(new(int64(math.Round(*r))))
}

// size prints bytes in decimal units.
func size(bytes *int64) string {
	if bytes == nil {
		return unknown
	}
	v, unit := float64(*bytes), 0
	units := []string{"B", "kB", "MB", "GB", "TB", "PB"}
	for ; v >= 1000 && unit < len(units)-1; unit++ {
		v /= 1000
	}
	if unit == 0 {
		return strconv.FormatInt(*bytes, 10) + " B"
	}
	return fmt.Sprintf("%.1f %s", v, units[unit])
}

func megabytes(perSecond *float64) string {
	if perSecond == nil {
		return unknown
	}
	return fmt.Sprintf("%.1f", *perSecond/1e6)
}

// seconds prints a duration of whole seconds: 42 s, 3 min 5 s, 2 h 10 min.
func seconds(s *int64) string {
	if s == nil {
		return unknown
	}
	switch d := time.Duration(*s) * time.Second; {
	case d < time.Minute:
		return fmt.Sprintf("%d s", *s)
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), *s%60)
	default:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
}

// delay prints milliseconds: 140 ms, 2.3 s, 3 min 5 s.
func delay(ms *int64) string {
	switch {
	case ms == nil:
		return unknown
	case *ms < 1000:
		return fmt.Sprintf("%d ms", *ms)
	case *ms < 60_000:
		return fmt.Sprintf("%.1f s", float64(*ms)/1000)
	default:
		return seconds(new(*ms / 1000))
	}
}

func moment(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

func place(p *api.Position) string {
	switch {
	case p == nil:
		return unknown
	case value(p.Gtid) != "":
		return *p.Gtid
	default:
		return fmt.Sprintf("%s:%d", p.File, p.Position)
	}
}

func orUnknown(s *string) string {
	if value(s) == "" {
		return unknown
	}
	return *s
}

func label(status string) string { return lifecycle.Status(status).Label() }
