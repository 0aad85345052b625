package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"shardlift/internal/contract"
	"shardlift/internal/control"
	"shardlift/internal/table"
	"shardlift/internal/task"
	"shardlift/web/api"
)

// send resolves the task and sends one command to it.
func send[R any](ctx context.Context, h *handlers, taskOrName string, u contract.Update[R], request R, key *string) (commandAnswer, error) {
	id, err := h.service.Resolve(ctx, taskOrName)
	if err != nil {
		return commandAnswer{}, err
	}
	out, err := control.Send(ctx, h.service, id, u, request, value(key))
	return commandAnswer{out}, err
}

func command(ctx context.Context, revision *int) contract.Command {
	return contract.Command{Actor: actor(ctx), Revision: value(revision)}
}

// PrecheckTask runs every item or some.
func (h *handlers) PrecheckTask(ctx context.Context, r api.PrecheckTaskRequestObject) (api.PrecheckTaskResponseObject, error) {
	b := value(r.Body)
	return send(ctx, h, r.ID, contract.UpdatePrecheck, contract.PrecheckRequest{Command: command(ctx, b.Revision), Items: value(b.Items)}, r.Params.IdempotencyKey)
}

// longestNote is what a confirmation's note may have: it is kept with the task.
const longestNote = 1000

// ConfirmTask confirms alarms; who, when and why is kept.
func (h *handlers) ConfirmTask(ctx context.Context, r api.ConfirmTaskRequestObject) (api.ConfirmTaskResponseObject, error) {
	b := value(r.Body)
	if n := utf8.RuneCountInString(strings.TrimSpace(b.Note)); n == 0 || n > longestNote {
		return nil, invalid("note", fmt.Sprintf("say in 1 to %d characters why this is accepted", longestNote))
	}
	return send(ctx, h, r.ID, contract.UpdateConfirm, contract.ConfirmRequest{Command: command(ctx, b.Revision), Items: value(b.Items), All: value(b.All), Note: b.Note, Skip: value(b.Skip)}, r.Params.IdempotencyKey)
}

// StartTask starts now or at a time.
func (h *handlers) StartTask(ctx context.Context, r api.StartTaskRequestObject) (api.StartTaskResponseObject, error) {
	b := value(r.Body)
	return send(ctx, h, r.ID, contract.UpdateStart, contract.StartRequest{Command: command(ctx, b.Revision), At: utc(b.At)}, r.Params.IdempotencyKey)
}

// RescheduleTask changes the start time.
func (h *handlers) RescheduleTask(ctx context.Context, r api.RescheduleTaskRequestObject) (api.RescheduleTaskResponseObject, error) {
	b := value(r.Body)
	return send(ctx, h, r.ID, contract.UpdateReschedule, contract.StartRequest{Command: command(ctx, b.Revision), At: utc(b.At)}, r.Params.IdempotencyKey)
}

// PauseTask pauses.
func (h *handlers) PauseTask(ctx context.Context, r api.PauseTaskRequestObject) (api.PauseTaskResponseObject, error) {
	b := value(r.Body)
	return send(ctx, h, r.ID, contract.UpdatePause, contract.PauseRequest{Command: command(ctx, b.Revision), Mode: value(b.Mode)}, r.Params.IdempotencyKey)
}

// ResumeTask goes on from the checkpoints.
func (h *handlers) ResumeTask(ctx context.Context, r api.ResumeTaskRequestObject) (api.ResumeTaskResponseObject, error) {
	b := value(r.Body)
	return send(ctx, h, r.ID, contract.UpdateResume, contract.ResumeRequest{Command: command(ctx, b.Revision), FenceConfirmed: value(b.FenceConfirmed)}, r.Params.IdempotencyKey)
}

// RetryTask resumes a failed task, or one parked table.
func (h *handlers) RetryTask(ctx context.Context, r api.RetryTaskRequestObject) (api.RetryTaskResponseObject, error) {
	b := value(r.Body)
	return send(ctx, h, r.ID, contract.UpdateRetry, contract.RetryRequest{Command: command(ctx, b.Revision), Table: value(b.Table), FenceConfirmed: value(b.FenceConfirmed)}, r.Params.IdempotencyKey)
}

// ChangeTables brings parked tables on, drops them, or adds tables.
func (h *handlers) ChangeTables(ctx context.Context, r api.ChangeTablesRequestObject) (api.ChangeTablesResponseObject, error) {
	b := value(r.Body)
	if !b.Kind.Valid() {
		return nil, invalid("kind", "must be retry, recopy, drop or add")
	}
	id, err := h.service.Resolve(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	tables := make([]control.TableChange, 0, len(b.Tables))
	for _, t := range b.Tables {
		tables = append(tables, control.TableChange{
			Name: table.Name{Schema: t.Schema, Table: t.Table}, To: table.Name{Schema: value(t.ToSchema), Table: value(t.ToTable)},
		})
	}
	request := contract.TablesRequest{Command: command(ctx, b.Revision), Kind: string(b.Kind), FenceConfirmed: value(b.FenceConfirmed)}
	out, err := h.service.ChangeTables(ctx, id, request, tables, value(r.Params.IdempotencyKey))
	return commandAnswer{out}, err
}

// StopTask ends the task.
func (h *handlers) StopTask(ctx context.Context, r api.StopTaskRequestObject) (api.StopTaskResponseObject, error) {
	b := value(r.Body)
	return send(ctx, h, r.ID, contract.UpdateStop, contract.StopRequest{Command: command(ctx, b.Revision), Incomplete: value(b.Incomplete), Force: value(b.Force)}, r.Params.IdempotencyKey)
}

// ResetTask begins anew.
func (h *handlers) ResetTask(ctx context.Context, r api.ResetTaskRequestObject) (api.ResetTaskResponseObject, error) {
	b := value(r.Body)
	return send(ctx, h, r.ID, contract.UpdateReset, contract.ResetRequest{Command: command(ctx, b.Revision), TruncateDestination: value(b.TruncateDestination)}, r.Params.IdempotencyKey)
}

// LimitTask changes the limits.
func (h *handlers) LimitTask(ctx context.Context, r api.LimitTaskRequestObject) (api.LimitTaskResponseObject, error) {
	b := value(r.Body)
	limits, err := limitsOf(b.Limits)
	if err != nil {
		return nil, err
	}
	return send(ctx, h, r.ID, contract.UpdateLimit, contract.LimitRequest{Command: command(ctx, b.Revision), Limits: limits}, r.Params.IdempotencyKey)
}

// limitsOf reads limits as the task file has them.
func limitsOf(body api.Limits) (l task.Limits, err error) {
	text, err := json.Marshal(body)
	if err == nil {
		err = json.Unmarshal(text, &l)
	}
	if err != nil {
		return l, invalid("limits", "cannot be read")
	}
	for _, wrong := range l.Validate() {
		return l, invalid(wrong.Field, wrong.Message)
	}
	return l, nil
}

// renderLimits is the other way.
func renderLimits(l task.Limits) *api.Limits {
	out := &api.Limits{}
	text, err := json.Marshal(l)
	if err != nil || json.Unmarshal(text, out) != nil {
		return nil
	}
	return out
}

// CompareTask starts a comparison.
func (h *handlers) CompareTask(ctx context.Context, r api.CompareTaskRequestObject) (api.CompareTaskResponseObject, error) {
	b := value(r.Body)
	if !b.Type.Valid() {
		return nil, invalid("type", "must be objects, rows or values")
	}
	return send(ctx, h, r.ID, contract.UpdateCompare, contract.CompareRequest{Command: command(ctx, b.Revision), Type: string(b.Type), Tables: value(b.Tables)}, r.Params.IdempotencyKey)
}

// SetCredentials changes user and password of one side.
func (h *handlers) SetCredentials(ctx context.Context, r api.SetCredentialsRequestObject) (api.SetCredentialsResponseObject, error) {
	b := value(r.Body)
	if !b.Side.Valid() {
		return nil, invalid("side", "must be source or destination")
	}
	id, err := h.service.Resolve(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	out, err := h.service.SetCredentials(ctx, id, task.Side(b.Side), task.Credentials{User: value(b.User), Password: b.Password}, command(ctx, b.Revision), value(r.Params.IdempotencyKey))
	return commandAnswer{out}, err
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}
