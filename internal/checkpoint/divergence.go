package checkpoint

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"shardlift/internal/table"
)

// Divergence is a row that was not on the destination as we had left it.
type Divergence struct {
	Group   int        `json:"group"`
	Table   table.Name `json:"table"` // on the destination
	KeyHash uint64     `json:"key_hash"`
	Kind    string     `json:"kind"` // missing, present, changed
	// Count is how often it was found, At when last.
	Count int64     `json:"count"`
	At    time.Time `json:"at"`
}

type divergenceBody struct {
	Table   table.Name `json:"table"`
	KeyHash uint64     `json:"key_hash"`
	Kind    string     `json:"kind"`
}

// AddDivergence notes a divergent row by the hash of its key; the same one
// again raises its count.
func (s *Store) AddDivergence(ctx context.Context, group int, t table.Name, keyHash uint64, kind string) error {
	value, err := body(divergenceBody{t, keyHash, kind})
	if err != nil {
		return err
	}
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%q %q %s", t.Schema, t.Table, kind)
	key := str(fmt.Sprintf("%016x%016x", h.Sum64(), keyHash))
	err = s.put(ctx, tableDivergence, fmt.Sprintf("task = %s AND id = %s", s.task, key), fmt.Sprintf("at = %s, grp = %d", micros(time.Now()), group),
		"task, id, grp, body, at", fmt.Sprintf("%s, %s, %d, %s, %s", s.task, key, group, value, micros(time.Now())))
	if err != nil {
		return fmt.Errorf("note a divergence of %s: %w", t, err)
	}
	return nil
}

// Divergences returns up to limit divergent rows, the newest first.
func (s *Store) Divergences(ctx context.Context, limit int) ([]Divergence, error) {
	var out []Divergence
	query := fmt.Sprintf("SELECT grp, body, at, counter FROM %s WHERE task = %s ORDER BY at DESC, id LIMIT %d", s.t(tableDivergence), s.task, limit)
	err := s.each(ctx, query, func(scan func(...any) error) error {
		var d Divergence
		var data []byte
		var at int64
		if err := scan(&d.Group, &data, &at, &d.Count); err != nil {
			return err
		}
		var b divergenceBody
		if err := read(data, &b, prefix+tableDivergence); err != nil {
			return err
		}
		d.Table, d.KeyHash, d.Kind, d.At = b.Table, b.KeyHash, b.Kind, fromMicros(at)
		out = append(out, d)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read divergences: %w", err)
	}
	return out, nil
}
