package workflows

import (
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/internal/selection"
	"shardlift/internal/task"
)

func (m *migration) checkAdd(r contract.TablesRequest) error {
	switch {
	case m.Spec.Type != task.FullIncremental || m.Phase != lifecycle.PhaseIncremental || m.Mode != running:
		return fault.RefusedInState.New(string(lifecycle.AddTables), "%s", lifecycle.AddTables.Reason(lifecycle.FullStarted))
	case m.adding != nil:
		return fault.RefusedInState.New(string(lifecycle.AddTables), "another addition is not complete")
	case m.openGroups() >= contract.MaxGroups:
		return fault.TooManyGroups.New("", "%d", m.openGroups())
	}
	for _, n := range r.Tables {
		if _, named, ok := r.Objects.Match(n); !ok || !named {
			return fault.InvalidField.New("objects", "they do not name %s", n)
		}
		// What a wildcard selects may be missing in the plan: the planning knows.
		if _, named, ok := m.Spec.Objects.Match(n); ok && named || m.groupOf(n.String()) != nil {
			return fault.AlreadySelected.New(n.String(), "")
		}
	}
	if len(r.Objects.Named()) != len(r.Tables) {
		return fault.InvalidField.New("objects", "they name other tables, too")
	}
	return nil
}

// add checks the tables, makes the revision that selects them and plans their
// copy. It is refused as a whole when one of that fails; a pause or a stop
// interrupts it. The group then goes on by itself.
func (m *migration) add(ctx workflow.Context, r contract.TablesRequest) error {
	if err := m.checkAdd(r); err != nil { // another command may have come first
		return err
	}
	ctx, m.adding = workflow.WithCancel(ctx)
	defer func() { m.adding = nil }()
	alarms, err := m.checkAdded(ctx, r.Objects)
	if err != nil || ctx.Err() != nil {
		return m.interrupted(ctx, err)
	}
	former := m.Spec.Objects
	m.joining = r.Tables
	defer func() { m.joining = nil }()
	m.Spec.Objects = slices.Concat(r.Objects, former) // the first rule that matches counts
	m.newRevision()
	m.GroupNo++
	no := m.GroupNo
	plan, err := callWith(ctx, bounded(m.place.options(contract.PlanGroup.Name)), contract.PlanGroup, "plan the copy of "+names(r.Tables),
		contract.PlanGroupIn{TaskRef: m.ref(), Owner: m.groupOwner(&contract.Group{}), Group: no, Tables: r.Tables})
	if err != nil || ctx.Err() != nil {
		err = m.interrupted(ctx, err)
		m.takeBack(ctx, no, former)
		return err
	}
	text := "added " + names(r.Tables)
	if len(alarms) > 0 {
		text += "; alarms of the pre-check: " + strings.Join(alarms, ", ")
	}
	m.record(ctx, r.Actor, text)
	m.Groups = append(m.Groups, contract.Group{No: no, Tables: r.Tables, State: contract.GroupPlanning, Since: workflow.Now(ctx), Added: true})
	m.planned(ctx, no, plan)
	return nil
}

// takeBack removes what an addition that failed has left.
func (m *migration) takeBack(ctx workflow.Context, no int, former selection.Selection) {
	free, _ := workflow.NewDisconnectedContext(ctx)
	_, err := callBriefly(free, m.place, answerLimit, contract.DropGroup, "take the addition back",
		contract.MergeIn{TaskRef: m.ref(), Owner: m.groupOwner(&contract.Group{}), Group: no})
	if err != nil {
		m.warn("the group of tables that were not added may remain in the task's metadata: " + errorInfo(free, err).Code)
		if m.release >= 3 {
			m.Left = append(m.Left, no)
		}
	}
	m.Spec.Objects = former
	m.newRevision()
}

// dropLeft removes groups that additions have left: the source's binlog would be
// needed from their positions. What cannot be removed yet is no reason to wait.
func (m *migration) dropLeft(ctx workflow.Context) {
	for _, no := range slices.Clone(m.Left) {
		_, err := callBriefly(ctx, m.place, answerLimit, contract.DropGroup, "take an addition back",
			contract.MergeIn{TaskRef: m.ref(), Owner: m.groupOwner(&contract.Group{}), Group: no})
		if err != nil {
			return
		}
		m.Left = slices.DeleteFunc(m.Left, func(n int) bool { return n == no })
	}
}

// newRevision keeps the pre-check: it is that of the start.
func (m *migration) newRevision() {
	if m.Precheck.Revision == m.Revision {
		m.Precheck.Revision++
	}
	m.Revision++
}

// interrupted says which of the two ended an addition.
func (m *migration) interrupted(ctx workflow.Context, err error) error {
	if ctx.Err() != nil {
		return fault.AddInterrupted.New("", "")
	}
	return err
}

// checkAdded runs the items of the pre-check that look at tables on the added
// ones; what they need comes first. It returns the codes of alarms.
func (m *migration) checkAdded(ctx workflow.Context, objects selection.Selection) (alarms []string, err error) {
	refs, err := call(ctx, m.place, contract.ListPrecheckItems, "list the items of the pre-check", m.ref())
	if err != nil {
		return nil, err
	}
	var needed []string
	for _, r := range refs {
		if r.Tables {
			needed = append(needed, r.Needs...)
		}
	}
	var first, then []contract.PrecheckItemRef
	for _, r := range refs {
		switch {
		case slices.Contains(needed, r.Code):
			first = append(first, r)
		case r.Tables:
			then = append(then, r)
		}
	}
	for _, list := range [][]contract.PrecheckItemRef{first, then} {
		results := make([]contract.PrecheckItemResult, len(list))
		m.checkTogether(ctx, list, objects, results)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var failures []string
		for _, r := range results {
			switch r.Verdict {
			case contract.Failed:
				failures = append(failures, r.Code+": "+r.Reason)
			case contract.Alarm:
				alarms = append(alarms, r.Code)
			default:
			}
		}
		if len(failures) > 0 {
			return nil, fault.AddRefused.New("", "%s", clipped(strings.Join(failures, "; ")))
		}
	}
	return alarms, nil
}

func (m *migration) checkTogether(ctx workflow.Context, list []contract.PrecheckItemRef, objects selection.Selection, results []contract.PrecheckItemResult) {
	running := workflow.NewSemaphore(ctx, precheckParallel)
	left := len(list)
	for i, ref := range list {
		workflow.GoNamed(ctx, ref.Code, func(ctx workflow.Context) {
			defer func() { left-- }()
			if running.Acquire(ctx, 1) != nil {
				return
			}
			defer running.Release(1)
			looked := objects
			if ref.Together {
				looked = slices.Concat(m.Spec.Objects, objects)
			}
			result, err := call(ctx, m.place, contract.RunPrecheckItem, ref.Title+" (added tables)",
				contract.PrecheckItemIn{TaskRef: m.ref(), Code: ref.Code, Objects: looked})
			if err != nil {
				info := errorInfo(ctx, err)
				result.Verdict, result.Reason = contract.Failed, fmt.Sprintf("%s %s", info.Code, info.Message)
			}
			result.Code = ref.Code
			results[i] = result
		})
	}
	free, _ := workflow.NewDisconnectedContext(ctx)
	_ = workflow.Await(free, func() bool { return left == 0 })
}
