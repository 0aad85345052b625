package compare

import (
	"context"
	"maps"
	"slices"
	"time"

	"shardlift/internal/contract"
	"shardlift/internal/row"
)

const (
	// tries bounds how often a suspect is read again.
	tries = 10
	// rested is how many tries in a row must find both sides unchanged and
	// different before a difference is one.
	rested = 3
	// betweenTries is the first pause; it grows with each try.
	betweenTries = 50 * time.Millisecond
)

// image is what one side has under a primary key: hash by identity. A sharded
// destination can have several rows under one key.
type image map[string]sum

// sighting is what was seen of one suspect so far.
type sighting struct {
	source, destination image
	rested              int
	// followed: the destination's row changed meanwhile, so somebody keeps it up to date.
	followed bool
}

// recheck reads the suspects again until each agrees or proves to differ:
//
//	source (before) → wait until the destination has caught up → destination → source (after)
//
// A row that the destination has as either source image agrees. One that rests
// on both sides and still differs, several times, is a difference. One that the
// source changes at every try while the destination's never moves is one too.
// What moves on both sides to the end is being rewritten whole by every change,
// and agrees.
func (j *job) recheck(ctx context.Context) error {
	open := j.suspects
	j.suspects = map[string]row.Row{}
	seen := map[string]*sighting{}
	var differ []string
	for try := 1; len(open) > 0 && try <= tries; try++ {
		if try > 1 {
			if err := pause(ctx, time.Duration(try-1)*betweenTries); err != nil {
				return err
			}
		}
		before, destination, after, err := j.readAgain(ctx, open)
		if err != nil {
			return err
		}
		for key := range open {
			d := destination[key]
			if maps.Equal(d, before[key]) || maps.Equal(d, after[key]) {
				delete(open, key)
				continue
			}
			s := seen[key]
			if s == nil {
				s = &sighting{source: before[key], destination: d}
				seen[key] = s
			}
			if s.look(before[key], after[key], d) {
				differ = append(differ, key)
				delete(open, key)
			}
		}
	}
	for key := range open {
		if !seen[key].followed {
			differ = append(differ, key)
		}
	}
	slices.Sort(differ)
	return j.judge(differ, seen)
}

// look takes in one more try and says whether the difference is proven.
func (s *sighting) look(before, after, destination image) bool {
	if !maps.Equal(s.destination, destination) {
		s.followed = true
	}
	if maps.Equal(before, after) && maps.Equal(s.source, after) && maps.Equal(s.destination, destination) {
		s.rested++
	} else {
		s.rested = 0
	}
	s.source, s.destination = after, destination
	return s.rested >= rested
}

// readAgain reads the suspects on both sides, by primary key.
func (j *job) readAgain(ctx context.Context, open map[string]row.Row) (before, destination, after map[string]image, err error) {
	keys := slices.Collect(maps.Values(open))
	if before, err = j.images(ctx, j.source, keys); err != nil {
		return nil, nil, nil, err
	}
	if err = j.run.settle(ctx); err != nil {
		return nil, nil, nil, err
	}
	if destination, err = j.images(ctx, j.destination, keys); err != nil {
		return nil, nil, nil, err
	}
	after, err = j.images(ctx, j.source, keys)
	return before, destination, after, err
}

func (j *job) images(ctx context.Context, s *side, keys []row.Row) (map[string]image, error) {
	out := map[string]image{}
	err := s.byKeys(ctx, keys, func(got row.Row) error {
		primary, identity := got.Key(j.mapping.Primary), got.Key(j.mapping.Identity)
		if out[primary] == nil {
			out[primary] = image{}
		}
		if _, twice := out[primary][identity]; twice {
			out[primary][identity] = sum{} // the same row on two shards: equal to nothing
			return nil
		}
		out[primary][identity] = j.hash.sum(got)
		return nil
	})
	return out, err
}

// judge says of each proven suspect what is wrong, row by row.
func (j *job) judge(differ []string, seen map[string]*sighting) error {
	var list []contract.Difference
	add := func(id, kind string) {
		if !j.misplaced[id] {
			list = append(list, j.difference(id, kind))
		}
	}
	for _, key := range differ {
		source, destination := seen[key].source, seen[key].destination
		for _, id := range slices.Sorted(maps.Keys(source)) {
			there, ok := destination[id]
			switch {
			case !ok:
				add(id, onlySource)
			case there == sum{}:
				add(id, misplaced)
			case there != source[id]:
				add(id, different)
			}
		}
		for _, id := range slices.Sorted(maps.Keys(destination)) {
			if _, ok := source[id]; !ok {
				add(id, onlyDestination)
			}
		}
	}
	return j.state.add(list)
}

// Kinds of differences (contract.Difference).
const (
	onlySource      = "only-source"
	onlyDestination = "only-destination"
	different       = "different"
	misplaced       = "misplaced"
)
