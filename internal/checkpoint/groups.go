package checkpoint

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
)

// Checkpoint is how far an apply group has come. Everything before Position is
// on the destination.
type Checkpoint struct {
	Group    int               `json:"-"`
	Position position.Position `json:"position"`
	// SafeUntil is the position until which safe mode lasts, nil for none.
	SafeUntil    *position.Position `json:"safe_until,omitempty"`
	Rows         int64              `json:"rows"`
	Transactions int64              `json:"transactions"`
	Divergences  int64              `json:"divergences"`
	// SourceTime is the commit time of the last transaction, by the source's clock.
	SourceTime time.Time `json:"source_time,omitzero"`
	// Marks are the counters of the apply's marks by place, which are there while
	// the places keep what was committed.
	Marks map[string]int64 `json:"marks,omitempty"`
	// Base are the counters that Merge has raised the marks to: a place whose mark
	// is behind has lost more than this group knows of.
	Base map[string]int64 `json:"base,omitempty"`
	// Version is the writer's format of its own fields.
	Version int `json:"version,omitempty"`
}

// Load returns a group's checkpoint, nil when it has none.
func (s *Store) Load(ctx context.Context, group int) (*Checkpoint, error) {
	c, _, err := s.load(ctx, group)
	return c, err
}

func (s *Store) whereGroup(group int) string {
	return fmt.Sprintf("task = %s AND grp = %d", s.task, group)
}

func (s *Store) load(ctx context.Context, group int) (c *Checkpoint, token string, err error) {
	var data []byte
	err = s.one(ctx, fmt.Sprintf("SELECT body, token FROM %s WHERE %s", s.t(tableCheckpoint), s.whereGroup(group)), &data, &token)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("load the checkpoint of group %d: %w", group, err)
	}
	c = &Checkpoint{Group: group}
	if err := read(data, c, fmt.Sprintf("checkpoint of group %d", group)); err != nil {
		return nil, "", err
	}
	return c, token, nil
}

// Save moves a group's checkpoint forward. Faults: Fenced when a newer attempt
// has acquired the unit or saved, CheckpointBackward when the position does not
// cover the one that is there. It may be repeated with the same value.
func (s *Store) Save(ctx context.Context, f *Fence, c Checkpoint) error {
	if err := s.save(ctx, f, c); err != nil {
		return fmt.Errorf("save the checkpoint of group %d: %w", c.Group, err)
	}
	return nil
}

func (s *Store) save(ctx context.Context, f *Fence, c Checkpoint) error {
	value, err := body(c)
	if err != nil {
		return err
	}
	last, ok := f.lastSaved(c.Group)
	if !ok {
		return s.firstSave(ctx, f, c, value)
	}
	if err := forward(last, c.Position); err != nil {
		return err
	}
	return s.overwrite(ctx, f, c, value, f.token.String())
}

// Rewind moves a group's checkpoint back to a position from which lost commits
// are made good. Fault Fenced as Save.
func (s *Store) Rewind(ctx context.Context, f *Fence, c Checkpoint) error {
	f.mu.Lock()
	delete(f.saved, c.Group)
	f.mu.Unlock()
	value, err := body(c)
	if err != nil {
		return err
	}
	now, err := s.owner(ctx, f.unit)
	if err != nil {
		return err
	}
	_, token, err := s.load(ctx, c.Group)
	if err != nil {
		return err
	}
	if now == nil || now.token != f.token.String() || token > f.token.String() {
		return fault.Fenced.New(f.unit, "")
	}
	return s.overwrite(ctx, f, c, value, token)
}

// overwrite replaces the row that carries the token seen.
func (s *Store) overwrite(ctx context.Context, f *Fence, c Checkpoint, value literal, seen string) error {
	n, err := s.exec(ctx, fmt.Sprintf("UPDATE %s SET body = %s, token = %s, counter = counter + 1 WHERE %s AND token = %s",
		s.t(tableCheckpoint), value, str(f.token.String()), s.whereGroup(c.Group), str(seen)))
	if err != nil {
		return err
	}
	if n != 1 {
		return fault.Fenced.New(f.unit, "")
	}
	f.noteSaved(c.Group, c.Position)
	return nil
}

// firstSave looks at the row before it writes, once per fence and group.
func (s *Store) firstSave(ctx context.Context, f *Fence, c Checkpoint, value literal) error {
	now, err := s.owner(ctx, f.unit)
	if err != nil {
		return err
	}
	before, token, err := s.load(ctx, c.Group)
	if err != nil {
		return err
	}
	if now == nil || now.token != f.token.String() || token > f.token.String() {
		return fault.Fenced.New(f.unit, "")
	}
	if before != nil {
		if err := forward(before.Position, c.Position); err != nil {
			return err
		}
		return s.overwrite(ctx, f, c, value, token)
	}
	_, err = s.exec(ctx, fmt.Sprintf("INSERT INTO %s (task, grp, token, body, counter) VALUES (%s, %d, %s, %s, 1)",
		s.t(tableCheckpoint), s.task, c.Group, str(f.token.String()), value))
	if mysqlconn.IsDuplicateKey(err) {
		return fault.Fenced.New(f.unit, "")
	}
	if err != nil {
		return err
	}
	f.noteSaved(c.Group, c.Position)
	return nil
}

// forward refuses a position that does not cover the one before.
func forward(before, next position.Position) error {
	if before.IsZero() {
		return nil
	}
	covers, err := next.Covers(before)
	if err != nil {
		return fault.CheckpointBackward.Wrap(err, next.String())
	}
	if !covers {
		return fault.CheckpointBackward.New(next.String(), "it is behind %s", before)
	}
	return nil
}

func (f *Fence) lastSaved(group int) (position.Position, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, ok := f.saved[group]
	return p, ok
}

func (f *Fence) noteSaved(group int, p position.Position) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.saved == nil {
		f.saved = map[int]position.Position{}
	}
	f.saved[group] = p
}
