package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/destination"
	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/table"
	"shardlift/internal/task"
)

// inspectTime leaves room to answer within the activity's 25 s.
const inspectTime = 20 * time.Second

// Inspect answers one question about databases or metadata, sealed for whoever asked.
func (a *Activities) Inspect(ctx context.Context, in contract.InspectIn) (contract.InspectOut, error) {
	ctx, cancel := context.WithTimeout(ctx, inspectTime)
	defer cancel()
	answer, err := a.inspect(ctx, in)
	if err != nil {
		return contract.InspectOut{}, err
	}
	sealed, err := in.AnswerKey.SealJSON(contract.InspectUse(in.RequestID, "answer"), answer)
	if err != nil {
		return contract.InspectOut{}, fmt.Errorf("seal answer: %w", err)
	}
	return contract.InspectOut{Answer: sealed}, nil
}

func (a *Activities) inspect(ctx context.Context, in contract.InspectIn) (any, error) {
	if in.Kind == contract.InspectTest {
		return a.test(ctx, in)
	}
	t, err := a.tasks.task(ctx, in.Task)
	if err != nil {
		return nil, err
	}
	if in.Kind == contract.InspectObjects {
		return objectsPage(ctx, t, in)
	}
	if in.Kind == contract.InspectSamples {
		return samples(ctx, t)
	}
	var answer any
	open := func() (*destination.Destination, *checkpoint.Store, error) { return existing(ctx, t) }
	err = a.stores.read(t.TaskRef, open, func(s *checkpoint.Store) error {
		answer, err = ask(ctx, s, in)
		return err
	})
	if errors.Is(err, fault.NoMetadata) {
		return nothingYet(in.Kind)
	}
	return answer, err
}

// Pages.
const (
	usualPage = 100
	mostPage  = 1000
)

func ask(ctx context.Context, s *checkpoint.Store, in contract.InspectIn) (any, error) {
	limit := min(max(in.Limit, 0), mostPage)
	if limit == 0 {
		limit = usualPage
	}
	switch in.Kind {
	case contract.InspectTables:
		after, err := cursor(in.After)
		if err != nil {
			return nil, err
		}
		return tablesPage(ctx, s, int(after), limit)
	case contract.InspectLogs:
		after, err := cursor(in.After)
		if err != nil {
			return nil, err
		}
		lines, next, err := s.Logs(ctx, after, limit, in.Level)
		return contract.LogsAnswer{Lines: lines, Next: text(next)}, err
	case contract.InspectDifferences:
		answer, err := s.Answer(ctx, in.Comparison, in.After, limit)
		if err == nil && answer == nil {
			err = fault.UnknownComparison.New(in.Comparison, "")
		}
		return answer, err
	case contract.InspectApplied:
		return appliedOfAll(ctx, s)
	default:
		return nil, fault.InvalidField.New("kind", "%q is no kind of inspection", in.Kind)
	}
}

// appliedOfAll is the position up to which the destination has every table: none
// while tables stand apart. The groups are read before and after the checkpoint:
// no table may leave, or come back with an older position, around it.
func appliedOfAll(ctx context.Context, s *checkpoint.Store) (position.Position, error) {
	var none position.Position
	if apart, err := someApart(ctx, s); err != nil || apart {
		return none, err
	}
	c, err := s.Load(ctx, 0)
	if err != nil || c == nil {
		return none, err
	}
	if apart, err := someApart(ctx, s); err != nil || apart {
		return none, err
	}
	return c.Position, nil
}

func someApart(ctx context.Context, s *checkpoint.Store) (bool, error) {
	groups, err := s.Groups(ctx)
	return slices.ContainsFunc(groups, func(g checkpoint.TableGroup) bool { return !g.Dropped }), err
}

// tablesPage is one page of tables: copied ones are being applied as soon as
// there is a checkpoint, and show what the last comparison said of them.
func tablesPage(ctx context.Context, s *checkpoint.Store, after, limit int) (contract.TablesAnswer, error) {
	tables, next, err := s.TableProgress(ctx, after, limit)
	if err != nil {
		return contract.TablesAnswer{}, err
	}
	c, err := s.Load(ctx, 0)
	if err != nil {
		return contract.TablesAnswer{}, err
	}
	compared, err := lastResults(ctx, s)
	if err != nil {
		return contract.TablesAnswer{}, err
	}
	for i := range tables {
		t := &tables[i]
		if c != nil && t.State == "copied" {
			t.State = "applying"
		}
		t.Compare = compared[table.Name{Schema: t.Schema, Table: t.Table}]
	}
	return contract.TablesAnswer{Tables: tables, Next: text(next)}, nil
}

// lastResults are those of the last comparison, by table.
func lastResults(ctx context.Context, s *checkpoint.Store) (map[table.Name]string, error) {
	last, err := s.LastComparison(ctx)
	if err != nil || last == nil {
		return nil, err
	}
	const everyTable = 10000
	list, err := s.Compared(ctx, last.ID, -1, everyTable)
	if err != nil {
		return nil, err
	}
	out := make(map[table.Name]string, len(list))
	for _, c := range list {
		out[table.Name{Schema: c.Schema, Table: c.Table}] = c.Result
	}
	return out, nil
}

// nothingYet answers for a task without metadata: it was not started.
func nothingYet(kind string) (any, error) {
	switch kind {
	case contract.InspectTables:
		return contract.TablesAnswer{Tables: []contract.TableProgress{}}, nil
	case contract.InspectLogs:
		return contract.LogsAnswer{Lines: []contract.LogLine{}}, nil
	case contract.InspectApplied:
		return position.Position{}, nil
	case contract.InspectDifferences:
		return nil, fault.UnknownComparison.New("", "")
	default:
		return nil, fault.InvalidField.New("kind", "%q is no kind of inspection", kind)
	}
}

func cursor(after string) (int64, error) {
	if after == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(after, 10, 64)
	if err != nil || n < 0 {
		return 0, fault.InvalidField.New("after", "must be the cursor of a former page")
	}
	return n, nil
}

func text[N int | int64](n *N) *string {
	if n == nil {
		return nil
	}
	s := strconv.FormatInt(int64(*n), 10)
	return &s
}

// test connects to one side. That it fails is an answer, not an error.
func (a *Activities) test(ctx context.Context, in contract.InspectIn) (contract.TestAnswer, error) {
	e, err := a.endpointToTest(ctx, in)
	if err != nil {
		return contract.TestAnswer{}, err
	}
	begin := time.Now()
	answer, err := connect(ctx, task.Side(in.Side), e)
	answer.Millis = time.Since(begin).Milliseconds()
	if err != nil {
		f, ok := fault.As(err)
		if !ok {
			f = fault.StepFailed.Wrap(err, in.Side)
		}
		answer.Error = &contract.ErrorInfo{
			Code: f.Code, Class: string(f.Class), Object: a.redactor.Redact(f.Object), Message: a.redactor.Redact(f.Error()),
			Remedy: a.redactor.Redact(f.Remedy), Attempt: 1, At: time.Now().UTC(),
		}
	}
	answer.OK = err == nil
	return answer, nil
}

func (a *Activities) endpointToTest(ctx context.Context, in contract.InspectIn) (task.Endpoint, error) {
	if side := task.Side(in.Side); side != task.SourceSide && side != task.DestinationSide {
		return task.Endpoint{}, fault.InvalidField.New("side", "must be source or destination")
	}
	var e task.Endpoint
	if in.Endpoint != nil {
		if err := a.ring.OpenJSON(contract.InspectUse(in.RequestID, "endpoint"), *in.Endpoint, &e); err != nil {
			return e, fault.KeyMissing.Wrap(err, in.Side)
		}
		a.redactor.Learn(e)
		return e, nil
	}
	t, err := a.tasks.task(ctx, in.Task)
	if err != nil {
		return e, err
	}
	if task.Side(in.Side) == task.SourceSide {
		return t.Source, nil
	}
	return t.Destination, nil
}

func connect(ctx context.Context, side task.Side, e task.Endpoint) (contract.TestAnswer, error) {
	c := mysqlconn.FromEndpoint(e)
	c.MaxConnections = 1
	answer := contract.TestAnswer{TLS: e.TLS.Mode}
	if side == task.DestinationSide {
		d, err := destination.Open(ctx, c, e.Kind)
		if err != nil {
			return answer, err
		}
		answer.Kind, answer.Version = string(d.Info().Kind), d.Info().Version
		return answer, d.Close()
	}
	db, err := mysqlconn.Open(ctx, c)
	if err != nil {
		return answer, err
	}
	defer func() { _ = db.Close() }()
	found, err := mysqlconn.Probe(ctx, db)
	if err != nil {
		return answer, err
	}
	answer.Kind, answer.Version = string(found.Flavor), found.Version
	return answer, nil
}
