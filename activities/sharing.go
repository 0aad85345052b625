package activities

import (
	"context"
	"time"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/task"
)

// pulseLasts is how long a step of a group counts as at work after its last sign
// of life; it gives one at every reading of the limits.
const pulseLasts = 4 * limitsEvery

// sharing shares the task's limits between group 0's apply and the steps of the
// groups that are at work beside it: lanes of a copy, or an apply. They see each
// other in the metadata, on whatever worker they are.
type sharing struct {
	store *checkpoint.Store
	unit  string
	token checkpoint.Token
	group int
	lane  bool // of a copy; else an apply, which is limited only where that is asked for
	lasts time.Duration
	seen  map[string]sign
}

// sign is the last change of a unit's pulse.
type sign struct {
	counter int64
	at      time.Time
}

func newSharing(s *checkpoint.Store, unit string, o contract.Owner, attempt int32, group int, lane bool) *sharing {
	return &sharing{
		store: s, unit: unit, token: checkpoint.Token{Epoch: o.Epoch, Box: o.Box, Attempt: attempt},
		group: group, lane: lane, lasts: pulseLasts, seen: map[string]sign{},
	}
}

// parts is for limited. A unit that is seen for the first time counts when
// somebody holds it: rather too slow for a moment than too fast.
func (s *sharing) parts(ctx context.Context, limits task.Limits) (int, error) {
	switch {
	case limits.MBPerSecond == 0 && limits.RowsPerSecond == 0 && len(limits.Windows) == 0:
		return 1, nil
	case !s.lane && !limits.Apply:
		return 0, nil
	}
	if s.group > 0 {
		if err := s.store.GivePulse(ctx, s.unit, s.token); err != nil {
			return 0, err
		}
	}
	pulses, err := s.store.Pulses(ctx)
	if err != nil {
		return 0, err
	}
	parts := 1
	if s.group > 0 && limits.Apply {
		parts++ // group 0's apply
	}
	now := time.Now()
	for _, p := range pulses {
		last, known := s.seen[p.Unit]
		switch {
		case known && p.Counter != last.counter, !known && p.Held:
			last = sign{p.Counter, now}
		case !known:
			last.counter = p.Counter
		}
		s.seen[p.Unit] = last
		if p.Unit != s.unit && p.Held && now.Sub(last.at) < s.lasts && (p.OfCopy() || limits.Apply) {
			parts++
		}
	}
	return parts, nil
}
