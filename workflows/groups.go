package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/internal/position"
	"shardlift/internal/table"
	"shardlift/internal/task"
)

// staleWait is the wait before group 0 goes on after an error about a table that
// is not its own: the box that failed did not know it yet.
const staleWait = 10 * time.Second

// group returns a group by its number, nil when it was merged. The pointer is
// good until the next blocking call.
func (m *migration) group(no int) *contract.Group {
	if i := slices.IndexFunc(m.Groups, func(g contract.Group) bool { return g.No == no }); i >= 0 {
		return &m.Groups[i]
	}
	return nil
}

// groupIn returns the first group in one of the states, nil for none.
func (m *migration) groupIn(states ...contract.GroupState) *contract.Group {
	if i := slices.IndexFunc(m.Groups, func(g contract.Group) bool { return slices.Contains(states, g.State) }); i >= 0 {
		return &m.Groups[i]
	}
	return nil
}

// groupOf returns the group of a table, nil when it is group 0's.
func (m *migration) groupOf(name string) *contract.Group {
	has := func(n table.Name) bool { return n.String() == name }
	if i := slices.IndexFunc(m.Groups, func(g contract.Group) bool { return slices.ContainsFunc(g.Tables, has) }); i >= 0 {
		return &m.Groups[i]
	}
	return nil
}

// atWork returns the group that is at work, or next; one is at a time.
func (m *migration) atWork() *contract.Group {
	return m.groupIn(contract.GroupPlanning, contract.GroupCopying, contract.GroupApplying, contract.GroupMerging)
}

// openGroups counts the groups that are neither merged nor dropped.
func (m *migration) openGroups() int {
	n := 0
	for _, g := range m.Groups {
		if g.Open() {
			n++
		}
	}
	return n
}

func (m *migration) enter(ctx workflow.Context, g *contract.Group, s contract.GroupState) {
	g.State, g.Since = s, workflow.Now(ctx)
	m.tellParked(ctx)
	m.settle(ctx)
}

// parkable returns the table that an error concerns alone, when group 0 may go
// on without it.
func (m *migration) parkable(info contract.ErrorInfo) (table.Name, bool) {
	if m.Spec.Policy.TableError != task.ParkTable || info.Table == "" || info.Class == string(fault.Retry) {
		return table.Name{}, false
	}
	name, ok := m.selected(info.Table)
	return name, ok && m.openGroups() < contract.MaxGroups && m.ownTables() > 1
}

// selected reads "schema.table" of a selected table. Names may have dots: where
// the selection leaves a doubt, there is no answer.
func (m *migration) selected(text string) (name table.Name, ok bool) {
	for i := range len(text) {
		if text[i] != '.' {
			continue
		}
		n := table.Name{Schema: text[:i], Table: text[i+1:]}
		if _, _, chosen := m.Spec.Objects.Match(n); chosen {
			if ok {
				return table.Name{}, false
			}
			name, ok = n, true
		}
	}
	return name, ok
}

// ownTables counts the tables of group 0.
func (m *migration) ownTables() int {
	n := m.Plan.Tables
	for _, g := range m.Groups {
		if !g.Added {
			n -= len(g.Tables)
		}
	}
	return n
}

// goWithout parks the table that an error of group 0 concerns alone; the error
// comes back when it stops the task. Group 0's boxes have returned.
func (m *migration) goWithout(ctx workflow.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	info := errorInfo(ctx, err)
	if m.isStale(ctx, info.Table) {
		return workflow.NewTimerWithOptions(ctx, staleWait, workflow.TimerOptions{Summary: "go on without " + info.Table}).Get(ctx, nil)
	}
	name, ok := m.parkable(info)
	if !ok {
		return err
	}
	m.GroupNo++
	m.Groups = append(m.Groups, contract.Group{
		No: m.GroupNo, Tables: []table.Name{name}, State: contract.GroupParked, Since: workflow.Now(ctx), Error: &info,
	})
	m.record(ctx, system, fmt.Sprintf("parked %s: %s %s", name, info.Code, info.Message))
	m.Notified = "" // people are told of every table
	m.tellParked(ctx)
	m.settle(ctx)
	return nil // regroup carries it out, also after an interruption
}

// isStale says whether an error is about a table that group 0 has just given
// away, or that is about to join.
func (m *migration) isStale(ctx workflow.Context, name string) bool {
	if name == "" {
		return false
	}
	if slices.ContainsFunc(m.joining, func(n table.Name) bool { return n.String() == name }) {
		return true
	}
	g := m.groupOf(name)
	return g != nil && g.Since.Add(quietTime).After(workflow.Now(ctx))
}

// beingParked says that a group's row is not known to be on the destination yet.
func beingParked(g contract.Group) bool {
	return g.State == contract.GroupParked && g.Position == nil
}

// regroup carries out what needs group 0's boxes to have returned: parking and
// merging. What was interrupted is carried out again.
func (m *migration) regroup(ctx workflow.Context) error {
	m.dropLeft(ctx)
	for {
		if i := slices.IndexFunc(m.Groups, beingParked); i >= 0 {
			if err := m.park(ctx, m.Groups[i].No); err != nil {
				return err
			}
			continue
		}
		g := m.groupIn(contract.GroupMerging)
		if g == nil {
			return nil
		}
		if err := m.merge(ctx, g.No); err != nil {
			return err
		}
	}
}

func (m *migration) park(ctx workflow.Context, no int) error {
	g := *m.group(no)
	out, err := call(ctx, m.place, contract.ParkTables, "park "+names(g.Tables),
		contract.ParkIn{TaskRef: m.ref(), Owner: m.owner(), Group: no, Tables: g.Tables, Start: m.Plan.Start})
	if err != nil && ctx.Err() == nil {
		return m.notParked(ctx, no, errorInfo(ctx, err))
	}
	if err != nil {
		return err
	}
	p := m.group(no)
	p.Position, p.Copied = &out.Position, out.Copied
	m.settle(ctx)
	return nil
}

// notParked stops the task with the table's own error, as without the policy. The
// group's row may be on the destination, where group 0 would go on without the
// table: the group stays, and the next start carries the parking out.
func (m *migration) notParked(ctx workflow.Context, no int, why contract.ErrorInfo) error {
	g := *m.group(no)
	if why.Code == fault.TableUnplanned.Code || m.release < 3 { // found before anything is written
		m.Groups = slices.DeleteFunc(m.Groups, func(x contract.Group) bool { return x.No == no })
	}
	m.record(ctx, system, fmt.Sprintf("%s could not be parked: %s %s", names(g.Tables), why.Code, why.Message))
	m.tellParked(ctx)
	return temporal.NewApplicationErrorWithOptions(g.Error.Message, g.Error.Code, temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{*g.Error}})
}

// merge gives a group's tables back to group 0, which goes on at the older
// position. What hinders it parks the group again, what passes lets it follow the
// stream for another while; group 0 goes on either way.
func (m *migration) merge(ctx workflow.Context, no int) error {
	g := *m.group(no)
	owner := m.owner()
	owner.FenceConfirmed = owner.FenceConfirmed || g.FenceConfirmed
	out, err := call(ctx, m.place, contract.MergeGroup, "merge "+names(g.Tables), contract.MergeIn{TaskRef: m.ref(), Owner: owner, Group: no})
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		info := errorInfo(ctx, err)
		if later := info.Class == string(fault.Retry) || info.Code == fault.MergeEarly.Code; !later || !m.CopyDone {
			m.parkAgain(ctx, no, info)
			return nil
		}
		late := m.group(no) // not yet: it follows the stream for another while
		m.tryLater(ctx, late, info)
		m.enter(ctx, late, contract.GroupApplying)
		return nil
	}
	m.Groups = slices.DeleteFunc(m.Groups, func(x contract.Group) bool { return x.No == no })
	if !out.Position.IsZero() {
		m.Applied = &out.Position
	}
	if g.PassDDL != nil { // group 0 may meet the statement again
		m.PassDDL = g.PassDDL
	}
	if g.Added {
		m.Plan.Tables += len(g.Tables)
	}
	m.record(ctx, system, "merged "+names(g.Tables))
	m.tellParked(ctx)
	m.settle(ctx)
	return nil
}

// parkAgain lets a group wait for somebody with its new error.
func (m *migration) parkAgain(ctx workflow.Context, no int, info contract.ErrorInfo) {
	g := m.group(no)
	g.Error, g.FenceConfirmed = &info, false
	if g.Position == nil { // its row is on the destination
		g.Position = &position.Position{}
	}
	m.record(ctx, system, fmt.Sprintf("parked %s again: %s %s", names(g.Tables), info.Code, info.Message))
	m.Notified = ""
	m.enter(ctx, g, contract.GroupParked)
}

// interruptOwn makes the phase begin again, so that regroup has its turn.
func (m *migration) interruptOwn() {
	if m.interrupt != nil {
		m.interrupt()
	}
}

// tellParked keeps the alarm of parked tables.
func (m *migration) tellParked(ctx workflow.Context) {
	var texts []string
	for _, g := range m.Groups {
		if g.State == contract.GroupParked && g.Error != nil {
			texts = append(texts, fmt.Sprintf("%s is parked: %s %s", names(g.Tables), g.Error.Code, g.Error.Message))
		}
	}
	if len(texts) == 0 && !m.alarmed(contract.AlarmParked) {
		return
	}
	m.alarm(ctx, contract.TaskAlarm{
		Kind: contract.AlarmParked, Active: len(texts) > 0, At: workflow.Now(ctx), Text: clipped(strings.Join(texts, "; ")),
	})
}

// groupWarnings say in the report which tables the task ended without.
func (m *migration) groupWarnings() []string {
	var missing, dropped []string
	for _, g := range m.Groups {
		switch {
		case !g.Open():
			dropped = append(dropped, names(g.Tables))
		case g.Error != nil:
			missing = append(missing, names(g.Tables)+" (parked with "+g.Error.Code+")")
		default:
			missing = append(missing, names(g.Tables)+" ("+string(g.State)+")")
		}
	}
	var out []string
	if len(missing) > 0 {
		out = append(out, "not complete on the destination: "+strings.Join(missing, ", "))
	}
	if len(dropped) > 0 {
		out = append(out, "dropped from the task, their rows stay as they are: "+strings.Join(dropped, ", "))
	}
	return out
}

// names lists tables for people.
func names(tables []table.Name) string {
	const shown = 5
	var out []string
	for i, t := range tables {
		if i == shown {
			out = append(out, fmt.Sprintf("%d more", len(tables)-shown))
			break
		}
		out = append(out, t.String())
	}
	return strings.Join(out, ", ")
}

func clipped(text string) string {
	const longest = 1000
	if len(text) <= longest {
		return text
	}
	return strings.ToValidUTF8(text[:longest], "") + " …"
}

// stopsForGroups is the error of a full-only task whose copy has ended but for
// tables that are parked.
func (m *migration) stopsForGroups() error {
	if m.Spec.Type != task.Full || m.openGroups() == 0 {
		return nil
	}
	return fault.GroupsOpen.New("", "%d tables or groups of tables", m.openGroups())
}

// waitsForGroups says that the task stands still for parked tables alone.
func (m *migration) waitsForGroups() bool {
	return m.Mode == failed && m.Phase == lifecycle.PhaseFull && m.LastError != nil && m.LastError.Code == fault.GroupsOpen.Code
}
