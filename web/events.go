package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"shardlift/internal/contract"
	"shardlift/internal/control"
	"shardlift/internal/lifecycle"
	"shardlift/web/api"
)

// Rhythm of a stream of events: a task is looked at every two seconds, which
// asks Temporal only; a look at its log is an inspection by a worker, so it comes
// after a change and every fifteen seconds.
const (
	lookEvery = 2 * time.Second
	readEvery = 15 * time.Second
)

// StreamEvents tells what happens to a task until it ends or the client goes.
func (h *handlers) StreamEvents(ctx context.Context, r api.StreamEventsRequestObject) (api.StreamEventsResponseObject, error) {
	id, err := h.service.Resolve(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	last := int64(0)
	if text := value(r.Params.LastEventID); text != "" {
		if last, err = strconv.ParseInt(text, 10, 64); err != nil || last < 0 {
			return nil, invalid("Last-Event-ID", "must be the number of a line of the log")
		}
	}
	first, err := h.task(ctx, id)
	if err != nil {
		return nil, err
	}
	return &eventStream{ctx: ctx, h: h, id: id, task: first, line: last}, nil
}

// eventStream is one client's stream. line is the last line of the log it has.
type eventStream struct {
	ctx  context.Context //nolint:containedctx // the generated interface gives none to the writer
	h    *handlers
	id   string
	task api.Task
	line int64
	sent []byte

	out interface {
		http.ResponseWriter
		http.Flusher
	}
}

// VisitStreamEventsResponse writes until the end.
func (e *eventStream) VisitStreamEventsResponse(w http.ResponseWriter) error {
	out, ok := w.(interface {
		http.ResponseWriter
		http.Flusher
	})
	if !ok {
		return fmt.Errorf("stream events: the writer cannot flush")
	}
	e.out = out
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy in between must not keep events
	w.WriteHeader(http.StatusOK)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	var read time.Time
	for {
		changed, err := e.tell()
		if err != nil {
			return nil //nolint:nilerr // the client has gone
		}
		ended := lifecycle.Status(e.task.Status).Ended()
		if changed || ended || time.Since(read) >= readEvery {
			if err := e.lines(); err != nil {
				return nil //nolint:nilerr // the client has gone
			}
			read = time.Now()
		}
		if ended {
			_ = e.write("end", "", []byte(strconv.Quote(e.task.Status)))
			return nil
		}
		select {
		case <-look.C:
		case <-e.ctx.Done():
			return nil
		case <-e.h.stopping:
			return nil
		}
		if t, err := e.h.task(e.ctx, e.id); err == nil {
			e.task = t
		} else if err := e.comment(problem(err).Code); err != nil {
			return nil //nolint:nilerr // the client has gone
		}
	}
}

// tell sends the task when it is not as it was sent last.
func (e *eventStream) tell() (changed bool, err error) {
	data, err := json.Marshal(e.task)
	if err != nil {
		return false, fmt.Errorf("encode task: %w", err)
	}
	if bytes.Equal(data, e.sent) {
		return false, nil
	}
	e.sent = data
	return true, e.write("task", "", data)
}

// lines sends the lines of the log that are new. A log that cannot be read now
// is read later.
func (e *eventStream) lines() error {
	for {
		var answer contract.LogsAnswer
		p := control.Page{Kind: contract.InspectLogs, After: strconv.FormatInt(e.line, 10), Limit: 1000}
		if err := e.h.service.Page(e.ctx, e.id, p, &answer); err != nil {
			return e.comment("log: " + problem(err).Code)
		}
		for _, l := range answer.Lines {
			data, err := json.Marshal(api.LogLine{Number: l.Number, At: l.At, Level: l.Level, Message: l.Message})
			if err != nil {
				return fmt.Errorf("encode line: %w", err)
			}
			e.line = l.Number
			if err := e.write("log", strconv.FormatInt(l.Number, 10), data); err != nil {
				return err
			}
		}
		if answer.Next == nil || len(answer.Lines) == 0 {
			return e.comment("")
		}
	}
}

func (e *eventStream) write(event, id string, data []byte) error {
	if id != "" {
		id = "id: " + id + "\n"
	}
	if _, err := fmt.Fprintf(e.out, "event: %s\n%sdata: %s\n\n", event, id, data); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	e.out.Flush()
	return nil
}

// comment keeps the connection alive.
func (e *eventStream) comment(text string) error {
	if _, err := fmt.Fprintf(e.out, ": %s\n\n", text); err != nil {
		return fmt.Errorf("write comment: %w", err)
	}
	e.out.Flush()
	return nil
}
