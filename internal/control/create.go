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

// Create makes a task of a file. Wrong fields come back as Invalid, all of
// them. A repeated call with the same idempotency key finds the same task.
func (s *Service) Create(ctx context.Context, f task.File, actor, key string) (id string, created bool, err error) {
	if err := s.validate(&f); err != nil {
		return "", false, err
	}
	id, err = newID(key)
	if err != nil {
		return "", false, err
	}
	spec, err := s.seal(id, f)
	if err != nil {
		return "", false, err
	}
	if err := s.reserve(ctx, f.Name, id); err != nil {
		return "", false, err
	}
	now := time.Now().UTC()
	memory := contract.MemoryView{
		Status: lifecycle.Configuration, StatusSince: now, Phase: lifecycle.PhaseConfiguration, Type: f.Type,
		WorkerGroup: f.WorkerGroup, Source: spec.Source.Shown, Destination: spec.Destination.Shown,
	}
	_, err = s.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: contract.MigrationID(id), TaskQueue: contract.QueueControl,
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		Memo:                                     map[string]any{contract.MemoView: memory},
		TypedSearchAttributes: temporal.NewSearchAttributes(
			temporal.NewSearchAttributeKeyKeyword(contract.AttributeStatus).ValueSet(string(lifecycle.Configuration)),
			temporal.NewSearchAttributeKeyKeyword(contract.AttributeName).ValueSet(f.Name),
			temporal.NewSearchAttributeKeyKeywordList(contract.AttributeTags).ValueSet(Tags(f.Tags)),
			temporal.NewSearchAttributeKeyKeyword(contract.AttributeAttention).ValueSet(""),
		),
		StaticSummary: f.Name,
	}, contract.MigrationWorkflow, contract.MigrationInput{TaskID: id, Spec: spec, Actor: actor, HeartbeatTimeout: s.HeartbeatTimeout})
	if _, ok := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); ok {
		return id, false, nil
	}
	if err != nil {
		return "", false, fault.TemporalUnavailable.Wrap(err, "task "+f.Name)
	}
	return id, true, nil
}

// Validate says what is wrong with a file, without creating anything.
func (s *Service) Validate(f *task.File) error { return s.validate(f) }

func (s *Service) validate(f *task.File) error {
	f.SetDefaults()
	found := f.Validate()
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

// reserve starts the workflow that holds the name; the second of two loses.
func (s *Service) reserve(ctx context.Context, name, id string) error {
	_, err := s.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: contract.NameID(name), TaskQueue: contract.QueueControl,
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		Memo:                                     map[string]any{memoTask: id},
		StaticSummary:                            "the name of task " + id,
	}, contract.NameWorkflow, contract.NameIn{Name: name, TaskID: id})
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); !ok {
		return fault.TemporalUnavailable.Wrap(err, "name "+name)
	}
	holder, err := s.nameHolder(ctx, name)
	if err != nil {
		return err
	}
	if holder != id {
		return fault.NameTaken.New("name "+name, "")
	}
	return nil
}

// Tags returns tags as the search attribute holds them, sorted.
func Tags(tags map[string]string) []string {
	out := make([]string, 0, len(tags))
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, k+"="+tags[k])
	}
	return out
}
