package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/internal/task"
)

// createTime bounds the two starts of a creation, and is well below abandonedAfter.
const createTime = 30 * time.Second

// memoCreated is the memo that holds when the task was created: the start time
// is that of its last run.
const memoCreated = "created"

// Create makes a task of a file. Wrong fields come back as Invalid, all of
// them. A repeated call with the same idempotency key finds the same task.
func (s *Service) Create(ctx context.Context, f task.File, actor, key string) (id string, created bool, err error) {
	if err := s.validate(&f); err != nil {
		return "", false, err
	}
	return s.create(ctx, f, nil, actor, key)
}

// create makes a task of a valid file, or a draft that lacks more than the file tells.
func (s *Service) create(ctx context.Context, f task.File, lacks []string, actor, key string) (id string, created bool, err error) {
	if err := checkKey(key); err != nil {
		return "", false, err
	}
	id, err = newID(key)
	if err != nil {
		return "", false, err
	}
	ctx, cancel := context.WithTimeout(ctx, createTime)
	defer cancel()
	if key != "" {
		if found, err := s.createdBefore(ctx, id, f.Name); found || err != nil {
			return id, false, err
		}
	}
	spec, err := s.seal(id, f)
	if err != nil {
		return "", false, err
	}
	spec.Missing = append(spec.Missing, lacks...)
	if err := s.reserve(ctx, f.Name, id, abandonedAfter); err != nil {
		return "", false, err
	}
	return s.begin(ctx, id, spec, actor)
}

// createdBefore says whether an earlier request with the key made the task.
func (s *Service) createdBefore(ctx context.Context, id, name string) (bool, error) {
	described, err := s.Temporal.DescribeWorkflowExecution(ctx, contract.MigrationID(id), "")
	if err != nil {
		if err := unavailable(err, "task "+name); !errors.Is(err, fault.UnknownTask) {
			return false, err
		}
		return false, nil
	}
	var have string
	_ = decode(described.GetWorkflowExecutionInfo().GetSearchAttributes().GetIndexedFields()[contract.AttributeName], &have) // "" differs from every name
	if have != name {
		return true, fault.KeyReused.New("task "+name, "it made task %s", have)
	}
	return true, nil
}

// begin starts the task's workflow under a reserved name.
func (s *Service) begin(ctx context.Context, id string, spec task.Spec, actor string) (string, bool, error) {
	now := time.Now().UTC()
	memory := contract.MemoryView{
		Status: lifecycle.Configuration, StatusSince: now, Phase: lifecycle.PhaseConfiguration, Type: spec.Type,
		WorkerGroup: spec.WorkerGroup, Source: spec.Source.Shown, Destination: spec.Destination.Shown,
	}
	_, err := s.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: contract.MigrationID(id), TaskQueue: contract.QueueControl,
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		Memo:                                     map[string]any{contract.MemoView: memory, memoCreated: now},
		TypedSearchAttributes: temporal.NewSearchAttributes(
			temporal.NewSearchAttributeKeyKeyword(contract.AttributeStatus).ValueSet(string(lifecycle.Configuration)),
			temporal.NewSearchAttributeKeyKeyword(contract.AttributeName).ValueSet(spec.Name),
			temporal.NewSearchAttributeKeyKeywordList(contract.AttributeTags).ValueSet(Tags(spec.Tags)),
			temporal.NewSearchAttributeKeyKeyword(contract.AttributeAttention).ValueSet(""),
		),
		StaticSummary: spec.Name,
	}, contract.MigrationWorkflow, contract.MigrationInput{TaskID: id, Spec: spec, Actor: actor, HeartbeatTimeout: s.HeartbeatTimeout})
	if _, ok := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); ok {
		return id, false, nil
	}
	if err != nil {
		return "", false, fault.TemporalUnavailable.Wrap(err, "task "+spec.Name)
	}
	return id, true, nil
}

// Validate says what is wrong with a file, without creating anything.
func (s *Service) Validate(f *task.File) error { return s.validate(f) }

func (s *Service) validate(f *task.File) error {
	f.SetDefaults()
	return invalid(f, f.Validate())
}

// invalid is nil when nothing is wrong with a file.
func invalid(f *task.File, found []task.FieldError) error {
	if idPattern.MatchString(f.Name) {
		found = append(found, task.FieldError{Field: "name", Message: "has the form of an id"})
	}
	if len(found) == 0 {
		return nil
	}
	invalid := &Invalid{}
	for _, e := range found {
		invalid.Fields = append(invalid.Fields, FieldError(e))
	}
	return invalid
}

func (s *Service) seal(id string, f task.File) (task.Spec, error) {
	workers, err := s.Workers()
	if err != nil {
		return task.Spec{}, fault.KeysMissing.Wrap(err, "key ring")
	}
	spec, err := f.Seal(id, workers, s.Own.Public())
	if err != nil {
		return task.Spec{}, fmt.Errorf("seal task file: %w", err)
	}
	return spec, nil
}

// Tags returns tags as the search attribute holds them, sorted.
func Tags(tags map[string]string) []string {
	out := make([]string, 0, len(tags))
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, k+"="+tags[k])
	}
	return out
}
