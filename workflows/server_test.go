package workflows

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/encoding/protojson"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/internal/task"
	"shardlift/internal/testtemporal"
)

// record writes the histories that the replay test reads: run it once per
// release, into a folder of that release, and never over an older one.
//
//	go test ./workflows -run TestServer -record
var record = flag.Bool("record", false, "write histories into the folder of this release")

var identity = regexp.MustCompile(`"identity": *"[^"]*"`)

const historyFolder = "testdata/histories/v3"

// stage is a real Temporal server with a worker whose activities are played.
type stage struct {
	client.Client
	t      *testing.T
	taskID string
	// open counts the long activities that have not returned.
	open atomic.Int32
	mu   sync.Mutex
	// failApply fails the next ApplyBinlog, with failAs (fault.Divergence when empty).
	failApply bool
	failAs    fault.Definition
	// failTable fails the next ApplyBinlog with an error of one table.
	failTable bool
	// holdCopy keeps lanes at work that would be done after some seconds.
	holdCopy atomic.Bool
}

// newStage starts workers on queues of this test alone, but for the control queue.
func newStage(t *testing.T) *stage {
	worker.SetStickyWorkflowCacheSize(0) // every task replays the whole history
	s := &stage{Client: testtemporal.Get(t).Client(t), t: t, taskID: uuid.NewString()}
	for _, queue := range []string{contract.QueueControl, contract.QueueShort(s.taskID), contract.QueueCopy(s.taskID), contract.QueueApply(s.taskID)} {
		w := worker.New(s.Client, queue, worker.Options{
			DisableRegistrationAliasing: true, MaxHeartbeatThrottleInterval: time.Hour, WorkerStopTimeout: 5 * time.Second,
		})
		if queue == contract.QueueControl {
			Register(w)
		}
		s.play(w)
		require.NoError(t, w.Start())
		t.Cleanup(w.Stop)
	}
	return s
}

func (s *stage) play(w worker.Worker) {
	answer := func(name string, f any) { w.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: name}) }
	answer(contract.ListPrecheckItems.Name, func(context.Context, contract.TaskRef) ([]contract.PrecheckItemRef, error) { return items(), nil })
	answer(contract.RunPrecheckItem.Name, func(_ context.Context, in contract.PrecheckItemIn) (contract.PrecheckItemResult, error) {
		return contract.PrecheckItemResult{Code: in.Code, Verdict: contract.Alarm}, nil
	})
	answer(contract.PlanCopy.Name, func(ctx context.Context, _ contract.PlanCopyIn) (contract.PlanCopyOut, error) {
		return plan(), s.work(ctx, 300*time.Millisecond)
	})
	answer(contract.CopyLane.Name, func(ctx context.Context, _ contract.CopyLaneIn) (contract.CopyLaneOut, error) {
		return contract.CopyLaneOut{Done: true}, s.workWhile(ctx, time.Second, s.holdCopy.Load)
	})
	answer(contract.ReadHead.Name, func(context.Context, contract.TaskRef) (contract.HeadOut, error) {
		return contract.HeadOut{Position: at(900)}, nil
	})
	answer(contract.WatchSource.Name, func(ctx context.Context, _ contract.WatchIn) (contract.WatchOut, error) {
		_ = s.work(ctx, time.Hour)
		return contract.WatchOut{}, temporal.NewCanceledError(lastLook())
	})
	answer(contract.ApplyBinlog.Name, func(ctx context.Context, in contract.ApplyIn) (contract.ApplyOut, error) {
		s.mu.Lock()
		fail, as, one := s.failApply, s.failAs, s.failTable
		s.failApply, s.failTable = false, false
		s.mu.Unlock()
		if one {
			return contract.ApplyOut{}, tableError(fault.ValueRefused, nil)
		}
		if fail && as.Code != "" {
			return contract.ApplyOut{}, applicationError(as)
		}
		if fail {
			return contract.ApplyOut{}, applicationError(fault.Divergence)
		}
		if in.Stop != nil {
			return contract.ApplyOut{Applied: at(900), Drained: true}, nil
		}
		return contract.ApplyOut{}, s.work(ctx, time.Hour)
	})
	answer(contract.CompareTables.Name, func(context.Context, contract.CompareIn) (contract.CompareOut, error) {
		return contract.CompareOut{Done: true, Result: "CONSISTENT"}, nil
	})
	answer(contract.UpdateSequences.Name, func(context.Context, contract.SequencesIn) (contract.SequencesOut, error) {
		return contract.SequencesOut{Refreshed: 1, Total: 1}, nil
	})
	answer(contract.StoreReport.Name, func(_ context.Context, in contract.ReportIn) (contract.Report, error) {
		return contract.Report{Incomplete: in.Incomplete}, nil
	})
	answer(contract.StoreLimits.Name, func(context.Context, contract.LimitsIn) (contract.Nothing, error) { return contract.Nothing{}, nil })
	s.playGroups(answer)
	answer(contract.ResetTask.Name, func(context.Context, contract.ResetIn) (contract.Nothing, error) { return contract.Nothing{}, nil })
}

// work heartbeats until it is done or told to end; ending takes a moment, as
// finishing a window does.
func (s *stage) work(ctx context.Context, d time.Duration) error {
	return s.workWhile(ctx, d, func() bool { return false })
}

// workWhile is work that goes on as long as it is held.
func (s *stage) workWhile(ctx context.Context, d time.Duration, held func() bool) error {
	s.open.Add(1)
	defer s.open.Add(-1)
	end := time.NewTimer(d)
	defer end.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-end.C:
			if !held() {
				return nil
			}
			end.Reset(50 * time.Millisecond)
		case <-ctx.Done():
			<-time.After(200 * time.Millisecond)
			return ctx.Err()
		case <-tick.C:
			activity.RecordHeartbeat(ctx, contract.ApplyBeat{})
		}
	}
}

func (s *stage) start(change ...func(*state)) {
	s.t.Helper()
	in := Input{MigrationInput: contract.MigrationInput{TaskID: s.taskID, Spec: spec(), Actor: "alice", HeartbeatTimeout: time.Hour}}
	in.Spec.WorkerGroup = s.taskID
	if len(change) > 0 {
		st := newState(in.Spec, time.Now())
		for _, c := range change {
			c(&st)
		}
		in.Carry = &st
	}
	_, err := s.ExecuteWorkflow(s.t.Context(), client.StartWorkflowOptions{
		ID: contract.MigrationID(s.taskID), TaskQueue: contract.QueueControl, StaticSummary: "a test",
	}, contract.MigrationWorkflow, in)
	require.NoError(s.t, err)
}

func order[R any](s *stage, u contract.Update[R], r R) (contract.CommandResult, error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	var out contract.CommandResult
	handle, err := s.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: contract.MigrationID(s.taskID), UpdateName: u.Name, WaitForStage: client.WorkflowUpdateStageCompleted, Args: []any{r},
	})
	if err != nil {
		return out, err
	}
	return out, handle.Get(ctx, &out)
}

func must[R any](s *stage, u contract.Update[R], r R) contract.CommandResult {
	s.t.Helper()
	out, err := order(s, u, r)
	require.NoError(s.t, err)
	return out
}

func (s *stage) view() contract.View {
	s.t.Helper()
	// A busy worker may need longer than one query lasts.
	for deadline := time.Now().Add(2 * time.Minute); ; {
		value, err := s.QueryWorkflow(s.t.Context(), contract.MigrationID(s.taskID), "", contract.QueryView)
		if err != nil && time.Now().Before(deadline) {
			continue
		}
		require.NoError(s.t, err)
		var v contract.View
		require.NoError(s.t, value.Get(&v))
		return v
	}
}

func (s *stage) reaches(want lifecycle.Status) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return s.view().Status == want }, time.Minute, 50*time.Millisecond, want)
}

// history returns the events of the last run of a workflow.
func (s *stage) history(id string) *history.History {
	s.t.Helper()
	h := &history.History{}
	events := s.GetWorkflowHistory(s.t.Context(), id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		require.NoError(s.t, err)
		h.Events = append(h.Events, e)
	}
	return h
}

// keep records a history under a name of what happens in it, and replays it.
func (s *stage) keep(id, name string) *history.History {
	s.t.Helper()
	h := s.history(id)
	replayer := worker.NewWorkflowReplayer()
	Register(replayer)
	require.NoError(s.t, replayer.ReplayWorkflowHistory(quiet(), h))
	if *record {
		data, err := protojson.Marshal(h)
		require.NoError(s.t, err)
		data = identity.ReplaceAll(data, []byte(`"identity":"worker"`)) // it names this machine
		require.NoError(s.t, os.MkdirAll(historyFolder, 0o755))
		require.NoError(s.t, os.WriteFile(filepath.Join(historyFolder, name+".json"), data, 0o644))
	}
	return h
}

func quiet() log.Logger { return log.NewStructuredLogger(slog.New(slog.DiscardHandler)) }

// The SDK's test environment ignores WaitForCancellation, so that pause, stop
// and resume are proved here.
func TestServer_PauseWaitsForActivitiesInEveryPhase(t *testing.T) {
	for phase, prepare := range map[lifecycle.Phase]func(*state){
		lifecycle.PhaseStart: func(s *state) { s.Phase = lifecycle.PhaseStart },
		lifecycle.PhaseFull:  planned, lifecycle.PhaseIncremental: copied,
	} {
		t.Run(string(phase), func(t *testing.T) {
			s := newStage(t)
			s.holdCopy.Store(true)
			s.start(prepare)
			require.Eventually(t, func() bool { return s.open.Load() > 0 }, time.Minute, 10*time.Millisecond)
			// Heartbeats, which would tell them as well, are an hour apart.
			out := must(s, contract.UpdatePause, contract.PauseRequest{Command: byAlice})
			require.Equal(t, lifecycle.Paused, out.Status)
			require.Zero(t, s.open.Load(), "an activity works on after the pause was answered")

			s.holdCopy.Store(false)
			out = must(s, contract.UpdateResume, contract.ResumeRequest{Command: byAlice})
			require.NotEqual(t, lifecycle.Paused, out.Status)
			s.reaches(lifecycle.IncreStarted)
			must(s, contract.UpdateStop, contract.StopRequest{Command: byAlice})
			require.NoError(t, s.GetWorkflow(t.Context(), contract.MigrationID(s.taskID), "").Get(t.Context(), nil))
			require.Zero(t, s.open.Load())
			require.Equal(t, lifecycle.ReleaseDone, s.view().Status)
			s.keep(contract.MigrationID(s.taskID), "pause-"+string(phase))
		})
	}
}

func TestServer_AWholeLife(t *testing.T) {
	s := newStage(t)
	s.start()
	_, err := order(s, contract.UpdateStart, contract.StartRequest{Command: byAlice})
	var refused *temporal.ApplicationError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, fault.PrecheckMissing.Code, refused.Type())
	must(s, contract.UpdatePrecheck, contract.PrecheckRequest{Command: byAlice})
	require.Eventually(t, func() bool { return s.view().Precheck.State == "done" }, time.Minute, 50*time.Millisecond)
	must(s, contract.UpdateConfirm, contract.ConfirmRequest{Command: byAlice, All: true, Note: "known"})
	must(s, contract.UpdateLimit, contract.LimitRequest{Command: byAlice, Limits: task.Limits{MBPerSecond: 7}})
	s.holdCopy.Store(true)
	for wait := 2 * time.Second; ; wait *= 2 {
		soon := time.Now().Add(wait)
		out, err := order(s, contract.UpdateStart, contract.StartRequest{Command: byAlice, At: &soon})
		if errors.As(err, &refused) && refused.Type() == fault.StartInPast.Code && wait < time.Minute {
			continue // the machine stood still
		}
		require.NoError(t, err)
		require.Equal(t, lifecycle.WaitingForStart, out.Status)
		break
	}
	s.reaches(lifecycle.FullStarted)
	s.holdCopy.Store(false)
	s.reaches(lifecycle.IncreStarted)

	require.Equal(t, 1, must(s, contract.UpdateSyncPoint, contract.SyncPointRequest{Command: byAlice}).SyncPoint)
	require.Equal(t, "c1", must(s, contract.UpdateCompare, contract.CompareRequest{Command: byAlice, Type: contract.CompareRows}).Comparison)
	require.Eventually(t, func() bool { return s.view().Comparison.Result == "CONSISTENT" }, time.Minute, 50*time.Millisecond)
	side := s.view().Spec.Destination
	require.Equal(t, 2, must(s, contract.UpdateSetCredentials, contract.CredentialsRequest{Command: byAlice, Side: task.DestinationSide, Endpoint: side}).Revision)

	s.mu.Lock()
	s.failApply = true
	s.mu.Unlock()
	must(s, contract.UpdatePause, contract.PauseRequest{Command: byAlice})
	must(s, contract.UpdateResume, contract.ResumeRequest{Command: byAlice})
	s.reaches(lifecycle.IncreFailed)
	require.Equal(t, fault.Divergence.Code, s.view().LastError.Code)
	require.Eventually(t, func() bool {
		found, err := s.ListWorkflow(t.Context(), list("ShardliftStatus='INCRE_TRANSFER_FAILED' AND ShardliftAttention='SL-5002' AND WorkflowId='"+contract.MigrationID(s.taskID)+"'"))
		return err == nil && len(found.GetExecutions()) == 1
	}, time.Minute, 100*time.Millisecond, "the list does not show it")

	must(s, contract.UpdateReset, contract.ResetRequest{Command: byAlice})
	s.reaches(lifecycle.Configuration)
	require.Eventually(t, func() bool { return s.view().Precheck.State == "done" }, time.Minute, 50*time.Millisecond)
	must(s, contract.UpdateConfirm, contract.ConfirmRequest{Command: byAlice, All: true})
	must(s, contract.UpdateStart, contract.StartRequest{Command: byAlice})
	s.reaches(lifecycle.IncreStarted)
	must(s, contract.UpdateStop, contract.StopRequest{Command: byAlice})
	require.NoError(t, s.GetWorkflow(t.Context(), contract.MigrationID(s.taskID), "").Get(t.Context(), nil))
	require.Zero(t, s.open.Load())
	require.NotNil(t, s.view().Report)

	h := s.keep(contract.MigrationID(s.taskID), "whole-life")
	require.Less(t, len(h.Events), 500)
	s.keep(contract.CopyID(s.taskID), "copy")
	s.keep(contract.CompareID(s.taskID, "c1"), "compare")
}

func TestServer_ForcedStopEndsAtOnce(t *testing.T) {
	s := newStage(t)
	s.start(copied)
	require.Eventually(t, func() bool { return s.open.Load() == 2 }, time.Minute, 10*time.Millisecond)
	must(s, contract.UpdateStop, contract.StopRequest{Command: byAlice, Force: true})
	require.NoError(t, s.GetWorkflow(t.Context(), contract.MigrationID(s.taskID), "").Get(t.Context(), nil))
	require.Equal(t, "skipped", s.view().Sequences.State)
	s.keep(contract.MigrationID(s.taskID), "forced-stop")
}

func TestServer_CancellationFromOutsideStopsTheCopy(t *testing.T) {
	s := newStage(t)
	s.holdCopy.Store(true)
	s.start(planned)
	require.Eventually(t, func() bool { return s.open.Load() == 5 }, time.Minute, 10*time.Millisecond)
	require.NoError(t, s.CancelWorkflow(t.Context(), contract.MigrationID(s.taskID), ""))
	require.NoError(t, s.GetWorkflow(t.Context(), contract.MigrationID(s.taskID), "").Get(t.Context(), nil))
	require.Zero(t, s.open.Load())
	require.True(t, s.view().Report.Incomplete)
	s.keep(contract.MigrationID(s.taskID), "cancelled-in-copy")
	s.keep(contract.CopyID(s.taskID), "copy-cancelled")
}
