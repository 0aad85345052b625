package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"shardlift/internal/contract"
	"shardlift/internal/control"
	"shardlift/internal/fault"
	"shardlift/internal/task"
	"shardlift/web/api"
)

// handlers implement the generated interface on control's service.
type handlers struct {
	service *control.Service
	version string
	// stopping is closed when the server stops: streams end then.
	stopping chan struct{}
}

var _ api.StrictServerInterface = (*handlers)(nil)

// CreateTask creates a task, or says what it would be.
func (h *handlers) CreateTask(ctx context.Context, r api.CreateTaskRequestObject) (api.CreateTaskResponseObject, error) {
	f, err := fileOf(*r.Body)
	if err != nil {
		return nil, err
	}
	draft := value(r.Params.Draft)
	if value(r.Params.DryRun) {
		if err := h.validate(&f, draft); err != nil {
			return nil, err
		}
		return api.CreateTask200JSONResponse(h.preview(f)), nil
	}
	id, created, err := h.create(ctx, f, draft, r.Params.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	t, err := h.task(ctx, id)
	if err != nil {
		return nil, err
	}
	if !created {
		return api.CreateTask200JSONResponse(t), nil
	}
	return api.CreateTask201JSONResponse(t), nil
}

// ListTasks lists tasks by one call to visibility.
func (h *handlers) ListTasks(ctx context.Context, r api.ListTasksRequestObject) (api.ListTasksResponseObject, error) {
	p := r.Params
	limit, err := limitOf(p.Limit)
	if err != nil {
		return nil, err
	}
	lines, next, err := h.service.List(ctx, control.Filter{
		Status: value(p.Status), Tag: value(p.Tag), Name: value(p.Name), Attention: value(p.Attention), Limit: limit, Cursor: value(p.Cursor),
	})
	if err != nil {
		return nil, err
	}
	var delays map[string]int64
	if value(p.Delay) {
		delays = h.service.Delays(ctx, lines)
	}
	out := api.ListTasks200JSONResponse{Tasks: make([]api.TaskSummary, 0, len(lines)), Next: orNull(next)}
	for _, l := range lines {
		t := renderLine(h.service, l)
		if delay, known := delays[l.TaskID]; known {
			t.DelayMs = &delay
		}
		out.Tasks = append(out.Tasks, t)
	}
	return out, nil
}

// GetTask shows a task.
func (h *handlers) GetTask(ctx context.Context, r api.GetTaskRequestObject) (api.GetTaskResponseObject, error) {
	id, err := h.service.Resolve(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	t, err := h.task(ctx, id)
	return api.GetTask200JSONResponse(t), err
}

// EditTask replaces a task's file.
func (h *handlers) EditTask(ctx context.Context, r api.EditTaskRequestObject) (api.EditTaskResponseObject, error) {
	id, err := h.service.Resolve(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	f, err := fileOf(*r.Body)
	if err != nil {
		return nil, err
	}
	revision := 0
	if match := strings.Trim(value(r.Params.IfMatch), `"`); match != "" {
		if revision, err = strconv.Atoi(match); err != nil || revision < 1 {
			return nil, invalid("If-Match", "must be the task's revision")
		}
	}
	edit := h.service.Edit
	if value(r.Params.Draft) {
		edit = h.service.EditDraft
	}
	out, err := edit(ctx, id, f, contract.Command{Actor: actor(ctx), Revision: revision}, value(r.Params.IdempotencyKey))
	return commandAnswer{out}, err
}

// DeleteTask removes an ended task.
func (h *handlers) DeleteTask(ctx context.Context, r api.DeleteTaskRequestObject) (api.DeleteTaskResponseObject, error) {
	id, err := h.service.Resolve(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	operation, err := h.service.Delete(ctx, id, actor(ctx))
	if err != nil {
		return nil, err
	}
	if operation.State == "done" {
		return api.DeleteTask200JSONResponse(renderOperation(operation)), nil
	}
	return api.DeleteTask202JSONResponse(renderOperation(operation)), nil
}

func (h *handlers) task(ctx context.Context, id string) (api.Task, error) {
	d, err := h.service.Task(ctx, id)
	if err != nil {
		return api.Task{}, err
	}
	return renderTask(h.service, d, time.Now()), nil
}

// fileOf takes a request's file over; both have the same JSON.
func fileOf(body api.TaskFile) (task.File, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return task.File{}, fault.Internal.New("task file", "")
	}
	var f task.File
	if err := json.Unmarshal(data, &f); err != nil {
		return task.File{}, fault.InvalidFile.New("task file", "")
	}
	return f, nil
}

func endpointOf(body api.EndpointFile) (task.Endpoint, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return task.Endpoint{}, fault.Internal.New("endpoint", "")
	}
	var e task.Endpoint
	if err := json.Unmarshal(data, &e); err != nil {
		return task.Endpoint{}, fault.InvalidFile.New("endpoint", "")
	}
	return e, nil
}

// preview is a valid file as a task that was not created.
func (h *handlers) preview(f task.File) api.Task {
	t := renderTask(h.service, control.Details{TaskID: "", Name: f.Name}, time.Now())
	t.Description, t.Type, t.Status, t.StatusLabel, t.Phase = f.Description, string(f.Type), "CONFIGURATION", "Configuration", "configuration"
	t.CreatedAt, t.StatusSince, t.Warnings = nil, nil, []string{}
	t.Source.Endpoint, t.Source.User = fmt.Sprintf("%s:%d", f.Source.Host, f.Source.Port), f.Source.User
	t.Destination.Endpoint, t.Destination.User = fmt.Sprintf("%s:%d", f.Destination.Host, f.Destination.Port), f.Destination.User
	maps.Copy(t.Tags, f.Tags)
	t.WorkerGroup = &f.WorkerGroup
	t.Precheck.State, t.Sequences.State = "none", "pending"
	t.Temporal.WorkflowID, t.Temporal.URL = "", ""
	return t
}

func outcome(o control.Outcome) api.Outcome {
	return api.Outcome{Status: string(o.Status), Phase: string(o.Phase), Revision: o.Revision, OperationID: o.OperationID, Comparison: orNull(o.Comparison)}
}

func renderOperation(o control.Operation) api.Operation {
	out := api.Operation{ID: o.ID, State: api.OperationState(o.State)}
	if r := o.Result; r != nil {
		result := outcome(control.Outcome{CommandResult: *r, OperationID: o.ID})
		out.Result = &result
	}
	if len(o.Warnings) > 0 {
		out.Warnings = &o.Warnings
	}
	if o.Err != nil {
		p := problem(o.Err)
		out.Problem = &p
	}
	return out
}

func cutTag(tag string) (key, val string, ok bool) { return strings.Cut(tag, "=") }

// value is the zero value for a nil pointer.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
