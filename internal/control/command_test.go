package control

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/internal/task"
)

func TestSend_WithoutAWorkerTheOutcomeIsUnknown(t *testing.T) {
	r := newRig(t)
	id := r.create(name())
	key := uuid.NewString()
	_, err := Send(t.Context(), r.Service, id, contract.UpdateLimit, contract.LimitRequest{Limits: task.Limits{RowsPerSecond: 9}}, key)
	unknown, ok := errors.AsType[*Unknown](err)
	require.True(t, ok, err)
	require.ErrorIs(t, err, fault.NoWorker)
	require.True(t, strings.HasPrefix(unknown.OperationID, id+"~"))

	operation, err := r.Operation(t.Context(), unknown.OperationID)
	require.NoError(t, err)
	require.Equal(t, "unknown", operation.State)

	r.work()
	// Whether the command outlived the wait or not, sending it again is safe.
	out, err := Send(t.Context(), r.Service, id, contract.UpdateLimit, contract.LimitRequest{Limits: task.Limits{RowsPerSecond: 9}}, key)
	require.NoError(t, err)
	require.Equal(t, unknown.OperationID, out.OperationID)
	operation, err = r.Operation(t.Context(), unknown.OperationID)
	require.NoError(t, err)
	require.Equal(t, "done", operation.State)
	view, err := r.View(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, 9, view.Spec.Limits.RowsPerSecond)
}

func TestSend_AWorkerThatComesLaterCarriesItOut(t *testing.T) {
	r := newRig(t)
	id := r.create(name())
	_, err := Send(t.Context(), r.Service, id, contract.UpdateLimit, contract.LimitRequest{Limits: task.Limits{MBPerSecond: 3}}, "")
	unknown, ok := errors.AsType[*Unknown](err)
	require.True(t, ok, err)
	r.work()
	require.Eventually(t, func() bool {
		operation, err := r.Operation(t.Context(), unknown.OperationID)
		return err == nil && operation.State == "done"
	}, time.Minute, 50*time.Millisecond)
}

func TestSend_SameKeyIsCarriedOutOnce(t *testing.T) {
	r := newRig(t)
	r.work()
	id := r.running()
	key := uuid.NewString()
	before := r.commands.Load()
	for range 3 {
		out, err := Send(t.Context(), r.Service, id, contract.UpdateSyncPoint, contract.SyncPointRequest{}, key)
		require.NoError(t, err)
		require.Equal(t, 1, out.SyncPoint)
	}
	require.Equal(t, before+1, r.commands.Load())

	out, err := Send(t.Context(), r.Service, id, contract.UpdatePause, contract.PauseRequest{}, key)
	require.NoError(t, err, "another command may have the same key")
	require.Zero(t, out.SyncPoint)
	require.Equal(t, lifecycle.Paused, out.Status)
}

func TestSend_RefusalTellsStateAndActions(t *testing.T) {
	r := newRig(t)
	r.work()
	id := r.create(name())
	_, err := Send(t.Context(), r.Service, id, contract.UpdatePause, contract.PauseRequest{}, "")
	refused, ok := errors.AsType[*Refused](err)
	require.True(t, ok, err)
	require.Equal(t, fault.RefusedInState.Code, refused.Code)
	require.Equal(t, lifecycle.Configuration, refused.Status)
	require.Contains(t, refused.AvailableActions, lifecycle.Precheck)

	out, err := Send(t.Context(), r.Service, id, contract.UpdateLimit, contract.LimitRequest{Command: contract.Command{Revision: 1}}, "")
	require.NoError(t, err)
	require.Equal(t, 1, out.Revision)
	_, err = Send(t.Context(), r.Service, id, contract.UpdateLimit, contract.LimitRequest{Command: contract.Command{Revision: 7}}, "")
	refused, ok = errors.AsType[*Refused](err)
	require.True(t, ok, err)
	require.Equal(t, fault.LateRevision.Code, refused.Code)
}

func TestSend_AnEndedTaskIsNotAMissingOne(t *testing.T) {
	r := newRig(t)
	r.work()
	id := r.running()
	key := uuid.NewString()
	_, err := Send(t.Context(), r.Service, id, contract.UpdateStop, contract.StopRequest{}, key)
	require.NoError(t, err)
	require.NoError(t, r.Temporal.GetWorkflow(t.Context(), contract.MigrationID(id), "").Get(t.Context(), nil))

	_, err = Send(t.Context(), r.Service, id, contract.UpdatePause, contract.PauseRequest{}, "")
	refused, ok := errors.AsType[*Refused](err)
	require.True(t, ok, err)
	require.Equal(t, lifecycle.ReleaseDone, refused.Status)
	require.Equal(t, []lifecycle.Action{lifecycle.Delete}, refused.AvailableActions)
	_, err = Send(t.Context(), r.Service, id, contract.UpdateStop, contract.StopRequest{}, key)
	require.NoError(t, err, "the stop with this key was carried out")

	missing, err := newID("")
	require.NoError(t, err)
	_, err = Send(t.Context(), r.Service, missing, contract.UpdatePause, contract.PauseRequest{}, "")
	require.ErrorIs(t, err, fault.UnknownTask)
	_, err = r.Task(t.Context(), missing)
	require.ErrorIs(t, err, fault.UnknownTask)
}

func TestOperation_UnknownIDs(t *testing.T) {
	r := newRig(t)
	missing, err := newID("")
	require.NoError(t, err)
	for _, id := range []string{"", "~", "nonsense", missing, missing + "~", missing + "~pause~k", "delete~" + missing, "delete~x"} {
		_, err := r.Operation(t.Context(), id)
		require.ErrorIs(t, err, fault.UnknownOperation, id)
	}
	operation, err := r.Operation(t.Context(), r.create(name())+"~pause~never-sent")
	require.NoError(t, err)
	require.Equal(t, "unknown", operation.State)
}

func TestSetCredentials_KeepHostAndAreSealed(t *testing.T) {
	r := newRig(t)
	r.work()
	id := r.create(name())
	out, err := r.SetCredentials(t.Context(), id, task.SourceSide, task.Credentials{User: "canary-second", Password: "canary-new"}, contract.Command{}, "")
	require.NoError(t, err)
	require.Equal(t, 2, out.Revision)
	view, err := r.View(t.Context(), id)
	require.NoError(t, err)
	e, err := task.OpenEndpoint(id, task.SourceSide, view.Spec.Source, r.workers)
	require.NoError(t, err)
	require.Equal(t, canaryHost, e.Host)
	require.Equal(t, "canary-second", e.User)
	require.Equal(t, "canary-new", e.Password)
	shown, err := r.Shown(id, task.SourceSide, view.Spec.Source.Shown)
	require.NoError(t, err)
	require.Equal(t, "canary-second", shown.User)
	require.NotContains(t, r.everything(contract.MigrationID(id)), "canary")

	_, err = r.SetCredentials(t.Context(), id, task.SourceSide, task.Credentials{Password: "x"}, contract.Command{Revision: 1}, "")
	refused, ok := errors.AsType[*Refused](err)
	require.True(t, ok, err)
	require.Equal(t, fault.LateRevision.Code, refused.Code)
}

func TestEdit_ANewNameIsReservedAndTheOldOneFree(t *testing.T) {
	r := newRig(t)
	r.work()
	first, second, taken := name(), name(), name()
	id := r.create(first)
	r.create(taken)
	_, err := r.Edit(t.Context(), id, r.file(taken), contract.Command{}, "")
	require.ErrorIs(t, err, fault.NameTaken)

	_, err = r.Edit(t.Context(), id, r.file(second), contract.Command{Revision: 9}, "")
	refused, ok := errors.AsType[*Refused](err)
	require.True(t, ok, err)
	require.Equal(t, fault.LateRevision.Code, refused.Code)
	unresolved := func(name string) func() bool {
		return func() bool {
			_, err := r.Resolve(t.Context(), name)
			return errors.Is(err, fault.UnknownTask)
		}
	}
	require.Eventually(t, unresolved(second), time.Minute, 20*time.Millisecond, "a refused edit keeps no name")

	out, err := r.Edit(t.Context(), id, r.file(second), contract.Command{Revision: 1}, "")
	require.NoError(t, err)
	require.Equal(t, 2, out.Revision)
	found, err := r.Resolve(t.Context(), second)
	require.NoError(t, err)
	require.Equal(t, id, found)
	require.Eventually(t, unresolved(first), time.Minute, 20*time.Millisecond)
	require.NotEqual(t, id, r.create(first), "the old name can be used again")
}

func TestSend_AnAcceptedCommandGoesOn(t *testing.T) {
	r := newRig(t)
	r.work()
	id := r.running()
	r.CommandTime = 100 * time.Millisecond
	r.hold.Store(true)
	defer r.hold.Store(false)
	key := uuid.NewString()
	out, err := Send(t.Context(), r.Service, id, contract.UpdateSyncPoint, contract.SyncPointRequest{}, key)
	require.NoError(t, err)
	require.True(t, out.Running)
	operation, err := r.Operation(t.Context(), out.OperationID)
	require.NoError(t, err)
	require.Equal(t, "running", operation.State)
	require.Nil(t, operation.Result)
	r.hold.Store(false)
	require.Eventually(t, func() bool {
		operation, err = r.Operation(t.Context(), out.OperationID)
		return err == nil && operation.State == "done"
	}, time.Minute, 50*time.Millisecond)
	require.Equal(t, 1, operation.Result.SyncPoint)
	r.CommandTime = withWorker
	again, err := Send(t.Context(), r.Service, id, contract.UpdateSyncPoint, contract.SyncPointRequest{}, key)
	require.NoError(t, err)
	require.False(t, again.Running)
	require.Equal(t, 1, again.SyncPoint)
}

func TestEdit_AfterTheStartBringsCredentials(t *testing.T) {
	r := newRig(t)
	r.work()
	id := r.running()
	view, err := r.View(t.Context(), id)
	require.NoError(t, err)
	f := r.file(view.Spec.Name)
	f.Description, f.Source.User, f.Source.Password = "new", "canary-second", "canary-new"
	f.Destination.Password = "" // as it was
	_, err = r.Edit(t.Context(), id, f, contract.Command{}, "")
	require.NoError(t, err)
	r.until(id, func(v contract.View) bool { return v.Status == lifecycle.IncreStarted && v.Spec.Description == "new" })
	view, err = r.View(t.Context(), id)
	require.NoError(t, err)
	e, err := task.OpenEndpoint(id, task.SourceSide, view.Spec.Source, r.workers)
	require.NoError(t, err)
	require.Equal(t, "canary-second", e.User)
	require.Equal(t, "canary-new", e.Password)
	shown, err := r.Shown(id, task.SourceSide, view.Spec.Source.Shown)
	require.NoError(t, err)
	require.Equal(t, "canary-second", shown.User)
	e, err = task.OpenEndpoint(id, task.DestinationSide, view.Spec.Destination, r.workers)
	require.NoError(t, err)
	require.Equal(t, canaryPassword, e.Password)

	f.Source.Host, f.Destination.User = "elsewhere", "other"
	_, err = r.Edit(t.Context(), id, f, contract.Command{}, "")
	invalid, ok := errors.AsType[*Invalid](err)
	require.True(t, ok, err)
	require.Len(t, invalid.Fields, 2)
	require.Equal(t, "source.host", invalid.Fields[0].Field)
	require.Equal(t, "destination.password", invalid.Fields[1].Field)
}

// What is no update of the workflow is refused by the same table.
func TestAllowed_TestAndDeleteByTheTable(t *testing.T) {
	for _, a := range []lifecycle.Action{lifecycle.TestConnection, lifecycle.Delete} {
		for _, s := range lifecycle.All() {
			err := allowed(a, "t1", s)
			if a.Allowed(s) {
				require.NoError(t, err)
				continue
			}
			refused, ok := errors.AsType[*Refused](err)
			require.True(t, ok, "%s in %s", a, s)
			require.Equal(t, s, refused.Status)
			require.Equal(t, lifecycle.Available(s), refused.AvailableActions)
		}
	}
	r := newRig(t)
	r.work()
	id := r.running()
	_, err := r.Test(t.Context(), id, task.SourceSide)
	_, ok := errors.AsType[*Refused](err)
	require.True(t, ok, err)
	_, err = r.Delete(t.Context(), id, "alice")
	_, ok = errors.AsType[*Refused](err)
	require.True(t, ok, err)
}
