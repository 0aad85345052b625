package main

import (
	"context"
	"encoding/base64"
	"encoding/json"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/task"
	"shardlift/web/api"
)

// create makes a task of a complete file, or a draft.
func (h *handlers) create(ctx context.Context, f task.File, draft bool, key *string) (string, bool, error) {
	if draft {
		return h.service.CreateDraft(ctx, f, actor(ctx), value(key))
	}
	return h.service.Create(ctx, f, actor(ctx), value(key))
}

// validate says what is wrong with a complete file, or with a draft.
func (h *handlers) validate(f *task.File, draft bool) error {
	if draft {
		return h.service.ValidateDraft(f)
	}
	return h.service.Validate(f)
}

// GetTaskFile shows a task's file without its secrets.
func (h *handlers) GetTaskFile(ctx context.Context, r api.GetTaskFileRequestObject) (api.GetTaskFileResponseObject, error) {
	id, err := h.service.Resolve(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	f, missing, err := h.service.Template(ctx, id)
	if err != nil {
		return nil, err
	}
	out := api.GetTaskFile200JSONResponse{Missing: missing}
	data, err := json.Marshal(f)
	if err != nil || json.Unmarshal(data, &out.File) != nil {
		return nil, fault.Internal.New("task file", "")
	}
	return out, nil
}

// CloneTask makes a draft of a task under another name.
func (h *handlers) CloneTask(ctx context.Context, r api.CloneTaskRequestObject) (api.CloneTaskResponseObject, error) {
	id, err := h.service.Resolve(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	clone, created, err := h.service.Clone(ctx, id, value(r.Body).Name, actor(ctx), value(r.Params.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	t, err := h.task(ctx, clone)
	if err != nil {
		return nil, err
	}
	if !created {
		return api.CloneTask200JSONResponse(t), nil
	}
	return api.CloneTask201JSONResponse(t), nil
}

// ListObjects shows the source's tables.
func (h *handlers) ListObjects(ctx context.Context, r api.ListObjectsRequestObject) (api.ListObjectsResponseObject, error) {
	id, err := h.service.Resolve(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	limit, err := limitOf(r.Params.Limit)
	if err != nil {
		return nil, err
	}
	after, err := base64.RawURLEncoding.DecodeString(value(r.Params.Cursor))
	if err != nil {
		return nil, invalid("cursor", "is not one that a page gave")
	}
	answer, err := h.service.Objects(ctx, id, value(r.Params.Search), string(after), limit)
	if err != nil {
		return nil, err
	}
	out := api.ListObjects200JSONResponse{Objects: make([]api.SourceObject, 0, len(answer.Objects))}
	for _, o := range answer.Objects {
		out.Objects = append(out.Objects, renderObject(o))
	}
	if answer.Next != nil {
		out.Next = new(base64.RawURLEncoding.EncodeToString([]byte(*answer.Next)))
	}
	return out, nil
}

func renderObject(o contract.SourceObject) api.SourceObject {
	out := api.SourceObject{
		Schema: o.Name.Schema, Table: o.Name.Table, Engine: orNull(o.Engine), RowsEstimated: o.RowsEstimated, BytesEstimated: o.BytesEstimated,
		Selected: o.To != nil,
	}
	if o.To != nil {
		out.ToSchema, out.ToTable = &o.To.Schema, &o.To.Table
	}
	return out
}

// GetHistory shows the last commands and changes of state.
func (h *handlers) GetHistory(ctx context.Context, r api.GetHistoryRequestObject) (api.GetHistoryResponseObject, error) {
	id, err := h.service.Resolve(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	events, err := h.service.History(ctx, id)
	if err != nil {
		return nil, err
	}
	out := api.GetHistory200JSONResponse{Events: make([]api.HistoryEvent, 0, len(events))}
	for _, e := range events {
		out.Events = append(out.Events, api.HistoryEvent{At: e.At, Actor: e.Actor, Text: e.Text})
	}
	return out, nil
}
