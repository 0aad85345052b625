package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"shardlift/internal/contract"
	"shardlift/internal/lifecycle"
)

// told is what Temporal was last told, so that only changes become events.
type told struct {
	status    lifecycle.Status
	name      string
	tags      []string
	attention string
	revision  int
	details   string
}

// attributeTags and the like are the search attributes of a task.
var (
	attributeStatus    = temporal.NewSearchAttributeKeyKeyword(contract.AttributeStatus)
	attributeName      = temporal.NewSearchAttributeKeyKeyword(contract.AttributeName)
	attributeTags      = temporal.NewSearchAttributeKeyKeywordList(contract.AttributeTags)
	attributeAttention = temporal.NewSearchAttributeKeyKeyword(contract.AttributeAttention)
)

// settle shows the present state where people look for it: search attributes,
// memo and the Web UI's details. Call it after every change.
func (m *migration) settle(ctx workflow.Context) {
	now := told{
		status: m.status(), name: m.Spec.Name, tags: tags(m.Spec.Tags), attention: m.attention(), revision: m.Revision,
	}
	if now.status != m.told.status && m.told.status != "" {
		m.Since = workflow.Now(ctx)
	}
	m.upsertAttributes(ctx, now)
	if now.status != m.told.status || now.revision != m.told.revision || now.attention != m.told.attention {
		if err := workflow.UpsertMemo(ctx, map[string]any{contract.MemoView: m.memoryView(now.status)}); err != nil {
			workflow.GetLogger(ctx).Warn("memo not written", "error", err)
		}
	}
	if now.details = m.details(now.status); now.details != m.told.details {
		workflow.SetCurrentDetails(ctx, now.details)
	}
	m.tellPeople(ctx, now)
	m.told = now
}

func (m *migration) upsertAttributes(ctx workflow.Context, now told) {
	var updates []temporal.SearchAttributeUpdate
	if now.status != m.told.status {
		updates = append(updates, attributeStatus.ValueSet(string(now.status)))
	}
	if now.name != m.told.name {
		updates = append(updates, attributeName.ValueSet(now.name))
	}
	if !slices.Equal(now.tags, m.told.tags) {
		updates = append(updates, attributeTags.ValueSet(now.tags))
	}
	if now.attention != m.told.attention {
		if now.attention == "" {
			updates = append(updates, attributeAttention.ValueUnset())
		} else {
			updates = append(updates, attributeAttention.ValueSet(now.attention))
		}
	}
	if len(updates) == 0 {
		return
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, updates...); err != nil {
		workflow.GetLogger(ctx).Warn("search attributes not written", "error", err)
	}
}

// attention is why somebody should look at the task, "" when nobody has to.
func (m *migration) attention() string {
	switch {
	case m.Mode == failed && m.LastError != nil:
		return m.LastError.Code
	case m.alarmed(contract.AlarmParked):
		return contract.AlarmParked
	case m.Divergences > 0:
		return "divergence"
	case len(m.Alarms) > 0:
		return m.Alarms[0].Kind
	default:
		return ""
	}
}

func tags(byKey map[string]string) []string {
	var out []string
	for _, key := range workflow.DeterministicKeys(byKey) {
		out = append(out, key+"="+byKey[key])
	}
	return out
}

func (m *migration) memoryView(status lifecycle.Status) contract.MemoryView {
	v := contract.MemoryView{
		Status: status, StatusSince: m.Since, Phase: m.Phase, Type: m.Spec.Type, WorkerGroup: m.place.Group,
		Source: m.Spec.Source.Shown, Destination: m.Spec.Destination.Shown,
	}
	if m.LastError != nil {
		v.ErrorCode = m.LastError.Code
	}
	return v
}

// details is the text that the Web UI shows on top of the workflow's page.
func (m *migration) details(status lifecycle.Status) string {
	lines := []string{fmt.Sprintf("**%s** (%s), phase %s, revision %d", status.Label(), status, m.Phase, m.Revision)}
	if m.StartAt != nil && m.Phase == lifecycle.PhaseConfiguration {
		lines = append(lines, "starts at "+m.StartAt.UTC().Format(time.RFC3339))
	}
	if m.Plan != nil {
		lines = append(lines, fmt.Sprintf("%d tables in %d chunks, start position `%s`", m.Plan.Tables, m.Plan.Chunks, m.Plan.Start))
	}
	if m.StopPosition != nil {
		lines = append(lines, fmt.Sprintf("stop position `%s`", *m.StopPosition))
	}
	if e := m.LastError; e != nil {
		lines = append(lines, fmt.Sprintf("**%s** %s: %s", e.Code, e.Object, e.Message), e.Remedy)
	}
	if m.RetryAt != nil {
		lines = append(lines, "automatic retry at "+m.RetryAt.UTC().Format(time.RFC3339))
	}
	for _, a := range m.Alarms {
		lines = append(lines, "- **"+a.Kind+"** "+a.Text)
	}
	for _, w := range m.Warnings {
		lines = append(lines, "- "+w)
	}
	return strings.Join(lines, "\n\n")
}

func (m *migration) registerQueries(ctx workflow.Context) error {
	queries := []struct {
		name, about string
		answer      any
	}{
		{contract.QueryView, "the task's state", func() (contract.View, error) { return m.view(ctx), nil }},
		{contract.QueryEndpoints, "the sealed specification, for activities", func() (contract.Endpoints, error) {
			return contract.Endpoints{Revision: m.Revision, Spec: m.Spec, HeartbeatTimeout: m.place.Heartbeat}, nil
		}},
		{contract.QueryPrecheck, "the items of the pre-check", func() (contract.PrecheckReport, error) {
			return m.precheckReport(ctx), nil
		}},
		{contract.QueryEvents, "what happened, with actors", func() ([]contract.Event, error) { return m.Events, nil }},
	}
	for _, q := range queries {
		if err := workflow.SetQueryHandlerWithOptions(ctx, q.name, q.answer, workflow.QueryHandlerOptions{Description: q.about}); err != nil {
			return fmt.Errorf("register query %s: %w", q.name, err)
		}
	}
	return nil
}

func (m *migration) view(ctx workflow.Context) contract.View {
	v := contract.View{
		TaskID: m.in.TaskID, Spec: m.Spec, Revision: m.Revision, Status: m.status(), StatusSince: m.Since, Phase: m.Phase,
		CreatedAt: m.CreatedAt, StartAt: m.StartAt, StartedAt: m.StartedAt, EndedAt: m.EndedAt,
		Source: m.Source, Destination: m.Destination, Precheck: m.precheckSummary(ctx), Plan: m.Plan,
		Copy: contract.CopyTotals{Done: m.CopyDone, EndPosition: m.CopyEnd}, Applied: m.Applied, StopPosition: m.StopPosition,
		Divergences: m.Divergences, Comparison: m.Comparison, Comparisons: m.Comparisons, Sequences: m.Sequences,
		LastError: m.LastError, Warnings: m.Warnings, SyncPoints: m.SyncPoints, Report: m.Report,
		Progress: m.Progress, PurgeAt: m.PurgeAt, Alarms: m.Alarms, ExpiresAt: m.expiresAt(),
		Groups: m.Groups,
	}
	return v
}
