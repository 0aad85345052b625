package workflows

import (
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/internal/selection"
	"shardlift/internal/task"
)

// checkEdit refuses changes of what is fixed: the type always, after the start
// everything but name, description, tags, expiry, limits and policy.table_error.
func (m *migration) checkEdit(_ workflow.Context, r contract.EditRequest) error {
	if r.Spec.Type != m.Spec.Type {
		return fault.FixedField.New("type", "")
	}
	if m.Phase == lifecycle.PhaseConfiguration {
		return nil
	}
	if field := fixedField(m.Spec, r.Spec); field != "" {
		return fault.FixedField.New(field, "")
	}
	if field := leftOut(m.Spec, r.Spec, r.Credentials); field != "" {
		return fault.FixedField.New(field, "it changes with the side's password only, and the file has none")
	}
	return nil
}

// leftOut names a field of a side that differs and would be passed over: a side
// is replaced as a whole, with its password, or not at all.
func leftOut(have, want task.Spec, replaced []task.Side) string {
	for _, side := range []struct {
		name       task.Side
		have, want task.SealedSide
	}{{task.SourceSide, have.Source, want.Source}, {task.DestinationSide, have.Destination, want.Destination}} {
		switch {
		case slices.Contains(replaced, side.name):
		case side.have.MaxConnections != side.want.MaxConnections:
			return string(side.name) + ".max_connections"
		case side.have.TLSMode != side.want.TLSMode:
			return string(side.name) + ".tls.mode"
		case side.have.DataNodes != side.want.DataNodes:
			return string(side.name) + ".data_nodes"
		}
	}
	return ""
}

// missing names the parts of the configuration that a draft lacks, "" when it is complete.
func (m *migration) missing() string { return strings.Join(m.Spec.Missing, ", ") }

// fixedField names the first field that differs and must not.
func fixedField(have, want task.Spec) string {
	have.Policy.TableError = want.Policy.TableError // may change
	switch {
	case have.WorkerGroup != want.WorkerGroup:
		return "worker_group"
	case !slices.EqualFunc(have.Objects, want.Objects, sameRule):
		return "objects"
	case have.Policy != want.Policy:
		return "policy"
	case have.Destination.Kind != want.Destination.Kind:
		return "destination.kind"
	case have.Destination.MetadataSchema != want.Destination.MetadataSchema:
		return "destination.metadata_schema"
	default:
		return ""
	}
}

func sameRule(a, b selection.Rule) bool {
	if a.Schema != b.Schema || a.To != b.To || !slices.Equal(a.Tables, b.Tables) || !slices.Equal(a.Exclude, b.Exclude) || len(a.Rename) != len(b.Rename) {
		return false
	}
	for _, name := range workflow.DeterministicKeys(a.Rename) {
		if to, ok := b.Rename[name]; !ok || to != a.Rename[name] {
			return false
		}
	}
	return true
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
	if err := m.tellLimits(ctx, r.Spec.Limits, r.Spec.Alarms); err != nil {
		return contract.CommandResult{}, err
	}
	m.Spec.Name, m.Spec.Description, m.Spec.Tags = r.Spec.Name, r.Spec.Description, r.Spec.Tags
	if r.Spec.Alarms.Off() && m.alarmsChange(ctx, r.Spec.Alarms) {
		m.alarm(ctx, contract.TaskAlarm{Kind: contract.AlarmDelay}) // nobody else would end it
	}
	m.Spec.Limits, m.Spec.ExpiredDays, m.Spec.Alarms = r.Spec.Limits, r.Spec.ExpiredDays, r.Spec.Alarms
	m.Spec.Policy.TableError = r.Spec.Policy.TableError
	for _, side := range r.Credentials {
		if side == task.SourceSide {
			m.replaceSide(side, r.Spec.Source)
		} else {
			m.replaceSide(side, r.Spec.Destination)
		}
	}
	if len(r.Credentials) > 0 { // no connection of the old credentials goes on
		m.retryNow()
		m.stopPhaseWork()
	}
	if m.Precheck.Revision == m.Revision {
		m.Precheck.Revision++
	}
	m.Revision++
	m.record(ctx, r.Actor, "edited")
	return contract.CommandResult{}, nil
}

// alarmsChange says whether running steps have to hear of other thresholds.
// Runs of older programs heard of them with their next box.
func (m *migration) alarmsChange(ctx workflow.Context, to task.Alarms) bool {
	return to != m.Spec.Alarms && workflow.GetVersion(ctx, changeAlarmsAtOnce, workflow.DefaultVersion, 1) != workflow.DefaultVersion
}
