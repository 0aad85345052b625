package activities

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/task"
)

// beside copies and applies at the same time, as the workflow does, while all
// tables are written: until the copy has ended or one of both fails.
func (p *parted) beside() (err error) {
	p.t.Helper()
	var ended atomic.Bool
	var wg sync.WaitGroup
	var copyErr, applyErr error
	copies, applies := p.owner(), p.owner()
	p.box += 1000
	wg.Go(func() {
		defer ended.Store(true)
		for !ended.Load() {
			copies.Box += 2
			var out contract.CopyLaneOut
			out, copyErr = do(p.rig, p.CopyLane, contract.CopyLaneIn{
				TaskRef: p.ref, Owner: copies, Lanes: 1, Box: 500 * time.Millisecond, Connections: 2, Start: p.plan.Start, ApplyBeside: true,
			})
			if copyErr != nil || out.Done {
				return
			}
		}
	})
	wg.Go(func() {
		defer ended.Store(true)
		for !ended.Load() && applyErr == nil {
			applies.Box += 2
			_, applyErr = do(p.rig, p.ApplyBinlog, contract.ApplyIn{
				TaskRef: p.ref, Owner: applies, Box: 700 * time.Millisecond, Start: p.plan.Start, BesideCopy: true, CopyLanes: 1,
			})
		}
	})
	for !ended.Load() {
		p.storm(2, all...)
	}
	wg.Wait()
	if copyErr != nil {
		return copyErr
	}
	return applyErr
}

// TestGroups_ParkedWhileTheStreamIsAppliedBesideTheCopy: the copy or the apply
// finds the broken table, both return, it is parked, and both go on without it. It
// returns to the copy, or is copied after it, or anew: every row is there.
func TestGroups_ParkedWhileTheStreamIsAppliedBesideTheCopy(t *testing.T) {
	for name, c := range map[string]struct {
		server string
		back   func(*parted)
	}{
		"retried in the copy": {"mysql97", func(p *parted) {
			p.merge(1)
			require.NoError(p.t, p.beside())
			p.end = p.head()
		}},
		"retried after the copy": {"mysql57", func(p *parted) {
			p.afterTheCopy()
			p.copyGroup(1, false)
			p.end = p.head()
			p.storm(5, all...)
			p.apply(0)
			p.apply(1)
			p.equal("b")
			p.merge(1)
		}},
		"copied anew": {"mariadb", func(p *parted) {
			p.afterTheCopy()
			p.destExec("INSERT INTO b VALUES (7777, NULL, 'of nobody')")
			p.recopy(1, true)
			p.merge(1)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newParted(t, c.server, func(f *task.File) { f.Policy.Apply = task.DuringCopy })
			p.planAll()
			require.True(t, p.plan.ApplyDuring)
			p.withMetadata(func(s *checkpoint.Store) {
				require.NoError(t, s.SetLimits(t.Context(), task.Limits{RowsPerSecond: 40}))
			})
			p.storm(10, all...)
			p.destExec("RENAME TABLE b TO b_away")
			err := p.beside()
			require.Error(t, err)
			require.Equal(t, p.name("b").String(), errorDetail(t, err).Table, err)
			require.False(t, p.park(1, "b").Copied)
			p.destExec("RENAME TABLE b_away TO b")
			c.back(p)
			p.storm(10, all...)
			p.apply(0)
			p.equal(all...)
			p.storm(10, all...)
			p.apply(0)
			p.equal(all...)
		})
	}
}

// afterTheCopy ends the copy of the other tables.
func (p *parted) afterTheCopy() {
	p.t.Helper()
	require.NoError(p.t, p.beside())
	p.end = p.head()
	p.storm(10, all...)
	p.apply(0)
	p.equal("a", "c")
}
