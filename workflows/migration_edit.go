package workflows

import (
	"encoding/json"

	"go.temporal.io/sdk/workflow"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/internal/task"
)

// checkEdit refuses changes of what is fixed: the type always, after the start
// everything but name, description, tags, expiry and limits.
func (m *migration) checkEdit(_ workflow.Context, r contract.EditRequest) error {
	if r.Spec.Type != m.Spec.Type {
		return fault.FixedField.New("type", "")
	}
	if m.Phase == lifecycle.PhaseConfiguration {
		return nil
	}
	for _, f := range fixedFields(m.Spec, r.Spec) {
		same, err := sameJSON(f.have, f.want)
		if err != nil {
			return err
		}
		if !same {
			return fault.FixedField.New(f.name, "")
		}
	}
	return nil
}

type fixedField struct {
	name       string
	have, want any
}

func fixedFields(have, want task.Spec) []fixedField {
	return []fixedField{
		{"worker_group", have.WorkerGroup, want.WorkerGroup},
		{"objects", have.Objects, want.Objects},
		{"policy", have.Policy, want.Policy},
		{"destination.kind", have.Destination.Kind, want.Destination.Kind},
		{"destination.metadata_schema", have.Destination.MetadataSchema, want.Destination.MetadataSchema},
	}
}

func sameJSON(a, b any) (bool, error) {
	left, err := json.Marshal(a)
	if err != nil {
		return false, err
	}
	right, err := json.Marshal(b)
	return string(left) == string(right), err
}

// edit replaces the specification before the start. Later it takes what may
// change, and the pre-check stays that of the revision.
func (m *migration) edit(ctx workflow.Context, r contract.EditRequest) (contract.CommandResult, error) {
	if m.Phase == lifecycle.PhaseConfiguration {
		m.Spec = r.Spec
		m.Revision++
		m.place = newPlace(m.in.TaskID, m.Spec.WorkerGroup, m.in.HeartbeatTimeout)
		m.Precheck.Wanted = false
		m.stopPhaseWork()
		m.record(ctx, r.Actor, "edited")
		return contract.CommandResult{}, nil
	}
	if err := m.tellLimits(ctx, r.Spec.Limits); err != nil {
		return contract.CommandResult{}, err
	}
	m.Spec.Name, m.Spec.Description, m.Spec.Tags = r.Spec.Name, r.Spec.Description, r.Spec.Tags
	m.Spec.Limits, m.Spec.ExpiredDays = r.Spec.Limits, r.Spec.ExpiredDays
	if m.Precheck.Revision == m.Revision {
		m.Precheck.Revision++
	}
	m.Revision++
	m.record(ctx, r.Actor, "edited")
	return contract.CommandResult{}, nil
}
