package control

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

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
// is one call to visibility and asks no workflow.
func (s *Service) List(ctx context.Context, f Filter) ([]Line, string, error) {
	token, err := base64.RawURLEncoding.DecodeString(f.Cursor)
	if err != nil {
		return nil, "", &Invalid{[]FieldError{{"cursor", "is not one that a list gave"}}}
	}
	query, err := f.query()
	if err != nil {
		return nil, "", err
	}
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
	return lines, base64.RawURLEncoding.EncodeToString(out.GetNextPageToken()), nil
}

func (f Filter) query() (string, error) {
	// A continued run is the same task: only its last run is running or closed otherwise.
	parts := []string{fmt.Sprintf("WorkflowType = '%s'", contract.MigrationWorkflow), "ExecutionStatus != 'ContinuedAsNew'"}
	for attribute, value := range map[string]string{contract.AttributeStatus: f.Status, contract.AttributeTags: f.Tag, contract.AttributeName: f.Name} {
		if value == "" {
			continue
		}
		if strings.ContainsAny(value, "'\\") {
			return "", &Invalid{[]FieldError{{"filter", "has a quote or a backslash"}}}
		}
		parts = append(parts, fmt.Sprintf("%s = '%s'", attribute, value))
	}
	if f.Attention {
		parts = append(parts, fmt.Sprintf("%s IS NOT NULL AND %s != ''", contract.AttributeAttention, contract.AttributeAttention))
	}
	return strings.Join(parts, " AND "), nil
}

func line(e *workflowpb.WorkflowExecutionInfo) Line {
	l := Line{
		TaskID:  strings.TrimPrefix(e.GetExecution().GetWorkflowId(), contract.MigrationID("")),
		Created: e.GetStartTime().AsTime(),
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
