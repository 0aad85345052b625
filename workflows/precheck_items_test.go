package workflows

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
)

// skippable makes the item BINLOG one that may be skipped.
func skippable() []contract.PrecheckItemRef {
	list := items()
	list[1].Skippable, list[1].Page, list[1].Applies = true, "docs/precheck/BINLOG.md", "full+incremental"
	return list
}

func TestPrecheck_FailureIsSkippedWithAReasonWhereThatIsSafe(t *testing.T) {
	b := newBench(t)
	stub(b, contract.ListPrecheckItems).Return(func(context.Context, contract.TaskRef) ([]contract.PrecheckItemRef, error) { return skippable(), nil })
	verdicts := map[string]contract.Verdict{"BINLOG": contract.Failed}
	b.verdicts(verdicts)
	b.usual()
	skip := func(note string, codes ...string) contract.ConfirmRequest {
		return contract.ConfirmRequest{Command: byAlice, Skip: true, Note: note, Items: codes}
	}
	after(b, time.Second, contract.UpdatePrecheck, contract.PrecheckRequest{Command: byAlice}, b.accepted("precheck"))
	after(b, 2*time.Minute, contract.UpdateConfirm, skip("known"), b.refused(fault.InvalidField))
	after(b, 2*time.Minute, contract.UpdateConfirm, skip(" ", "BINLOG"), b.refused(fault.InvalidField))
	after(b, 2*time.Minute, contract.UpdateConfirm, skip("known", "NONE"), b.refused(fault.UnknownItem))
	after(b, 2*time.Minute, contract.UpdateConfirm, skip("known", "SOURCE_CONNECTION"), b.refused(fault.NotSkippable))
	after(b, 3*time.Minute, contract.UpdateConfirm, skip("rows like that are not needed", "BINLOG"), b.accepted("skip"))
	b.at(4*time.Minute, func() {
		r := b.report()
		require.Equal(t, 100, r.Summary.PassedRate)
		require.Equal(t, 100, r.Summary.Percent)
		require.Equal(t, 1, r.Summary.Skipped)
		require.Zero(t, r.Summary.Failed)
		item := r.Items[1]
		require.Equal(t, contract.Failed, item.Verdict)
		require.Equal(t, "alice", item.Skipped.Actor)
		require.Equal(t, "rows like that are not needed", item.Skipped.Note)
		require.Equal(t, "docs/precheck/BINLOG.md", item.Page)
		require.Equal(t, "full+incremental", item.Applies)
		delete(verdicts, "BINLOG")
	})
	// Checked again it passes, and the skip is gone with the failure.
	after(b, 5*time.Minute, contract.UpdatePrecheck, contract.PrecheckRequest{Command: byAlice, Items: []string{"BINLOG"}}, b.accepted("check again"))
	b.at(6*time.Minute, func() {
		require.Nil(t, b.report().Items[1].Skipped)
		verdicts["BINLOG"] = contract.Failed
	})
	after(b, 7*time.Minute, contract.UpdatePrecheck, contract.PrecheckRequest{Command: byAlice, Items: []string{"BINLOG"}}, b.accepted("check again"))
	after(b, 8*time.Minute, contract.UpdateStart, contract.StartRequest{Command: byAlice}, b.refused(fault.PrecheckBelow))
	after(b, 9*time.Minute, contract.UpdateConfirm, skip("as before", "BINLOG"), b.accepted("skip"))
	after(b, 10*time.Minute, contract.UpdateStart, contract.StartRequest{Command: byAlice}, b.accepted("start"))
	b.endAt(time.Hour)
	b.run(b.input())
	b.ended()
}

func TestPrecheck_FailureThatCouldLoseRowsIsNeverSkipped(t *testing.T) {
	b := newBench(t)
	b.verdicts(map[string]contract.Verdict{"BINLOG": contract.Failed})
	b.usual()
	after(b, time.Second, contract.UpdatePrecheck, contract.PrecheckRequest{Command: byAlice}, b.accepted("precheck"))
	after(b, time.Minute, contract.UpdateConfirm, contract.ConfirmRequest{Command: byAlice, Skip: true, Note: "please", Items: []string{"BINLOG"}}, b.refused(fault.NotSkippable))
	b.endAt(time.Hour)
	b.run(b.input())
	b.ended()
}

func TestPrecheck_ProgressAndWhatItemsWaitFor(t *testing.T) {
	b := newBench(t)
	stub(b, contract.RunPrecheckItem).After(time.Minute).Return(contract.PrecheckItemResult{Verdict: contract.Passed}, nil)
	b.usual()
	after(b, time.Second, contract.UpdatePrecheck, contract.PrecheckRequest{Command: byAlice}, b.accepted("precheck"))
	b.at(30*time.Second, func() {
		r := b.report()
		require.Zero(t, r.Summary.Percent)
		require.Empty(t, r.Items[0].WaitsFor)
		require.Equal(t, []string{"SOURCE_CONNECTION"}, r.Items[1].WaitsFor)
	})
	b.at(90*time.Second, func() {
		r := b.report()
		require.Equal(t, 50, r.Summary.Percent)
		require.Equal(t, contract.Running, r.Items[1].Verdict)
		require.Empty(t, r.Items[1].WaitsFor)
	})
	b.at(3*time.Minute, func() { require.Equal(t, 100, b.report().Summary.Percent) })
	b.endAt(time.Hour)
	b.run(b.input())
	b.ended()
}

// TestStart_ScheduledMeetsAnAlarm: it is confirmed where it was met, and the
// task goes on from there.
func TestStart_ScheduledMeetsAnAlarm(t *testing.T) {
	b := newBench(t)
	verdicts := map[string]contract.Verdict{}
	b.verdicts(verdicts)
	b.usual()
	when := b.Now().Add(time.Hour)
	after(b, time.Minute, contract.UpdateStart, contract.StartRequest{Command: byAlice, At: &when}, b.accepted("start"))
	b.at(30*time.Minute, func() { verdicts["BINLOG"] = contract.Alarm })
	b.at(2*time.Hour, func() { require.Equal(t, lifecycle.StartFailed, b.view().Status) })
	after(b, 3*time.Hour, contract.UpdateConfirm, contract.ConfirmRequest{Command: byAlice, Items: []string{"BINLOG"}, Note: "known"}, b.accepted("confirm"))
	after(b, 4*time.Hour, contract.UpdateResume, contract.ResumeRequest{Command: byAlice}, b.accepted("resume"))
	b.at(5*time.Hour, func() { require.Equal(t, lifecycle.IncreStarted, b.view().Status) })
	b.endAt(8 * time.Hour)
	b.run(b.input(checked))
	b.ended()
}
