package applier

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"shardlift/internal/checkpoint"
	"shardlift/internal/fault"
)

// marking says which places a window writes and where their marks are raised:
// in the place's last transaction when there is one, else behind all of them.
func (a *applier) marking(w *window, phases [2][]*item) (alone []*item) {
	if a.marksAt = w.end; w.end.IsZero() {
		a.marksAt = a.applied.Position
	}
	last := map[checkpoint.Place][]*item{}
	all := map[string]bool{} // schemas of which every shard is written
	for _, phase := range phases {
		now := map[checkpoint.Place][]*item{}
		for _, it := range phase {
			if it.place.shard < 0 {
				all[it.place.schema] = true
				continue
			}
			p := checkpoint.Place{Schema: it.place.schema, Shard: it.place.shard}
			now[p] = append(now[p], it)
		}
		maps.Copy(last, now)
	}
	for _, schema := range w.emptied {
		all[schema] = true
	}
	for p := range a.marks {
		items := last[p]
		switch {
		case all[p.Schema] || len(items) > 1:
			alone = append(alone, &item{place: place{schema: p.Schema, shard: p.Shard}, marks: true})
		case len(items) == 1:
			items[0].marks = true
		}
	}
	return alone
}

// mark raises a place's mark in the open transaction of a session: everything
// before the window's end is there once it is committed.
func (a *applier) mark(ctx context.Context, s session, at place) error {
	p := checkpoint.Place{Schema: at.schema, Shard: at.shard}
	return a.Fence.Mark(ctx, s, p, a.marks[p]+1, a.marksAt)
}

// marked notes the marks of a window that is written.
func (a *applier) marked(items []*item) {
	for _, it := range items {
		if it.marks {
			a.marks[checkpoint.Place{Schema: it.place.schema, Shard: it.place.shard}]++
		}
	}
}

// counters are the marks as the checkpoint keeps them.
func (a *applier) counters() map[string]int64 {
	out := make(map[string]int64, len(a.marks))
	for p, n := range a.marks {
		out[p.String()] = n
	}
	return out
}

// checkMarks looks whether every place still has what the checkpoint says was
// committed there. If not, the checkpoint moves back to the oldest mark that is
// left, from where everything is written again in safe mode.
func (a *applier) checkMarks(ctx context.Context) (rewound bool, err error) {
	found, err := a.Fence.Marks(ctx, a.applied.Position, a.applied.Marks)
	if err != nil {
		return false, err
	}
	back, lost, base := a.applied.Position, []string(nil), a.applied.Base
	there := map[string]bool{}
	a.marks = map[checkpoint.Place]int64{}
	for p, m := range found {
		there[p.String()] = true
		a.marks[p] = m.Counter
		if m.Counter >= a.applied.Marks[p.String()] {
			continue
		}
		lost = append(lost, p.String())
		if m.Counter < a.applied.Base[p.String()] { // tables that were merged may have lost more
			back, base = a.Start, nil
			continue
		}
		if older, err := back.Covers(m.Position); err != nil {
			return false, fmt.Errorf("compare the mark of %s: %w", p, err)
		} else if older {
			back = m.Position
		}
	}
	for name := range a.applied.Marks {
		if !there[name] { // nothing of the apply is left there
			lost, back, base = append(lost, name), a.Start, nil
		}
	}
	if len(lost) == 0 {
		return false, nil
	}
	if err := a.checkCopied(ctx); err != nil {
		return false, err
	}
	slices.Sort(lost)
	text := fmt.Sprintf("%s lost commits: changes are applied again from %s instead of %s", strings.Join(lost, ", "), back, a.applied.Position)
	if err := a.Store.AppendLog(ctx, "warn", text); err != nil {
		return false, err
	}
	a.applied.Position, a.applied.Marks, a.applied.Base = back, nil, base
	if err := a.Store.Rewind(ctx, a.Fence, a.applied); err != nil {
		return false, fmt.Errorf("move the checkpoint of group %d back: %w", a.Group, err)
	}
	// Places without a mark get one now.
	_, err = a.checkMarks(ctx)
	return true, err
}

// checkCopied makes sure that what was copied is there: the stream does not hold it.
func (a *applier) checkCopied(ctx context.Context) error {
	if a.Gate != nil {
		return nil // the lanes look after it
	}
	lost, err := a.Fence.LostChunks(ctx)
	if err == nil && len(lost) > 0 {
		return fault.LostCopy.New("destination", "%d chunks, the first is %d", len(lost), lost[0].No)
	}
	return err
}
