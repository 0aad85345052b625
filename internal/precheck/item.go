package precheck

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/task"
)

// Groups as DRS calls them (drs.md PC-M7).
const (
	groupNetwork    = "network"
	groupVersion    = "db_version"
	groupPrivilege  = "db_user_privilege"
	groupParameters = "db_params"
	groupTarget     = "db_target_status"
	groupDisk       = "db_disk_size"
	groupSource     = "src_info_check"
	groupConflict   = "db_object_conflict_check"
	groupDependency = "db_object_dependency_check"
)

// Codes of the items that others need.
const (
	codeSource      = "srcDbConnection"
	codeDestination = "dstDbConnection"
)

// What an item needs.
var (
	onSource      = []string{codeSource}
	onDestination = []string{codeDestination}
	onBoth        = []string{codeSource, codeDestination}
)

// item is one check. Full-only tasks have only those that are for every task.
type item struct {
	code, group, title string
	needs              []string
	incremental        bool // only for tasks that follow the binlog
	// skippable: what fails here stops the task, it loses and changes nothing, so
	// that somebody may take the risk with a reason.
	skippable bool
	// tables: it looks at tables, so that tables that join a running task meet it, too.
	tables bool
	run    func(context.Context, *Env) (finding, error)
}

// all lists every item in the order in which pages show them.
func all() []item {
	return slices.Concat(
		connectionItems(), versionItems(), perTable(privilegeItems()), binlogItems(), perTable(objectItems()), perTable(structureItems()),
		perTable(keyItems()), perTable(foreignItems()), perTable(shardingItems()), perTable(vitessItems()), perTable(valueItems()),
		perTable(destinationItems()), nodeItems(), environmentItems(), serverItems(), activityItems(), perTable(limitItems()),
		capacityItems(), inventoryItems(), returnItems(),
	)
}

func perTable(items []item) []item {
	for i := range items {
		items[i].tables = true
	}
	return items
}

// fitting lists the items about how tables fit together.
func fitting() []string {
	return []string{"srcDstTableNameCaseSensitiveCheck", "hasForeignKeyOnUnselectedTable"}
}

// Items returns the items of a task type.
func Items(t task.Type) []contract.PrecheckItemRef {
	var out []contract.PrecheckItemRef
	for _, i := range all() {
		if i.incremental && t != task.FullIncremental {
			continue
		}
		out = append(out, i.ref())
	}
	return out
}

// Which tasks have an item.
const (
	everyTask = "full, full+incremental"
	following = "full+incremental"
)

func (i item) ref() contract.PrecheckItemRef {
	applies := everyTask
	if i.incremental {
		applies = following
	}
	return contract.PrecheckItemRef{
		Code: i.code, Group: i.group, Title: i.title, Needs: i.needs,
		Applies: applies, Skippable: i.skippable, Page: "docs/precheck/" + i.code + ".md",
		Tables: i.tables, Together: slices.Contains(fitting(), i.code),
	}
}

// Run runs one item. A failed item is a result; an error means that the item
// could not be looked at now.
func Run(ctx context.Context, env *Env, code string) (contract.PrecheckItemResult, error) {
	items := all()
	at := slices.IndexFunc(items, func(i item) bool { return i.code == code })
	if at < 0 {
		return contract.PrecheckItemResult{}, fault.UnknownCheck.New(code, "")
	}
	i := items[at]
	f, err := i.run(ctx, env)
	if err != nil {
		if f, err = judge(err); err != nil {
			return contract.PrecheckItemResult{}, fmt.Errorf("pre-check %s: %w", code, err)
		}
	}
	ref := i.ref()
	return contract.PrecheckItemResult{
		Code: ref.Code, Group: ref.Group, Title: ref.Title, Verdict: f.verdict, Reason: f.reason,
		Evidence: env.evidence(ctx, code, f), Remedy: f.remedy, Facts: f.facts,
		Applies: ref.Applies, Skippable: ref.Skippable, Page: ref.Page, Needs: ref.Needs,
	}, nil
}

// judge makes a result of an error that only somebody's change can end; one
// that may pass by itself stays an error.
func judge(err error) (finding, error) {
	e, ok := fault.As(err)
	switch {
	case !ok || errors.Is(err, context.Canceled):
		return finding{}, err
	case errors.Is(err, fault.AccessDenied):
		return fail("cannot be checked: insufficient user permissions", e.Remedy, e.Error()), nil
	case e.Class == fault.Retry:
		return finding{}, err
	default:
		return fail(e.Message, e.Remedy, e.Error()), nil
	}
}

// finding is what an item found.
type finding struct {
	verdict  contract.Verdict
	reason   string
	remedy   string
	evidence []string
	facts    *contract.ServerFacts
	// samples are keys of rows; they go to the destination's metadata only.
	samples []checkpoint.Sample
}

func pass(format string, args ...any) finding {
	return finding{verdict: contract.Passed, reason: fmt.Sprintf(format, args...)}
}

func alarm(reason, remedy string, evidence ...string) finding {
	return finding{verdict: contract.Alarm, reason: reason, remedy: remedy, evidence: evidence}
}

func fail(reason, remedy string, evidence ...string) finding {
	return finding{verdict: contract.Failed, reason: reason, remedy: remedy, evidence: evidence}
}

// graded collects what fails and what alarms over many objects.
type graded struct{ fails, alarms []string }

func (g *graded) fail(format string, args ...any) {
	g.fails = append(g.fails, fmt.Sprintf(format, args...))
}

func (g *graded) alarm(format string, args ...any) {
	g.alarms = append(g.alarms, fmt.Sprintf(format, args...))
}

// finding gives the worst verdict: reasons are "<count> <what>".
func (g *graded) finding(passed, failed, alarmed, remedy string) finding {
	switch {
	case len(g.fails) > 0 && len(g.alarms) > 0:
		return fail(fmt.Sprintf("%s (%d); %s (%d)", failed, len(g.fails), alarmed, len(g.alarms)), remedy, slices.Concat(g.fails, g.alarms)...)
	case len(g.fails) > 0:
		return fail(fmt.Sprintf("%s (%d)", failed, len(g.fails)), remedy, g.fails...)
	case len(g.alarms) > 0:
		return alarm(fmt.Sprintf("%s (%d)", alarmed, len(g.alarms)), remedy, g.alarms...)
	default:
		return pass("%s", passed)
	}
}

// Limits of evidence.
const (
	evidenceLines = 10
	evidenceWidth = 200
)

// clip keeps evidence within its limits and says what it left out.
func clip(lines []string) []string { return clipTo(lines, evidenceLines) }

func clipTo(lines []string, most int) []string {
	left := 0
	if len(lines) > most {
		left = len(lines) - most + 1
		lines = lines[:most-1]
	}
	out := make([]string, 0, evidenceLines)
	for _, line := range lines {
		line = strings.Map(printable, line)
		if utf8.RuneCountInString(line) > evidenceWidth {
			line = string([]rune(line)[:evidenceWidth-1]) + "…"
		}
		out = append(out, line)
	}
	if left > 0 {
		out = append(out, fmt.Sprintf("… and %d more", left))
	}
	return out
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return ' '
	}
	return r
}
