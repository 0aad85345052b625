package compare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

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
	if err := c.Results.StartComparison(ctx, c.ID, c.Type, len(c.Tables)); err != nil {
		return contract.CompareOut{}, fmt.Errorf("start comparison %s: %w", c.ID, err)
	}
	out := contract.CompareOut{Tables: len(c.Tables)}
	results := map[string]int{}
	for _, t := range c.Tables {
		result, err := r.one(ctx, t, compareTable)
		if errors.Is(err, errBoxEnded) {
			out.Result = Comparing
			return out, nil
		}
		if err != nil {
			return out, fmt.Errorf("compare %s: %w", t.Source, err)
		}
		results[result]++
		r.done++
		if result == Inconsistent || result == NoTarget {
			out.Inconsistent++
		}
	}
	out.Done, out.Result = true, overall(results)
	if err := c.Results.FinishComparison(ctx, c.ID, out.Result); err != nil {
		return out, fmt.Errorf("finish comparison %s: %w", c.ID, err)
	}
	return out, nil
}

// overall is the worst result of the tables: a comparison is CONSISTENT only
// when every table is.
func overall(results map[string]int) string {
	switch {
	case results[Inconsistent]+results[NoTarget] > 0:
		return Inconsistent
	case results[Failed] > 0:
		return Failed
	case results[Incomparable] > 0:
		return Incomparable
	default:
		return Consistent
	}
}

type run struct {
	Config
	began, beat time.Time
	done        int
	rows        int64
}

// state is one table's comparison; progress is what Results keeps for us.
type state struct {
	contract.ComparedTable
	progress
}

type progress struct {
	// After is the source's primary key up to which all is compared.
	After [][]byte `json:"after,omitempty"`
	// Stored counts the differences in Results; Differences may be larger.
	Stored int64 `json:"stored,omitempty"`
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
	s, err := r.load(ctx, t)
	if err != nil || final(s.Result) {
		return s.Result, err
	}
	if r.boxEnded() {
		return "", errBoxEnded
	}
	s.Result = Comparing
	err = compareTable(ctx, t, s)
	if err != nil {
		if s.Result = verdict(err); s.Result == "" {
			return "", err
		}
	}
	return s.Result, r.save(ctx, t, s)
}

func final(result string) bool {
	return result != "" && result != Comparing && result != Waiting
}

// verdict is the result of a table that cannot be compared as it is, empty for
// an error that concerns more than the table.
func verdict(err error) string {
	f, ok := fault.As(err)
	switch {
	case !ok || f.Class == fault.Retry:
		return ""
	case errors.Is(err, fault.DestinationTable):
		return NoTarget
	case errors.Is(err, fault.ColumnMissing), errors.Is(err, fault.ColumnMismatch), errors.Is(err, fault.NoPrimaryKey),
		errors.Is(err, fault.KeyMismatch), errors.Is(err, fault.ShardKeyMissing), errors.Is(err, fault.LabelMissing),
		errors.Is(err, fault.ColumnNeedsValue):
		return Incomparable
	default:
		return ""
	}
}

func (r *run) load(ctx context.Context, t Table) (*state, error) {
	found, data, ok, err := r.Results.Compared(ctx, r.ID, t.No)
	if err != nil {
		return nil, fmt.Errorf("read the state: %w", err)
	}
	if !ok {
		return &state{ComparedTable: contract.ComparedTable{Schema: t.Source.Schema, Table: t.Source.Table, Result: Waiting}}, nil
	}
	s := &state{ComparedTable: found}
	if len(data) > 0 {
		if err := json.Unmarshal(data, &s.progress); err != nil {
			return nil, fmt.Errorf("read the state: %w", err)
		}
	}
	return s, nil
}

func (r *run) save(ctx context.Context, t Table, s *state) error {
	data, err := json.Marshal(s.progress)
	if err != nil {
		return fmt.Errorf("store the state: %w", err)
	}
	if err := r.Results.PutCompared(ctx, r.ID, t.No, s.ComparedTable, data); err != nil {
		return fmt.Errorf("store the state: %w", err)
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
