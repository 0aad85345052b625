package checkpoint

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"shardlift/internal/destination"
	"shardlift/internal/mysqlconn"
)

// Sample is the keys of some rows that an item of the pre-check found in one
// place. They are values of the user's rows: they stand here and nowhere else.
type Sample struct {
	Object string   `json:"object"` // schema.table.column
	Keys   []string `json:"keys"`
}

// sampleTable stands outside definitions: the pre-check comes before the start,
// and makes it only when an item has found something.
func sampleTable() definition {
	return definition{tableSample, "task " + id + ", code " + id + ", body MEDIUMBLOB NOT NULL" + counter + ", PRIMARY KEY (task, code)"}
}

const tableSample = "sample"

// KeepSamples keeps what an item of the pre-check found, in place of what it
// found before. Nothing is made when there is nothing to keep.
func KeepSamples(ctx context.Context, d *destination.Destination, metadataSchema, taskID, code string, samples []Sample) error {
	s, err := newStore(d, metadataSchema, taskID)
	if err != nil {
		return err
	}
	if len(samples) == 0 {
		_, err = s.exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE task = %s AND code = %s", s.t(tableSample), s.task, str(code)))
		if isAbsent(err) {
			return nil
		}
	} else {
		err = s.putSamples(ctx, code, samples)
	}
	if err != nil {
		return fmt.Errorf("keep samples of %s: %w", code, err)
	}
	return nil
}

func (s *Store) putSamples(ctx context.Context, code string, samples []Sample) error {
	value, err := body(samples)
	if err != nil {
		return err
	}
	put := func() error {
		return s.put(ctx, tableSample, fmt.Sprintf("task = %s AND code = %s", s.task, str(code)),
			"body = "+string(value), "task, code, body", fmt.Sprintf("%s, %s, %s", s.task, str(code), value))
	}
	if err = put(); mysqlconn.Number(err) != errNoTable {
		return err
	}
	if err := s.createTable(ctx, s.schema, sampleTable().statement()); err != nil {
		return err
	}
	return put()
}

// Samples returns what an item of the pre-check found, nil when nothing is kept.
func Samples(ctx context.Context, d *destination.Destination, metadataSchema, taskID, code string) ([]Sample, error) {
	s, err := newStore(d, metadataSchema, taskID)
	if err != nil {
		return nil, err
	}
	var data []byte
	err = s.one(ctx, fmt.Sprintf("SELECT body FROM %s WHERE task = %s AND code = %s", s.t(tableSample), s.task, str(code)), &data)
	if errors.Is(err, sql.ErrNoRows) || isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read samples of %s: %w", code, err)
	}
	var out []Sample
	return out, read(data, &out, prefix+tableSample)
}

// AllSamples returns what the items of a task have kept, by code of the item.
func AllSamples(ctx context.Context, d *destination.Destination, metadataSchema, taskID string) (map[string][]Sample, error) {
	s, err := newStore(d, metadataSchema, taskID)
	if err != nil {
		return nil, err
	}
	out := map[string][]Sample{}
	err = s.each(ctx, fmt.Sprintf("SELECT code, body FROM %s WHERE task = %s", s.t(tableSample), s.task), func(scan func(...any) error) error {
		var code string
		var data []byte
		if err := scan(&code, &data); err != nil {
			return err
		}
		var found []Sample
		err := read(data, &found, prefix+tableSample)
		out[code] = found
		return err
	})
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read samples of task %s: %w", s.taskID, err)
	}
	return out, nil
}

// DropSamples removes what is kept of a task, and the table when nothing is
// left in it. It belongs to Drop, and to tasks that never started.
func DropSamples(ctx context.Context, d *destination.Destination, metadataSchema, taskID string) error {
	s, err := newStore(d, metadataSchema, taskID)
	if err != nil {
		return err
	}
	return s.dropSamples(ctx)
}

func (s *Store) dropSamples(ctx context.Context) error {
	if _, err := s.exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE task = %s", s.t(tableSample), s.task)); err != nil {
		if isAbsent(err) {
			return nil
		}
		return fmt.Errorf("drop samples of task %s: %w", s.taskID, err)
	}
	var left int64
	if err := s.one(ctx, "SELECT COUNT(*) FROM "+s.t(tableSample), &left); err != nil || left > 0 {
		return err
	}
	return s.dropTable(ctx, s.schema, tableSample)
}
