package control

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
)

// Filter chooses tasks of a list; zero fields choose all.
type Filter struct {
	Status    string
	Tag       string
	Name      string
	Attention bool
	Limit     int
	Cursor    string
}

// Line is one task of a list, as visibility and memo know it.
type Line struct {
	TaskID    string
	Name      string
	Status    lifecycle.Status
	Attention string
	Tags      []string
	Created   time.Time
	Memory    contract.MemoryView
}

// List returns one page of tasks, newest first, and the cursor of the next. It
// is one call to visibility and one for each worker group that should be at
// work; it asks no workflow. A filter by status is by what the task itself knows.
func (s *Service) List(ctx context.Context, f Filter) ([]Line, string, error) {
	query, err := f.query()
	if err != nil {
		return nil, "", err
	}
	token, err := openCursor(f.Cursor, query)
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, s.temporalTime())
	defer cancel()
	out, err := s.Temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: s.Namespace, PageSize: int32(min(max(f.Limit, 1), 1000)), NextPageToken: token, Query: query,
	})
	if err != nil {
		return nil, "", fault.TemporalUnavailable.Wrap(err, "list of tasks")
	}
	lines := make([]Line, 0, len(out.GetExecutions()))
	for _, e := range out.GetExecutions() {
		lines = append(lines, line(e))
	}
	s.rectify(ctx, lines)
	return lines, newCursor(out.GetNextPageToken(), query), nil
}

// rectify shows tasks that should be at work as in fault rectification when no
// worker of their group lives; a group that cannot be asked about counts as living.
func (s *Service) rectify(ctx context.Context, lines []Line) {
	dead := map[string]bool{}
	for i, l := range lines {
		if l.Status != lifecycle.Starting && l.Status != lifecycle.FullStarted && l.Status != lifecycle.IncreStarted {
			continue
		}
		group := l.Memory.WorkerGroup
		if _, asked := dead[group]; !asked {
			n, err := s.Pollers(ctx, contract.QueueShort(group), enumspb.TASK_QUEUE_TYPE_ACTIVITY)
			dead[group] = err == nil && n == 0
		}
		if dead[group] {
			lines[i].Status = lifecycle.Rebuild
		}
	}
}

// newCursor is visibility's token with a check of it and its query: Temporal
// answers a damaged token, and one of another query, as if it were broken itself.
func newCursor(token []byte, query string) string {
	if len(token) == 0 {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(append(cursorCheck(token, query), token...))
}

func openCursor(cursor, query string) ([]byte, error) {
	if cursor == "" {
		return nil, nil
	}
	data, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(data) <= cursorCheckSize || !bytes.Equal(data[:cursorCheckSize], cursorCheck(data[cursorCheckSize:], query)) {
		return nil, &Invalid{[]FieldError{{"cursor", "is not one that a list with this filter gave"}}}
	}
	return data[cursorCheckSize:], nil
}

const cursorCheckSize = 8

func cursorCheck(token []byte, query string) []byte {
	sum := sha256.Sum256(append([]byte(query+"\x00"), token...))
	return sum[:cursorCheckSize:cursorCheckSize]
}

// query is the filter as visibility reads it. Nothing that could end a quoted
// text gets into it: no name, status or tag has quotes or backslashes.
func (f Filter) query() (string, error) {
	if f.Status != "" && !slices.Contains(lifecycle.All(), lifecycle.Status(f.Status)) {
		return "", &Invalid{[]FieldError{{"status", "is no status"}}}
	}
	// A continued run is the same task: only its last run is running or closed otherwise.
	parts := []string{fmt.Sprintf("WorkflowType = '%s'", contract.MigrationWorkflow), "ExecutionStatus != 'ContinuedAsNew'"}
	for _, term := range []struct{ field, attribute, value string }{
		{"status", contract.AttributeStatus, f.Status},
		{"tag", contract.AttributeTags, f.Tag},
		{"name", contract.AttributeName, f.Name},
	} {
		if term.value == "" {
			continue
		}
		if strings.ContainsAny(term.value, "'\"`\\") || strings.ContainsFunc(term.value, unicode.IsControl) {
			return "", &Invalid{[]FieldError{{term.field, "has a quote, a backslash or a control character"}}}
		}
		parts = append(parts, fmt.Sprintf("%s = '%s'", term.attribute, term.value))
	}
	if f.Attention {
		parts = append(parts, fmt.Sprintf("%s IS NOT NULL AND %s != ''", contract.AttributeAttention, contract.AttributeAttention))
	}
	return strings.Join(parts, " AND "), nil
}

func line(e *workflowpb.WorkflowExecutionInfo) Line {
	l := Line{
		TaskID:  strings.TrimPrefix(e.GetExecution().GetWorkflowId(), contract.MigrationID("")),
		Created: created(e),
	}
	fields := e.GetSearchAttributes().GetIndexedFields()
	// What an old or damaged entry lacks stays empty.
	_ = decode(fields[contract.AttributeName], &l.Name)
	_ = decode(fields[contract.AttributeStatus], &l.Status)
	_ = decode(fields[contract.AttributeAttention], &l.Attention)
	_ = decode(fields[contract.AttributeTags], &l.Tags)
	_ = decode(e.GetMemo().GetFields()[contract.MemoView], &l.Memory)
	return l
}

// created is when the task was created, not when its last run started.
func created(e *workflowpb.WorkflowExecutionInfo) time.Time {
	var at time.Time
	if decode(e.GetMemo().GetFields()[memoCreated], &at) != nil {
		return e.GetStartTime().AsTime()
	}
	return at
}
