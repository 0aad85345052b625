package telemetry

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/rs/zerolog"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"
	"golang.org/x/term"
)

// timeFormat is RFC 3339 in UTC with milliseconds.
const timeFormat = "2006-01-02T15:04:05.000Z"

// NewLogger returns a logger that writes to out. level is debug, info, warn or
// error, anything else counts as info; format is console or json, empty means
// console when out is a terminal.
func NewLogger(out io.Writer, level, format string) zerolog.Logger {
	if format == "console" || format == "" && isTerminal(out) {
		out = zerolog.ConsoleWriter{Out: out, NoColor: !isTerminal(out), TimeFormat: "15:04:05.000"}
	}
	at, err := zerolog.ParseLevel(level)
	if err != nil || at == zerolog.NoLevel {
		at = zerolog.InfoLevel
	}
	return zerolog.New(out).Level(at).Hook(clock{})
}

// clock puts the time on every line. zerolog's own timestamp has its format in
// a variable of the package, which is not ours to change.
type clock struct{}

// Run adds the time.
func (clock) Run(e *zerolog.Event, _ zerolog.Level, _ string) {
	e.Str(zerolog.TimestampFieldName, time.Now().UTC().Format(timeFormat))
}

func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Slog returns l for libraries that speak slog. component names the library in
// every line. Lines below least are dropped, for libraries that talk a lot.
func Slog(l zerolog.Logger, component string, least slog.Level) *slog.Logger {
	l = l.With().Str("component", component).Logger()
	return slog.New(handler{zerolog.NewSlogHandler(l), least})
}

// handler drops the record's own time, which clock adds.
type handler struct {
	slog.Handler
	least slog.Level
}

// Enabled says whether a line of this level is written.
func (h handler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= h.least && h.Handler.Enabled(ctx, level)
}

// Handle writes the record.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if toldToEnd(r) {
		return nil
	}
	r.Time = time.Time{}
	return h.Handler.Handle(ctx, r)
}

// toldToEnd says whether the SDK calls an error what every pause and stop does:
// a step ends because it was cancelled.
func toldToEnd(r slog.Record) bool {
	if r.Message != "Activity error." && r.Message != "RecordActivityHeartbeat with error" {
		return false
	}
	told := false
	r.Attrs(func(a slog.Attr) bool {
		if err, ok := a.Value.Any().(error); ok {
			_, asked := errors.AsType[*temporal.CanceledError](err)
			_, cut := errors.AsType[*serviceerror.Canceled](err)
			told = asked || cut || errors.Is(err, context.Canceled)
		}
		return !told
	})
	return told
}

// WithAttrs keeps h's rules.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs), h.least}
}

// WithGroup keeps h's rules.
func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.Handler.WithGroup(name), h.least}
}
