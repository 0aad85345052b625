package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/internal/table"
	"shardlift/internal/task"
)

// tablesAction is the lifecycle's word for a kind; an unknown kind is refused later.
func tablesAction(r contract.TablesRequest) lifecycle.Action {
	switch r.Kind {
	case contract.TablesRecopy:
		return lifecycle.RecopyTable
	case contract.TablesDrop:
		return lifecycle.DropTable
	case contract.TablesAdd:
		return lifecycle.AddTables
	default:
		return lifecycle.RetryTable
	}
}

func (m *migration) checkTables(_ workflow.Context, r contract.TablesRequest) error {
	if n := len(r.Tables); n == 0 || n > contract.MaxTables {
		return fault.InvalidField.New("tables", "must be 1 to %d tables", contract.MaxTables)
	}
	sorted := slices.SortedFunc(slices.Values(r.Tables), table.Name.Compare)
	if len(slices.Compact(sorted)) < len(r.Tables) {
		return fault.InvalidField.New("tables", "a table stands twice")
	}
	switch r.Kind {
	case contract.TablesAdd:
		return m.checkAdd(r)
	case contract.TablesRetry, contract.TablesRecopy, contract.TablesDrop:
	default:
		return fault.InvalidField.New("kind", "must be retry, recopy, drop or add")
	}
	if r.Kind == contract.TablesRecopy && (!m.CopyDone || m.Spec.Type == task.Full) {
		return fault.RefusedInState.New(string(lifecycle.RecopyTable), "the full copy goes on; a retry copies again what is missing")
	}
	for _, n := range r.Tables {
		if err := m.checkParked(n.String()); err != nil {
			return err
		}
	}
	return nil
}

func (m *migration) checkParked(name string) error {
	g := m.groupOf(name)
	switch {
	case g == nil:
		return fault.RetryTable.New(name, "")
	case beingParked(*g):
		return fault.RetryTable.New(name, "it is being parked: try again in a moment")
	case g.State != contract.GroupParked:
		return fault.RetryTable.New(name, "it is %s", g.State)
	}
	return nil
}

func (m *migration) tables(ctx workflow.Context, r contract.TablesRequest) (contract.CommandResult, error) {
	if r.Kind == contract.TablesAdd {
		return contract.CommandResult{}, m.add(ctx, r)
	}
	done := map[int]bool{}
	for _, n := range r.Tables {
		g := m.groupOf(n.String())
		if g != nil && done[g.No] {
			continue
		}
		// Another command may have come between the validator and this.
		if err := m.checkParked(n.String()); err != nil {
			return contract.CommandResult{}, err
		}
		done[g.No] = true
		switch r.Kind {
		case contract.TablesDrop:
			g.FenceConfirmed = r.FenceConfirmed
			if err := m.drop(ctx, r.Actor, g.No); err != nil {
				return contract.CommandResult{}, err
			}
		default:
			m.retryGroup(ctx, r.Actor, g, r.Kind == contract.TablesRecopy, r.FenceConfirmed)
		}
	}
	if m.waitsForGroups() && (r.Kind == contract.TablesRetry || m.openGroups() == 0) {
		m.goOn(ctx, r.Actor, "retry")
	}
	return contract.CommandResult{}, nil
}

// retryGroup lets a parked group go on: past the statement that stopped it, as a
// resume does. While the full copy goes on, it returns to group 0 at once, and
// the copy takes what is missing.
func (m *migration) retryGroup(ctx workflow.Context, actor string, g *contract.Group, anew, confirmed bool) {
	text := "retry of " + names(g.Tables)
	if e := g.Error; e != nil && e.Position != nil {
		g.PassDDL = e.Position
		text += ", past the statement at " + g.PassDDL.String()
	}
	g.Error, g.FenceConfirmed = nil, confirmed
	next := contract.GroupApplying
	switch {
	case anew:
		text = "recopy of " + names(g.Tables)
		g.Copied, g.DeleteFirst, g.Replan, g.PassDDL = false, true, true, nil
		next = contract.GroupPlanning
	case g.Replan:
		next = contract.GroupPlanning
	case !m.CopyDone:
		next = contract.GroupMerging
		m.interruptOwn()
	case !g.Copied:
		next = contract.GroupCopying
	}
	m.record(ctx, actor, text)
	m.enter(ctx, g, next)
}

// drop leaves a parked group out of the task for good.
func (m *migration) drop(ctx workflow.Context, actor string, no int) error {
	g := m.group(no)
	g.State = contract.GroupDropped // nothing else begins meanwhile
	_, err := callBriefly(ctx, m.place, answerLimit, contract.DropGroup, "drop "+names(g.Tables),
		contract.MergeIn{TaskRef: m.ref(), Owner: m.groupOwner(g), Group: no})
	g = m.group(no)
	if g == nil { // a reset came first
		return err
	}
	if err != nil {
		g.State = contract.GroupParked
		return err
	}
	g.Error = nil
	m.record(ctx, actor, "dropped "+names(g.Tables)+", its rows stay on the destination")
	m.enter(ctx, g, contract.GroupDropped)
	return nil
}
