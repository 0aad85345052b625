package compare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/table"
)

// errBoxEnded says that the time box is over; the state is stored.
var errBoxEnded = errors.New("the time box is over")

// Run compares until all tables are done or the box ends. The error is that of
// a server or of the store: the same call goes on later. What is wrong with one
// table only becomes that table's result.
func Run(ctx context.Context, c Config) (contract.CompareOut, error) {
	r := &run{Config: c, began: time.Now(), beat: time.Now()}
	compareTable, err := r.method()
	if err != nil {
		return contract.CompareOut{}, err
	}
	if err := r.start(ctx); err != nil {
		return contract.CompareOut{}, fmt.Errorf("start comparison %s: %w", c.ID, err)
	}
	out := contract.CompareOut{Tables: len(c.Tables)}
	results := map[string]int{}
	for _, t := range c.Tables {
		result, err := r.one(ctx, t, compareTable)
		if errors.Is(err, errBoxEnded) {
			out.Result = checkpoint.ResultComparing
			return out, nil
		}
		if err != nil {
			return out, fmt.Errorf("compare %s: %w", t.Source, err)
		}
		results[result]++
		r.done++
		if result == checkpoint.ResultInconsistent || result == checkpoint.ResultMissing {
			out.Inconsistent++
		}
	}
	out.Done, out.Result = true, overall(results)
	now := time.Now().UTC()
	r.whole.Result, r.whole.FinishedAt = out.Result, &now
	if err := c.Results.PutComparison(ctx, r.whole); err != nil {
		return out, fmt.Errorf("finish comparison %s: %w", c.ID, err)
	}
	return out, nil
}

// overall is the worst result of the tables: a comparison is CONSISTENT only
// when every table is.
func overall(results map[string]int) string {
	switch {
	case results[checkpoint.ResultInconsistent]+results[checkpoint.ResultMissing] > 0:
		return checkpoint.ResultInconsistent
	case results[checkpoint.ResultFailed] > 0:
		return checkpoint.ResultFailed
	case results[checkpoint.ResultImpossible] > 0:
		return checkpoint.ResultImpossible
	default:
		return checkpoint.ResultConsistent
	}
}

// start notes a new comparison, or finds the one to go on with.
func (r *run) start(ctx context.Context) error {
	found, err := r.Results.Comparison(ctx, r.ID)
	if err != nil {
		return err
	}
	if found != nil {
		r.whole = *found
		return nil
	}
	now := time.Now().UTC()
	r.whole = checkpoint.Comparison{ID: r.ID, Type: r.Type, Result: checkpoint.ResultComparing, StartedAt: &now}
	return r.Results.PutComparison(ctx, r.whole)
}

type run struct {
	Config
	whole       checkpoint.Comparison
	began, beat time.Time
	done        int
	rows        int64
}

// state is one table's comparison.
type state struct {
	contract.ComparedTable
	cursor
	// kept are the differences whose keys are stored; changed says that they
	// are not stored yet.
	kept    []contract.Difference
	changed bool
}

// cursor is what a later box goes on with.
type cursor struct {
	// After is the source's primary key up to which all is compared.
	After [][]byte `json:"after,omitempty"`
	// Kept counts the differences stored so far.
	Kept int `json:"kept,omitempty"`
	// Unplaced: the sharding rule did not fit the rows, placement is not checked.
	Unplaced bool `json:"unplaced,omitempty"`
}

type method func(ctx context.Context, t Table, s *state) error

func (r *run) method() (method, error) {
	switch r.Type {
	case contract.CompareObjects:
		return r.objects, nil
	case contract.CompareRows:
		return r.countRows, nil
	case contract.CompareValues:
		return r.values, nil
	default:
		return nil, fault.ComparisonType.New(r.Type, "")
	}
}

// one compares a table unless it has a result already.
func (r *run) one(ctx context.Context, t Table, compareTable method) (string, error) {
	s, done, err := r.load(ctx, t)
	if err != nil {
		return "", err
	}
	if done {
		return s.Result, nil
	}
	if r.boxEnded() {
		return "", errBoxEnded
	}
	s.Result = checkpoint.ResultComparing
	err = compareTable(ctx, t, s)
	if err != nil {
		if s.Result = verdict(err); s.Result == "" {
			return "", err
		}
	}
	return s.Result, r.save(ctx, t, s, true)
}

// verdict is the result of a table that cannot be compared as it is, empty for
// an error that concerns more than the table.
func verdict(err error) string {
	f, ok := fault.As(err)
	switch {
	case !ok || f.Class == fault.Retry:
		return ""
	case errors.Is(err, fault.TableMissing): // dropped on the source since the plan was made
		return checkpoint.ResultInconsistent
	case errors.Is(err, fault.DestinationTable):
		return checkpoint.ResultMissing
	case errors.Is(err, fault.ColumnMissing), errors.Is(err, fault.ColumnMismatch), errors.Is(err, fault.NoPrimaryKey),
		errors.Is(err, fault.KeyMismatch), errors.Is(err, fault.ShardKeyMissing), errors.Is(err, fault.LabelMissing),
		errors.Is(err, fault.ColumnNeedsValue):
		return checkpoint.ResultImpossible
	default:
		return ""
	}
}

func (r *run) load(ctx context.Context, t Table) (s *state, done bool, err error) {
	found, err := r.Results.Compared(ctx, r.ID, t.No-1, 1)
	if err != nil {
		return nil, false, err
	}
	if len(found) == 0 || found[0].No != t.No {
		return &state{ComparedTable: contract.ComparedTable{Schema: t.Source.Schema, Table: t.Source.Table}}, false, nil
	}
	s = &state{ComparedTable: found[0].ComparedTable}
	if len(found[0].Cursor) > 0 {
		if err := json.Unmarshal(found[0].Cursor, &s.cursor); err != nil {
			return nil, false, fmt.Errorf("read the state: %w", err)
		}
	}
	if !found[0].Done && s.Kept > 0 {
		// What was stored after the cursor, and may be found again, is left out.
		s.kept, _, err = r.Results.Differences(ctx, r.ID, strconv.Itoa(t.No)+".-1", s.Kept)
	}
	return s, found[0].Done, err
}

// save stores differences before the cursor that lies behind them.
func (r *run) save(ctx context.Context, t Table, s *state, done bool) error {
	if s.changed {
		if err := r.Results.PutDifferences(ctx, r.ID, t.No, s.kept); err != nil {
			return err
		}
		s.changed = false
	}
	s.Kept = len(s.kept)
	c := checkpoint.Compared{No: t.No, ComparedTable: s.ComparedTable, Done: done}
	if !done {
		data, err := json.Marshal(s.cursor)
		if err != nil {
			return fmt.Errorf("store the state: %w", err)
		}
		c.Cursor = data
	}
	return r.Results.PutCompared(ctx, r.ID, c)
}

const (
	// keysKept bounds the differences of a table whose keys are stored.
	keysKept = 1000
	// enough is where the comparison of a table ends: it is INCONSISTENT
	// whatever follows.
	enough = 10_000
)

// add notes differences; errEnough says that there are enough.
func (s *state) add(list []contract.Difference) error {
	if len(list) == 0 {
		return nil
	}
	s.Differences += int64(len(list))
	if room := keysKept - len(s.kept); room > 0 {
		s.kept, s.changed = append(s.kept, list[:min(len(list), room)]...), true
	}
	if s.Differences >= enough {
		return errEnough
	}
	return nil
}

func (r *run) boxEnded() bool { return r.Box > 0 && time.Since(r.began) >= r.Box }

func (r *run) report(rows int64) {
	r.rows += rows
	if r.Beat == nil || time.Since(r.beat) < time.Second {
		return
	}
	r.beat = time.Now()
	r.Beat(contract.CompareBeat{At: r.beat, TablesDone: r.done, Tables: len(r.Tables), Rows: r.rows})
}

// definitions reads both sides' tables as they are now.
func (r *run) definitions(ctx context.Context, t Table) (source, destination *table.Table, err error) {
	if source, err = r.Source.Table(ctx, t.Source); err != nil {
		return nil, nil, err
	}
	destination, err = r.Destination.Table(ctx, t.Destination)
	return source, destination, err
}

func (r *run) mapping(ctx context.Context, t Table) (*dialect.Mapping, error) {
	source, destination, err := r.definitions(ctx, t)
	if err != nil {
		return nil, err
	}
	placement, err := r.Destination.Placement(ctx, t.Destination)
	if err != nil {
		return nil, err
	}
	return dialect.NewMapping(source, destination, placement)
}

// settle waits until the destination has everything the source has now.
func (r *run) settle(ctx context.Context) error {
	if r.Settled == nil {
		return nil
	}
	head, err := r.Source.Head(ctx)
	if err != nil {
		return fmt.Errorf("read the source's position: %w", err)
	}
	return r.Settled(ctx, head)
}

// pause waits between two tries.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
