package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
)

func TestOptions_EveryActivityIsBounded(t *testing.T) {
	p := newPlace("t1", "", 0)
	unlimited := map[string]bool{
		contract.PlanCopy.Name: true, contract.CopyLane.Name: true, contract.WatchSource.Name: true,
		contract.ApplyBinlog.Name: true, contract.CompareTables.Name: true, contract.ReadHead.Name: true,
		contract.PlanGroup.Name: true, contract.ParkTables.Name: true,
	}
	for _, name := range []string{
		contract.ListPrecheckItems.Name, contract.RunPrecheckItem.Name, contract.PlanCopy.Name, contract.CopyLane.Name,
		contract.ReadHead.Name, contract.WatchSource.Name, contract.ApplyBinlog.Name, contract.CompareTables.Name,
		contract.UpdateSequences.Name, contract.StoreReport.Name, contract.StoreLimits.Name, contract.ResetTask.Name,
		contract.CleanUp.Name, contract.Inspect.Name, contract.SendCommand.Name, contract.DeleteRuns.Name,
		contract.ParkTables.Name, contract.PlanGroup.Name, contract.MergeGroup.Name, contract.DropGroup.Name,
	} {
		o := p.options(name)
		require.NotEmpty(t, o.TaskQueue, name)
		require.Positive(t, o.StartToCloseTimeout, name)
		require.NotNil(t, o.RetryPolicy, name)
		require.LessOrEqual(t, o.RetryPolicy.MaximumInterval, time.Minute, name)
		require.Equal(t, "t1", o.Priority.FairnessKey, name)
		if unlimited[name] {
			require.Zero(t, o.RetryPolicy.MaximumAttempts, name)
			require.Zero(t, o.ScheduleToCloseTimeout, name)
			require.True(t, o.WaitForCancellation, name)
		} else {
			require.Positive(t, o.RetryPolicy.MaximumAttempts, name)
		}
		if o.StartToCloseTimeout > 5*time.Minute {
			require.Equal(t, defaultHeartbeat, o.HeartbeatTimeout, name)
			require.Greater(t, o.StartToCloseTimeout, 4*o.HeartbeatTimeout, name)
		}
		short := brief(o, time.Second)
		require.Equal(t, time.Second, short.ScheduleToCloseTimeout, name)
		require.Equal(t, time.Second, short.StartToCloseTimeout, name)
	}
	require.Equal(t, 15*time.Second, newPlace("t1", "a", 15*time.Second).options(contract.CopyLane.Name).HeartbeatTimeout)
	require.Greater(t, p.options(contract.CopyLane.Name).StartToCloseTimeout, copyBox)
	require.Greater(t, p.options(contract.ApplyBinlog.Name).StartToCloseTimeout, applyBox)
	require.Greater(t, p.options(contract.CompareTables.Name).StartToCloseTimeout, compareBox)
}

func TestConnections_StayWithinTheSourcesBudget(t *testing.T) {
	for source := 3; source <= 200; source++ {
		lanes, each := connections(source, 16)
		require.Positive(t, lanes)
		require.Positive(t, each)
		require.LessOrEqual(t, lanes*each, max(source-6, 1))
		require.LessOrEqual(t, lanes, 8)
	}
	lanes, each := connections(10, 16)
	require.Equal(t, []int{4, 1}, []int{lanes, each}, "the default")
	lanes, each = connections(30, 4)
	require.Equal(t, []int{2, 12}, []int{lanes, each})
}
