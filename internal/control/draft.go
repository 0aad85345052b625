package control

import (
	"context"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/task"
)

// CreateDraft makes a task that may lack endpoints and objects: it is configured
// step by step by EditDraft, Edit and SetCredentials, and has no pre-check before
// it is complete.
func (s *Service) CreateDraft(ctx context.Context, f task.File, actor, key string) (id string, created bool, err error) {
	if err := s.ValidateDraft(&f); err != nil {
		return "", false, err
	}
	return s.create(ctx, f, nil, actor, key)
}

// EditDraft is Edit of a file that may lack endpoints and objects.
func (s *Service) EditDraft(ctx context.Context, taskID string, f task.File, command contract.Command, key string) (Outcome, error) {
	if err := s.ValidateDraft(&f); err != nil {
		return Outcome{}, err
	}
	return s.edit(ctx, taskID, f, command, key)
}

// ValidateDraft says what is wrong with a draft's file, without creating anything.
func (s *Service) ValidateDraft(f *task.File) error {
	f.SetDefaults()
	return invalid(f, f.ValidateDraft())
}

// Template is a task's file without passwords, certificates and data nodes, and
// the fields that it lacks.
func (s *Service) Template(ctx context.Context, taskID string) (task.File, []string, error) {
	view, err := s.View(ctx, taskID)
	if err != nil {
		return task.File{}, nil, err
	}
	source, err := s.Shown(taskID, task.SourceSide, view.Spec.Source.Shown)
	if err != nil {
		return task.File{}, nil, err
	}
	destination, err := s.Shown(taskID, task.DestinationSide, view.Spec.Destination.Shown)
	if err != nil {
		return task.File{}, nil, err
	}
	f, missing := view.Spec.Template(source, destination)
	return f, missing, nil
}

// Clone makes a draft of a task's file under another name. Passwords are never
// copied (drs.md L-18).
func (s *Service) Clone(ctx context.Context, taskID, name, actor, key string) (id string, created bool, err error) {
	f, lacks, err := s.Template(ctx, taskID)
	if err != nil {
		return "", false, err
	}
	f.Name = name
	if err := s.ValidateDraft(&f); err != nil {
		return "", false, err
	}
	given := f.Missing() // create finds these by itself
	return s.create(ctx, f, lacks[len(given):], actor, key)
}

// History returns the last commands and changes of state, oldest first.
func (s *Service) History(ctx context.Context, taskID string) ([]contract.Event, error) {
	var events []contract.Event
	err := s.query(ctx, contract.MigrationID(taskID), contract.QueryEvents, &events)
	return events, err
}

// Objects reads a page of the source's tables anew.
func (s *Service) Objects(ctx context.Context, taskID, search, after string, limit int) (contract.ObjectsAnswer, error) {
	var answer contract.ObjectsAnswer
	view, err := s.View(ctx, taskID)
	if err != nil {
		return answer, err
	}
	for _, field := range view.Spec.Missing {
		if field == "source.host" || field == "source.user" || field == "source.password" {
			return answer, fault.NotConfigured.New(field, "")
		}
	}
	return answer, s.inspect(ctx, contract.InspectIn{
		Kind: contract.InspectObjects, WorkerGroup: view.Spec.WorkerGroup, Task: contract.TaskRef{TaskID: taskID, Revision: view.Revision},
		Search: search, After: after, Limit: limit,
	}, &answer)
}
