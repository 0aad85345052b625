package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
)

// States of a pre-check.
const (
	precheckNone    = "none"
	precheckRunning = "running"
	precheckDone    = "done"
	precheckExpired = "expired"
)

// precheckLife is how long results are good for.
const precheckLife = 24 * time.Hour

func (m *migration) checkPrecheck(_ workflow.Context, r contract.PrecheckRequest) error {
	if m.Precheck.Wanted {
		return fault.PrecheckRunning.New("", "")
	}
	if field := m.missing(); field != "" {
		return fault.NotConfigured.New(field, "")
	}
	for _, code := range r.Items {
		if m.precheckItem(code) < 0 {
			return fault.UnknownItem.New(code, "")
		}
	}
	return nil
}

func (m *migration) precheck(ctx workflow.Context, r contract.PrecheckRequest) (contract.CommandResult, error) {
	m.Precheck.Wanted = true
	m.Precheck.Only = r.Items
	m.record(ctx, r.Actor, "pre-check")
	return contract.CommandResult{}, nil
}

func (m *migration) checkConfirm(ctx workflow.Context, r contract.ConfirmRequest) error {
	if state := m.precheckSummary(ctx).State; state == precheckRunning {
		return fault.PrecheckRunning.New("", "")
	} else if state == precheckNone {
		return fault.PrecheckMissing.New("", "")
	}
	if !r.All && len(r.Items) == 0 {
		return fault.InvalidField.New("items", "name at least one item, or all")
	}
	if r.Skip {
		return m.checkSkip(r)
	}
	for _, code := range r.Items {
		i := m.precheckItem(code)
		if i < 0 {
			return fault.UnknownItem.New(code, "")
		}
		if m.Precheck.Items[i].Verdict != contract.Alarm {
			return fault.NotAnAlarm.New(code, "it is %s", m.Precheck.Items[i].Verdict)
		}
	}
	return nil
}

// checkSkip: failures are skipped by name, with a reason, and only those that
// stop a task without costing it a row.
func (m *migration) checkSkip(r contract.ConfirmRequest) error {
	if len(r.Items) == 0 {
		return fault.InvalidField.New("items", "name the items to skip")
	}
	if strings.TrimSpace(r.Note) == "" {
		return fault.InvalidField.New("note", "a failure is skipped with a reason")
	}
	for _, code := range r.Items {
		i := m.precheckItem(code)
		if i < 0 {
			return fault.UnknownItem.New(code, "")
		}
		if item := m.Precheck.Items[i]; item.Verdict != contract.Failed || !item.Skippable {
			return fault.NotSkippable.New(code, "it is %s", item.Verdict)
		}
	}
	return nil
}

func (m *migration) confirm(ctx workflow.Context, r contract.ConfirmRequest) (contract.CommandResult, error) {
	if r.Skip {
		return m.skip(ctx, r)
	}
	by := contract.Confirmation{Actor: r.Actor, At: workflow.Now(ctx), Note: r.Note}
	var codes []string
	for i := range m.Precheck.Items {
		item := &m.Precheck.Items[i]
		if item.Verdict == contract.Alarm && (r.All || slices.Contains(r.Items, item.Code)) {
			item.Confirmed = &by
			codes = append(codes, item.Code)
		}
	}
	m.record(ctx, r.Actor, "confirmed "+strings.Join(codes, ", "))
	return contract.CommandResult{}, nil
}

func (m *migration) skip(ctx workflow.Context, r contract.ConfirmRequest) (contract.CommandResult, error) {
	by := contract.Confirmation{Actor: r.Actor, At: workflow.Now(ctx), Note: r.Note}
	for _, code := range r.Items {
		m.Precheck.Items[m.precheckItem(code)].Skipped = &by
	}
	m.record(ctx, r.Actor, "skipped "+strings.Join(r.Items, ", "))
	return contract.CommandResult{}, nil
}

// precheckOnCommand runs a pre-check that a command asked for. That it could
// not run changes nothing else: the task stays in its configuration.
func (m *migration) precheckOnCommand(ctx workflow.Context) error {
	err := m.runPrecheck(ctx, m.Precheck.Only)
	if ctx.Err() != nil { // whoever interrupted has said what is next
		return nil
	}
	m.Precheck.Wanted, m.Precheck.Only = false, nil
	if err != nil {
		info := errorInfo(ctx, err)
		m.LastError = &info
		m.record(ctx, system, "the pre-check did not run: "+info.Code+" "+info.Message)
		return nil
	}
	m.LastError = nil
	s := m.precheckSummary(ctx)
	m.record(ctx, system, fmt.Sprintf("pre-check: %d %% passed, %d failed, %d alarms", s.PassedRate, s.Failed, s.Alarms))
	return nil
}

// runPrecheck runs every item, or the ones named on top of results that are
// still good. Confirmations stay while the revision does.
func (m *migration) runPrecheck(ctx workflow.Context, only []string) error {
	refs, err := call(ctx, m.place, contract.ListPrecheckItems, "list the items of the pre-check", m.ref())
	if err != nil {
		return err
	}
	now := workflow.Now(ctx)
	former := m.Precheck
	if len(only) > 0 && former.Revision == m.Revision && now.Sub(former.At) < precheckLife {
		m.Precheck.Items = slices.Clone(former.Items)
	} else {
		only = nil
		m.Precheck.Items = make([]contract.PrecheckItemResult, len(refs))
		for i, r := range refs {
			m.Precheck.Items[i] = identified(contract.PrecheckItemResult{Verdict: contract.Waiting}, r)
		}
		m.Precheck.Revision, m.Precheck.At = m.Revision, now
	}
	m.runItems(ctx, refs, only)
	if ctx.Err() != nil {
		m.Precheck = former
		m.Precheck.Wanted = m.Precheck.Wanted && suggested(ctx) // the next run starts it again
		return ctx.Err()
	}
	m.keepConfirmations(former)
	m.takeFacts()
	return nil
}

// runItems runs the items in parallel, each after what it needs.
func (m *migration) runItems(ctx workflow.Context, refs []contract.PrecheckItemRef, only []string) {
	running := workflow.NewSemaphore(ctx, precheckParallel)
	left := 0
	ended := make([]bool, len(m.Precheck.Items))
	for i := range ended {
		ended[i] = true
	}
	for _, ref := range refs {
		i := m.precheckItem(ref.Code)
		if i < 0 || len(only) > 0 && !slices.Contains(only, ref.Code) {
			continue
		}
		left++
		ended[i] = false
		m.Precheck.Items[i] = identified(contract.PrecheckItemResult{Verdict: contract.Waiting}, ref)
		workflow.GoNamed(ctx, ref.Code, func(ctx workflow.Context) {
			defer func() { ended[i] = true; left-- }()
			if err := workflow.Await(ctx, func() bool { return m.haveEnded(ref.Needs, ended) }); err != nil {
				return
			}
			if blocking := m.blocking(ref.Needs); blocking != "" {
				m.Precheck.Items[i].Reason = "not checked: it needs " + blocking + ", which did not pass"
				return
			}
			if running.Acquire(ctx, 1) != nil {
				return
			}
			defer running.Release(1)
			m.Precheck.Items[i] = m.runItem(ctx, ref)
		})
	}
	free, _ := workflow.NewDisconnectedContext(ctx)
	_ = workflow.Await(free, func() bool { return left == 0 })
}

// runItem runs one item; that it could not be checked is a result too.
func (m *migration) runItem(ctx workflow.Context, ref contract.PrecheckItemRef) contract.PrecheckItemResult {
	m.Precheck.Items[m.precheckItem(ref.Code)].Verdict = contract.Running
	result, err := call(ctx, m.place, contract.RunPrecheckItem, ref.Title,
		contract.PrecheckItemIn{TaskRef: m.ref(), Code: ref.Code, AfterReset: m.DeleteFirst})
	result = identified(result, ref)
	if err != nil {
		info := errorInfo(ctx, err)
		result.Verdict, result.Reason, result.Remedy = contract.Failed, info.Code+": "+info.Message, info.Remedy
	}
	return result
}

// identified is a result with what the list of items says of it.
func identified(r contract.PrecheckItemResult, ref contract.PrecheckItemRef) contract.PrecheckItemResult {
	r.Code, r.Group, r.Title = ref.Code, ref.Group, ref.Title
	r.Applies, r.Skippable, r.Page, r.Needs = ref.Applies, ref.Skippable, ref.Page, ref.Needs
	return r
}

// precheckReport is what pages show: waiting items say what they wait for.
func (m *migration) precheckReport(ctx workflow.Context) contract.PrecheckReport {
	items := slices.Clone(m.Precheck.Items)
	for i := range items {
		if hasEnded(items[i]) {
			continue
		}
		items[i].WaitsFor = slices.DeleteFunc(slices.Clone(items[i].Needs), func(code string) bool {
			n := m.precheckItem(code)
			return n < 0 || hasEnded(m.Precheck.Items[n])
		})
	}
	return contract.PrecheckReport{Summary: m.precheckSummary(ctx), Items: items}
}

// hasEnded: an item that was not checked has said why.
func hasEnded(r contract.PrecheckItemResult) bool {
	return r.Verdict != contract.Running && (r.Verdict != contract.Waiting || r.Reason != "")
}

func (m *migration) haveEnded(codes []string, ended []bool) bool {
	return !slices.ContainsFunc(codes, func(code string) bool {
		i := m.precheckItem(code)
		return i >= 0 && !ended[i]
	})
}

// blocking returns the first of the items that did not pass.
func (m *migration) blocking(codes []string) string {
	for _, code := range codes {
		if i := m.precheckItem(code); i >= 0 {
			if v := m.Precheck.Items[i].Verdict; v != contract.Passed && v != contract.Alarm {
				return code
			}
		}
	}
	return ""
}

func (m *migration) precheckItem(code string) int {
	return slices.IndexFunc(m.Precheck.Items, func(r contract.PrecheckItemResult) bool { return r.Code == code })
}

func (m *migration) keepConfirmations(former precheckState) {
	if former.Revision != m.Precheck.Revision {
		return
	}
	for _, old := range former.Items {
		i := m.precheckItem(old.Code)
		if i < 0 {
			continue
		}
		switch item := &m.Precheck.Items[i]; item.Verdict {
		case contract.Alarm:
			item.Confirmed = old.Confirmed
		case contract.Failed:
			item.Skipped = old.Skipped
		default:
		}
	}
}

// takeFacts remembers kind and version of both servers.
func (m *migration) takeFacts() {
	for _, r := range m.Precheck.Items {
		if r.Facts == nil {
			continue
		}
		switch r.Facts.Side {
		case "source":
			m.Source = *r.Facts
		case "destination":
			m.Destination = *r.Facts
		}
	}
}

// precheckSummary counts the results of this revision.
func (m *migration) precheckSummary(ctx workflow.Context) contract.PrecheckSummary {
	p := m.Precheck
	s := contract.PrecheckSummary{State: precheckDone, Revision: p.Revision}
	good, ended := 0, 0
	for _, r := range p.Items {
		if hasEnded(r) {
			ended++
		}
		switch r.Verdict {
		case contract.Passed:
			good++
		case contract.Alarm:
			s.Alarms++
			if r.Confirmed != nil {
				good++
			} else {
				s.Unconfirmed++
			}
		case contract.Failed:
			if r.Skipped != nil {
				s.Skipped++
				good++
			} else {
				s.Failed++
			}
		case contract.Waiting, contract.Running:
		}
	}
	if len(p.Items) > 0 {
		s.PassedRate = 100 * good / len(p.Items)
		s.Percent = 100 * ended / len(p.Items)
		expires := p.At.Add(precheckLife)
		s.ExpiresAt = &expires
	}
	switch {
	case p.Wanted || m.PrecheckFirst && m.Mode == running && m.interrupt != nil:
		s.State = precheckRunning
	case len(p.Items) == 0 || p.Revision != m.Revision:
		s.State = precheckNone
	case workflow.Now(ctx).After(*s.ExpiresAt):
		s.State = precheckExpired
	}
	return s
}
