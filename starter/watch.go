package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"shardlift/internal/lifecycle"
	"shardlift/web/api"
)

// lineEvery is how often a line is printed where no bar can be drawn.
const lineEvery = 5

func (a *app) watchCommand() *cobra.Command {
	return &cobra.Command{
		Use: "watch TASK", Short: "watch a task: a bar while it copies, then the delay", Args: oneTask,
		Long: `Watch a task until it ends, fails (exit status 1), or Ctrl-C: the task goes on then. On a terminal a
bar shows the copy; elsewhere a line is printed every few seconds, with -o json the task as one line.`,
		Example: "  shardlift watch shop-to-ddm",
		RunE: a.action(func(ctx context.Context, args []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			w := &watcher{a: a}
			err = a.follow(ctx, c, args[0], func(t *api.Task, body []byte) (bool, error) {
				return w.see(t, body, time.Now())
			})
			w.end()
			if errors.Is(err, context.Canceled) {
				return nil // Ctrl-C is how a watch ends
			}
			return err
		}),
	}
}

// watcher shows a task again and again.
type watcher struct {
	a        *app
	bar      *progressbar.ProgressBar
	estimate estimate
	looks    int
	last     string // last status line's status
	open     bool   // a line is on the terminal that is to be overwritten
}

func (w *watcher) see(t *api.Task, body []byte, now time.Time) (bool, error) {
	s := statusOf(t)
	over := s.Ended() || s.Failed()
	w.estimate.report(t.Full, now)
	changed := t.Status != w.last
	w.last = t.Status
	var err error
	switch {
	case w.a.json():
		if changed || over || w.looks%lineEvery == 0 {
			err = w.a.printLine(body)
		}
	case w.a.draws && !over:
		w.draw(t, now)
	case changed || over || w.looks%lineEvery == 0:
		w.end()
		err = w.a.say("%s  %s", now.UTC().Format(time.TimeOnly), w.line(t, now))
	}
	w.looks++
	if err == nil && s.Failed() {
		w.end()
		err = failureOf(t)
	}
	return over, err
}

// copying says whether the bar is the right picture.
func copying(t *api.Task) bool {
	return lifecycle.Phase(t.Phase) == lifecycle.PhaseFull && t.Full.Percent != nil
}

func (w *watcher) draw(t *api.Task, now time.Time) {
	if !copying(t) {
		w.end()
		fmt.Fprintf(w.a.out, "\r\x1b[K%s", clip(w.line(t, now), w.a.width-1))
		w.open = true
		return
	}
	if w.open {
		w.end()
	}
	numbers := w.numbers(t, now)
	if w.bar == nil {
		const beside = 14 // percentage, brackets, blanks
		width := min(max(w.a.width-len(numbers)-beside, 6), 24)
		w.bar = progressbar.NewOptions(1000, progressbar.OptionSetWriter(w.a.out), progressbar.OptionSetWidth(width),
			progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false), progressbar.OptionShowDescriptionAtLineEnd(),
			progressbar.OptionSetRenderBlankState(true), progressbar.OptionThrottle(0))
	}
	_, percent := w.estimate.show(now)
	w.bar.Describe(numbers)
	_ = w.bar.Set(int(percent * 10))
}

// end leaves what is drawn and begins a new line.
func (w *watcher) end() {
	if w.bar != nil || w.open {
		fmt.Fprintln(w.a.out)
	}
	w.bar, w.open = nil, false
}

// line is the task in one line.
func (w *watcher) line(t *api.Task, now time.Time) string {
	text := t.StatusLabel
	switch {
	case copying(t):
		_, percent := w.estimate.show(now)
		text += fmt.Sprintf("  %.1f %%  %s", percent, w.numbers(t, now))
	case lifecycle.Phase(t.Phase) == lifecycle.PhaseIncremental || t.Incremental.DelayMs != nil:
		i := t.Incremental
		text += fmt.Sprintf("  delay %s, %s rows/s, %s tx/s, at %s", delay(i.DelayMs), rate(i.RowsPerSecond), rate(i.TransactionsPerSecond), place(i.Applied))
		if names := apart(t); len(names) > 0 {
			text += ", NOT synced, apart: " + strings.Join(names, ", ")
		} else if value(i.Synced) {
			text += ", synced"
		}
	}
	if t.Throttle.Active {
		text += ", throttled: " + orUnknown(t.Throttle.Reason)
	}
	if e := t.LastError; e != nil && e.NextRetryAt != nil && !statusOf(t).Failed() {
		text += fmt.Sprintf(", %s: next try %s", e.Code, moment(e.NextRetryAt))
	}
	return text
}

func (w *watcher) numbers(t *api.Task, now time.Time) string {
	rows, _ := w.estimate.show(now)
	return fmt.Sprintf("%s/%s rows  %s rows/s  %s MB/s  %s left",
		count(&rows), count(t.Full.RowsEstimated), rate(t.Full.RowsPerSecond), megabytes(t.Full.BytesPerSecond), seconds(w.estimate.remaining(now)))
}
