package control

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/internal/secret"
	"shardlift/internal/task"
)

// listed waits until visibility knows n tasks of the filter.
func (r *rig) listed(f Filter, n int) []Line {
	r.t.Helper()
	var lines []Line
	require.Eventually(r.t, func() bool {
		var err error
		lines, _, err = r.List(r.t.Context(), f)
		return err == nil && len(lines) == n
	}, time.Minute, 50*time.Millisecond)
	return lines
}

func TestList_FiltersAndPages(t *testing.T) {
	r := newRig(t)
	names := map[string]string{}
	for range 3 {
		shop := name()
		names[r.create(shop)] = shop
	}
	mine := "run=" + r.group
	for _, l := range r.listed(Filter{Tag: mine, Limit: 10}, 3) {
		require.Equal(t, names[l.TaskID], l.Name)
		require.Equal(t, lifecycle.Configuration, l.Status)
		require.Contains(t, l.Tags, mine)
		require.WithinDuration(t, time.Now(), l.Created, 5*time.Minute)
		require.Equal(t, r.group, l.Memory.WorkerGroup)
	}
	for id, shop := range names {
		lines := r.listed(Filter{Name: shop, Tag: mine, Status: string(lifecycle.Configuration), Limit: 10}, 1)
		require.Equal(t, id, lines[0].TaskID)
	}
	require.Empty(t, r.listed(Filter{Tag: mine, Status: string(lifecycle.Paused)}, 0))
	require.Empty(t, r.listed(Filter{Tag: mine, Attention: true}, 0))
	require.Empty(t, r.listed(Filter{Tag: "run=" + r.group[:20]}, 0), "a part of a tag is none")

	seen := map[string]bool{}
	f := Filter{Tag: mine, Limit: 2}
	for page := 0; page == 0 || f.Cursor != ""; page++ {
		require.Less(t, page, 3)
		lines, next, err := r.List(t.Context(), f)
		require.NoError(t, err)
		for _, l := range lines {
			seen[l.TaskID] = true
		}
		f.Cursor = next
		if next != "" {
			_, _, err := r.List(t.Context(), Filter{Cursor: next})
			require.ErrorContains(t, err, "cursor", "it belongs to another filter")
		}
	}
	require.Len(t, seen, 3)
}

func TestList_IsOneCall(t *testing.T) {
	r := newRig(t)
	for range 20 {
		r.create(name())
	}
	r.listed(Filter{Tag: "run=" + r.group, Limit: 100}, 20)
	began := time.Now()
	r.makes(map[string]int{"ListWorkflowExecutions": 1}, func() { r.listed(Filter{Tag: "run=" + r.group, Limit: 100}, 20) })
	t.Logf("list took %s", time.Since(began))
}

// TestList_ShowsFaultRectification: of tasks that should be at work, those of a
// group without workers; one question for each group.
func TestList_ShowsFaultRectification(t *testing.T) {
	r := newRig(t)
	r.work()
	of := func(s lifecycle.Status, group string) Line {
		return Line{Status: s, Memory: contract.MemoryView{WorkerGroup: group}}
	}
	nobody := r.group + "-x"
	var lines []Line
	ask := func() {
		lines = []Line{of(lifecycle.FullStarted, r.group), of(lifecycle.FullStarted, nobody), of(lifecycle.Paused, nobody), of(lifecycle.IncreStarted, nobody)}
		r.rectify(t.Context(), lines)
	}
	require.Eventually(t, func() bool { ask(); return lines[0].Status == lifecycle.FullStarted }, time.Minute, 100*time.Millisecond)
	r.makes(map[string]int{"DescribeTaskQueue": 2}, ask)
	require.Equal(t, lifecycle.FullStarted, lines[0].Status)
	require.Equal(t, lifecycle.Rebuild, lines[1].Status)
	require.Equal(t, lifecycle.Paused, lines[2].Status)
	require.Equal(t, lifecycle.Rebuild, lines[3].Status)
}

func TestList_TagsThatAValidFileMayHave(t *testing.T) {
	r := newRig(t)
	f := r.file(name())
	f.Tags = map[string]string{"Team of " + r.group: "a:b@c.d + e=f - g_h", "ключ": "значение " + r.group}
	_, _, err := r.Create(t.Context(), f, "alice", "")
	require.NoError(t, err)
	for key, value := range f.Tags {
		r.listed(Filter{Tag: key + "=" + value, Limit: 5}, 1)
	}
}

func TestList_RefusesWhatCouldBeMoreThanAValue(t *testing.T) {
	r := newRig(t)
	r.create(name())
	for field, f := range map[string]Filter{
		"name":   {Name: "x' OR '1'='1"},
		"tag":    {Tag: `x" OR "y`},
		"status": {Status: "PAUSING' OR ''='"},
	} {
		_, _, err := r.List(t.Context(), f)
		invalid, ok := errors.AsType[*Invalid](err)
		require.True(t, ok, field)
		require.Equal(t, field, invalid.Fields[0].Field)
	}
	for _, value := range []string{`a\`, "a`b", "a\x00b", "'"} {
		_, _, err := r.List(t.Context(), Filter{Tag: value})
		require.Error(t, err, value)
	}
	// What is no value of ours must not be more than a value either.
	for _, value := range []string{"x OR y", "*", "%", "(", ";", "--", "x NOT y", "♡"} {
		lines, _, err := r.List(t.Context(), Filter{Tag: value, Name: value})
		require.NoError(t, err, value)
		require.Empty(t, lines, value)
	}
	for _, cursor := range []string{"%", base64.RawURLEncoding.EncodeToString([]byte("nonsense"))} {
		_, _, err := r.List(t.Context(), Filter{Cursor: cursor})
		invalid, ok := errors.AsType[*Invalid](err)
		require.True(t, ok, "%s: %v", cursor, err)
		require.Equal(t, "cursor", invalid.Fields[0].Field)
	}
}

func TestTask_WithoutAWorkerTheMemoStandsIn(t *testing.T) {
	r := newRig(t)
	shop := name()
	id := r.create(shop)
	d, err := r.Task(t.Context(), id)
	require.NoError(t, err)
	require.Nil(t, d.View)
	require.Equal(t, shop, d.Name)
	require.Equal(t, lifecycle.Configuration, d.Memory.Status)
	require.Equal(t, task.FullIncremental, d.Memory.Type)
	require.Equal(t, r.group, d.Memory.WorkerGroup)
	require.False(t, d.Ended)
	_, err = r.View(t.Context(), id)
	require.ErrorIs(t, err, fault.NoWorker)
	_, err = r.Precheck(t.Context(), id)
	require.ErrorIs(t, err, fault.NoWorker)
}

func TestTask_ShowsHeartbeatsInThreeCalls(t *testing.T) {
	r := newRig(t)
	r.work()
	r.head.Store(500)
	id := r.running()
	require.Eventually(t, func() bool {
		d, err := r.Task(t.Context(), id)
		return err == nil && d.Apply != nil && d.Apply.Mode == "strict" && d.Watch != nil && d.Watch.Head.Offset == 500
	}, time.Minute, 100*time.Millisecond)
	began := time.Now()
	r.makes(map[string]int{"DescribeWorkflowExecution": 2, "QueryWorkflow": 1}, func() {
		d, err := r.Task(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, lifecycle.IncreStarted, d.View.Status)
	})
	t.Logf("task took %s", time.Since(began))
}

func TestSyncPoint_IsReachedWhenTheCheckpointCoversIt(t *testing.T) {
	r := newRig(t)
	r.work()
	r.head.Store(500)
	id := r.running()
	out, err := Send(t.Context(), r.Service, id, contract.UpdateSyncPoint, contract.SyncPointRequest{}, "")
	require.NoError(t, err)
	for applied, want := range map[uint64]bool{499: false, 500: true, 501: true} {
		r.applied.Store(applied)
		point, reached, err := r.SyncPoint(t.Context(), id, out.SyncPoint)
		require.NoError(t, err)
		require.Equal(t, at(500), point.Position)
		require.Equal(t, want, reached, "applied %d", applied)
	}
	_, _, err = r.SyncPoint(t.Context(), id, 99)
	require.ErrorIs(t, err, fault.NoSyncPoint)
}

func TestInspection_IsSealedForTheAsker(t *testing.T) {
	r := newRig(t)
	r.work()
	id := r.create(name())
	answer, err := r.Test(t.Context(), id, task.SourceSide)
	require.NoError(t, err)
	require.True(t, answer.OK)
	require.Equal(t, "source", answer.Version)
	answer, err = r.TestEndpoint(t.Context(), r.group, task.DestinationSide, task.Endpoint{Host: canaryHost, Port: 1, User: canaryUser, Password: canaryPassword})
	require.NoError(t, err)
	require.True(t, answer.OK)

	other, err := secret.NewKeyRing()
	require.NoError(t, err)
	r.Own = other
	_, err = r.Shown(id, task.SourceSide, secret.Sealed{})
	require.ErrorIs(t, err, fault.AnswerUnreadable)
}

func TestDelete_RefusedWhileTheTaskRuns(t *testing.T) {
	r := newRig(t)
	id := r.create(name())
	_, err := r.Delete(t.Context(), id, "alice")
	refused, ok := errors.AsType[*Refused](err)
	require.True(t, ok, err)
	require.Contains(t, refused.Message, "stop the task first")
	require.Equal(t, lifecycle.Configuration, refused.Status)
	_, err = r.Temporal.DescribeWorkflowExecution(t.Context(), contract.DeleteID(id), "")
	require.Error(t, err, "no deletion was started")
}

// A task that somebody terminated in Temporal can be deleted, whatever its last status.
func TestDelete_OfATerminatedTaskGoesOnInTheBackground(t *testing.T) {
	r := newRig(t)
	id := r.create(name())
	require.NoError(t, r.Temporal.TerminateWorkflow(t.Context(), contract.MigrationID(id), "", "by hand"))
	d, err := r.Task(t.Context(), id)
	require.NoError(t, err)
	require.True(t, d.Ended)
	operation, err := r.Delete(t.Context(), id, "alice")
	require.NoError(t, err)
	require.Equal(t, "running", operation.State)
	again, err := r.Operation(t.Context(), operation.ID)
	require.NoError(t, err)
	require.Equal(t, operation, again)
}

func TestDoctor_CountsWorkers(t *testing.T) {
	r := newRig(t)
	find := func(name string) Check {
		for _, c := range r.Doctor(t.Context(), r.group) {
			if c.Name == name {
				return c
			}
		}
		require.Fail(t, "no check", name)
		return Check{}
	}
	for _, queue := range []string{contract.QueueShort(r.group), contract.QueueCopy(r.group), contract.QueueApply(r.group)} {
		c := find("queue " + queue)
		require.False(t, c.OK)
		require.NotEmpty(t, c.Remedy)
	}
	require.True(t, find("Temporal").OK)
	require.True(t, find("keys").OK)
	r.work()
	require.Eventually(t, func() bool {
		for _, c := range r.Doctor(t.Context(), r.group) {
			if !c.OK {
				return false
			}
		}
		return true
	}, time.Minute, 100*time.Millisecond)
	require.Equal(t, "1 pollers", find("queue "+contract.QueueApply(r.group)).Detail)

	r.Workers = func() (secret.PublicKey, error) { return secret.PublicKey{}, errors.New("no file") }
	require.False(t, find("keys").OK)
	require.NotContains(t, fmt.Sprint(r.Doctor(t.Context(), r.group)), "canary")
	require.True(t, strings.HasSuffix(r.URL("t1"), "/workflows/migration%2Ft1"))
}

// What failed in the deletion is told; that it takes long is no failure.
func TestDelete_FailureIsTold(t *testing.T) {
	r := newRig(t)
	stop := r.work()
	id := r.create(name())
	require.NoError(t, r.Temporal.TerminateWorkflow(t.Context(), contract.MigrationID(id), "", "by hand"))
	operation, err := r.Delete(t.Context(), id, "alice")
	require.NoError(t, err)
	require.Equal(t, "running", operation.State, "its activities are played by nobody")
	stop()
	require.NoError(t, r.Temporal.TerminateWorkflow(t.Context(), contract.DeleteID(id), "", "by hand"))
	operation, err = r.Operation(t.Context(), operation.ID)
	require.NoError(t, err)
	require.Equal(t, "failed", operation.State)
	require.Error(t, operation.Err)
}

func TestDetails_AWorkerThatIsGoneIsWaitedForSinceItWasHeard(t *testing.T) {
	ago := func(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(time.Now().Add(-d)) }
	lost := &failurepb.Failure{FailureInfo: &failurepb.Failure_TimeoutFailureInfo{TimeoutFailureInfo: &failurepb.TimeoutFailureInfo{}}}
	apply := func(p *workflowpb.PendingActivityInfo) *workflowpb.PendingActivityInfo {
		p.ActivityType = &commonpb.ActivityType{Name: contract.ApplyBinlog.Name}
		return p
	}
	for name, c := range map[string]struct {
		info  *workflowpb.PendingActivityInfo
		since time.Duration // 0: not waited for
		alive bool
	}{
		"works":         {&workflowpb.PendingActivityInfo{State: started, Attempt: 1, LastStartedTime: ago(time.Hour), LastHeartbeatTime: ago(9 * time.Second)}, 0, true},
		"works again":   {&workflowpb.PendingActivityInfo{State: started, Attempt: 2, LastStartedTime: ago(time.Hour), LastHeartbeatTime: ago(9 * time.Second), LastFailure: lost}, 0, true},
		"just begun":    {&workflowpb.PendingActivityInfo{State: started, Attempt: 1, LastStartedTime: ago(time.Second)}, 0, true},
		"silent":        {&workflowpb.PendingActivityInfo{State: started, Attempt: 1, LastStartedTime: ago(time.Hour), LastHeartbeatTime: ago(2 * time.Minute)}, 2 * time.Minute, false},
		"never taken":   {&workflowpb.PendingActivityInfo{State: scheduled, Attempt: 1, ScheduledTime: ago(30 * time.Second)}, 30 * time.Second, false},
		"worker killed": {&workflowpb.PendingActivityInfo{State: scheduled, Attempt: 2, ScheduledTime: ago(time.Second), LastStartedTime: ago(time.Hour), LastHeartbeatTime: ago(61 * time.Second), LastFailure: lost}, 61 * time.Second, false},
	} {
		var d Details
		d.activity(apply(c.info))
		require.Equal(t, c.alive, d.Alive, name)
		if c.since == 0 {
			require.Nil(t, d.Pending, name)
			continue
		}
		require.WithinDuration(t, time.Now().Add(-c.since), *d.Pending.WaitingSince, 2*time.Second, name)
	}
}

const (
	started   = enumspb.PENDING_ACTIVITY_STATE_STARTED
	scheduled = enumspb.PENDING_ACTIVITY_STATE_SCHEDULED
)

func TestSyncPoint_IsNotAskedForWhereAccessIsDenied(t *testing.T) {
	r := newRig(t)
	r.work()
	id := r.running()
	r.head.Store(500)
	out, err := Send(t.Context(), r.Service, id, contract.UpdateSyncPoint, contract.SyncPointRequest{}, "")
	require.NoError(t, err)
	_, _, err = r.SyncPoint(t.Context(), id, out.SyncPoint)
	require.NoError(t, err)
	asked := r.inspections.Load()
	require.Positive(t, asked)
	r.denied.Store(true)
	_, err = Send(t.Context(), r.Service, id, contract.UpdatePause, contract.PauseRequest{}, "")
	require.NoError(t, err)
	_, err = Send(t.Context(), r.Service, id, contract.UpdateResume, contract.ResumeRequest{}, "")
	require.NoError(t, err)
	r.until(id, func(v contract.View) bool { return v.Status == lifecycle.IncreFailed })
	for range 5 {
		_, reached, err := r.SyncPoint(t.Context(), id, out.SyncPoint)
		require.NoError(t, err)
		require.False(t, reached)
	}
	require.Equal(t, asked, r.inspections.Load())
}
