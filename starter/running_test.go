package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/web/api"
)

// A command that the task accepted and still works on is waited for.
func TestCommand_ThatGoesOnIsWaitedFor(t *testing.T) {
	f := newFake(t)
	f.running = true
	got := f.shardlift("pause", "shop-to-ddm")
	require.Zero(t, got.status, got.err)
	require.Contains(t, got.err, "t1~pause~k")
	require.Contains(t, got.out, "pause accepted")
	require.Equal(t, 3, f.calls["GetOperation"])

	f = newFake(t)
	f.running = true
	got = f.shardlift("pause", "shop-to-ddm", "-o", "json")
	require.Zero(t, got.status, got.err)
	require.Contains(t, got.out, `"state": "done"`)
	require.Contains(t, got.out, `"result"`)
}

func TestDelete_SaysWhatRemains(t *testing.T) {
	f := newFake(t)
	f.left = []string{"DROP TABLE IF EXISTS `meta`.`shardlift_meta`"}
	got := f.shardlift("delete", "shop-to-ddm", "--yes")
	require.Zero(t, got.status, got.err)
	require.Contains(t, got.err, f.left[0])
	require.Contains(t, got.out, "deleted")
}

func TestShow_AlarmsAndTheEndOfAFailedTask(t *testing.T) {
	f := newFake(t)
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	f.task.ExpiresAt, f.task.Alarms = &at, &[]api.TaskAlarm{{Kind: "purge", Text: "raise the retention", At: at}}
	got := f.shardlift("show", "shop-to-ddm")
	require.Zero(t, got.status, got.err)
	require.Contains(t, got.out, "purge since")
	require.Contains(t, got.out, "raise the retention")
	require.Contains(t, got.out, "expired_days")
}
