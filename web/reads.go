package main

import (
	"context"
	"slices"
	"strings"

	"shardlift/internal/contract"
	"shardlift/internal/control"
	"shardlift/internal/fault"
	"shardlift/internal/task"
	"shardlift/web/api"
)

// GetPrecheck shows the items; `<source-user>` and `<destination-user>` in
// remedies are filled in here, because nothing stored may name them.
func (h *handlers) GetPrecheck(ctx context.Context, r api.GetPrecheckRequestObject) (api.GetPrecheckResponseObject, error) {
	id, err := h.service.Resolve(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	report, err := h.service.Precheck(ctx, id)
	if err != nil {
		return nil, err
	}
	fill, err := h.users(ctx, id)
	if err != nil {
		return nil, err
	}
	out := api.GetPrecheck200JSONResponse{Summary: renderSummary(report.Summary), Items: make([]api.PrecheckItem, 0, len(report.Items))}
	for _, i := range report.Items {
		item := api.PrecheckItem{
			Code: i.Code, Group: i.Group, Title: i.Title, Verdict: api.PrecheckItemVerdict(i.Verdict),
			Reason: orNull(i.Reason), Remedy: orNull(fill.Replace(i.Remedy)),
		}
		item.Applies, item.Page, item.Needs, item.WaitsFor = orNull(i.Applies), orNull(i.Page), orNone(i.Needs), orNone(i.WaitsFor)
		item.Confirmed, item.Skipped = renderConfirmation(i.Confirmed), renderConfirmation(i.Skipped)
		if i.Skippable {
			item.Skippable = &i.Skippable
		}
		for n := range i.Evidence {
			i.Evidence[n] = fill.Replace(i.Evidence[n])
		}
		item.Evidence = orNone(i.Evidence)
		out.Items = append(out.Items, item)
	}
	return out, nil
}

func renderConfirmation(c *contract.Confirmation) *api.Confirmation {
	if c == nil {
		return nil
	}
	return &api.Confirmation{Actor: c.Actor, At: c.At, Note: c.Note}
}

// orNone is nil for an empty list.
func orNone(list []string) *[]string {
	if len(list) == 0 {
		return nil
	}
	return &list
}

// GetPrecheckSamples shows keys of rows that the items found; they stand in the
// destination's metadata and are read there.
func (h *handlers) GetPrecheckSamples(ctx context.Context, r api.GetPrecheckSamplesRequestObject) (api.GetPrecheckSamplesResponseObject, error) {
	var answer contract.SamplesAnswer
	if err := h.page(ctx, r.ID, control.Page{Kind: contract.InspectSamples}, nil, &answer); err != nil {
		return nil, err
	}
	out := api.GetPrecheckSamples200JSONResponse{Samples: make([]api.PrecheckSample, 0, len(answer.Samples))}
	for _, s := range answer.Samples {
		out.Samples = append(out.Samples, api.PrecheckSample{Item: s.Item, Object: s.Object, Keys: s.Keys})
	}
	return out, nil
}

// users replaces the placeholders of remedies.
func (h *handlers) users(ctx context.Context, id string) (*strings.Replacer, error) {
	view, err := h.service.View(ctx, id)
	if err != nil {
		return nil, err
	}
	_, source := shown(h.service, id, task.SourceSide, view.Spec.Source.Shown)
	_, destination := shown(h.service, id, task.DestinationSide, view.Spec.Destination.Shown)
	return strings.NewReplacer("<source-user>", source, "<destination-user>", destination), nil
}

// ListTables shows the progress of tables.
func (h *handlers) ListTables(ctx context.Context, r api.ListTablesRequestObject) (api.ListTablesResponseObject, error) {
	var answer contract.TablesAnswer
	if err := h.page(ctx, r.ID, control.Page{Kind: contract.InspectTables, After: value(r.Params.Cursor)}, r.Params.Limit, &answer); err != nil {
		return nil, err
	}
	out := api.ListTables200JSONResponse{Tables: make([]api.TableProgress, 0, len(answer.Tables)), Next: answer.Next}
	for _, t := range answer.Tables {
		out.Tables = append(out.Tables, api.TableProgress{
			Schema: t.Schema, Table: t.Table, ToSchema: orNull(t.ToSchema), ToTable: orNull(t.ToTable), State: t.State, RowsDone: t.RowsDone, RowsEstimated: t.RowsEstimated,
			Percent: t.Percent, Error: orNull(t.Error), Compare: orNull(t.Compare),
		})
	}
	id, err := h.service.Resolve(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	if view, err := h.service.View(ctx, id); err == nil { // without an answer the destination's word stands
		showGroups(out.Tables, view.Groups)
	}
	return out, nil
}

// ListLogs shows the task's log.
func (h *handlers) ListLogs(ctx context.Context, r api.ListLogsRequestObject) (api.ListLogsResponseObject, error) {
	var answer contract.LogsAnswer
	if level := r.Params.Level; level != nil && !slices.Contains([]string{"info", "warn", "error"}, string(*level)) {
		return nil, invalid("level", "must be info, warn or error")
	}
	p := control.Page{Kind: contract.InspectLogs, After: value(r.Params.Cursor), Level: string(value(r.Params.Level))}
	if err := h.page(ctx, r.ID, p, r.Params.Limit, &answer); err != nil {
		return nil, err
	}
	out := api.ListLogs200JSONResponse{Lines: make([]api.LogLine, 0, len(answer.Lines)), Next: answer.Next}
	for _, l := range answer.Lines {
		out.Lines = append(out.Lines, api.LogLine{Number: l.Number, At: l.At, Level: l.Level, Message: l.Message})
	}
	return out, nil
}

// ListComparisons lists the ids of a task's comparisons, newest first.
func (h *handlers) ListComparisons(ctx context.Context, r api.ListComparisonsRequestObject) (api.ListComparisonsResponseObject, error) {
	id, err := h.service.Resolve(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	view, err := h.service.View(ctx, id)
	if err != nil {
		return nil, err
	}
	out := api.ListComparisons200JSONResponse{Comparisons: append([]string{}, view.Comparisons...)}
	slices.Reverse(out.Comparisons)
	if c := view.Comparison; c != nil {
		out.Last = &api.ComparisonSummary{ID: c.ID, Type: c.Type, Result: c.Result, FinishedAt: c.FinishedAt}
	}
	return out, nil
}

// GetComparison shows one comparison.
func (h *handlers) GetComparison(ctx context.Context, r api.GetComparisonRequestObject) (api.GetComparisonResponseObject, error) {
	var answer contract.ComparisonAnswer
	p := control.Page{Kind: contract.InspectDifferences, Comparison: r.N, After: value(r.Params.Cursor)}
	if err := h.page(ctx, r.ID, p, r.Params.Limit, &answer); err != nil {
		return nil, err
	}
	if answer.Result == comparing {
		if err := h.ended(ctx, r.ID, &answer); err != nil {
			return nil, err
		}
	}
	out := api.GetComparison200JSONResponse{
		ID: answer.ID, Type: answer.Type, Result: answer.Result, StartedAt: answer.StartedAt, FinishedAt: answer.FinishedAt,
		Tables: make([]api.ComparedTable, 0, len(answer.Tables)), Next: answer.Next,
	}
	for _, t := range answer.Tables {
		out.Tables = append(out.Tables, api.ComparedTable{
			Schema: t.Schema, Table: t.Table, SourceRows: t.SourceRows, DestinationRows: t.DestinationRows, Result: t.Result, Differences: t.Differences,
		})
	}
	if value(r.Params.Differences) {
		rows := make([]api.Difference, 0, len(answer.Differences))
		for _, d := range answer.Differences {
			rows = append(rows, api.Difference{Schema: d.Table.Schema, Table: d.Table.Table, Key: d.Key, Kind: d.Kind})
		}
		out.DifferenceRows = &rows
	}
	return out, nil
}

// comparing is the result of a comparison that runs, as it is stored.
const comparing = "COMPARING"

// ended asks the task of a comparison that the destination knows as running: one
// that was cancelled or failed could not write its end there.
func (h *handlers) ended(ctx context.Context, task string, answer *contract.ComparisonAnswer) error {
	id, err := h.service.Resolve(ctx, task)
	if err != nil {
		return err
	}
	view, err := h.service.View(ctx, id)
	if err != nil {
		return err
	}
	endedAs(view.Comparison, answer)
	return nil
}

// endedAs takes over what the task's last comparison says of the answer's.
func endedAs(last *contract.ComparisonSummary, answer *contract.ComparisonAnswer) {
	switch {
	case last == nil:
	case last.ID == answer.ID:
		answer.Result, answer.FinishedAt = last.Result, last.FinishedAt
	default: // a later one runs or has run
		answer.Result = "FAILED_TO_COMPARE"
	}
}

// GetReport shows the final report.
func (h *handlers) GetReport(ctx context.Context, r api.GetReportRequestObject) (api.GetReportResponseObject, error) {
	id, err := h.service.Resolve(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	view, err := h.service.View(ctx, id)
	if err != nil {
		return nil, err
	}
	if view.Report == nil {
		return nil, fault.ReportMissing.New("task "+r.ID, "")
	}
	p := view.Report
	out := api.GetReport200JSONResponse{
		Forced: p.Forced, Incomplete: p.Incomplete, Tables: p.Tables, RowsCopied: p.RowsCopied, BytesCopied: &p.BytesCopied, RowsApplied: p.RowsApplied,
		Divergences: p.Divergences, WritesAfterStop: p.WritesAfterStop, OpenTransactions: known(p.OpenTransactions), PreparedXa: known(p.PreparedXA),
		StopPosition: renderPosition(p.StopPosition), Warnings: append([]string{}, p.Warnings...), At: p.At,
	}
	out.Sequences.State, out.Sequences.Refreshed, out.Sequences.Total = p.Sequences.State, p.Sequences.Refreshed, p.Sequences.Total
	return out, nil
}

// CreateSyncPoint notes the source's position now.
func (h *handlers) CreateSyncPoint(ctx context.Context, r api.CreateSyncPointRequestObject) (api.CreateSyncPointResponseObject, error) {
	id, err := h.service.Resolve(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	out, err := control.Send(ctx, h.service, id, contract.UpdateSyncPoint, contract.SyncPointRequest{Command: command(ctx, nil)}, "")
	if err != nil {
		return nil, err
	}
	if out.Running {
		return nil, &control.Unknown{OperationID: out.OperationID, Cause: fault.NoWorker.New("task "+id, "")}
	}
	point, reached, err := h.service.SyncPoint(ctx, id, out.SyncPoint)
	if err != nil {
		return nil, err
	}
	return api.CreateSyncPoint201JSONResponse(renderSyncPoint(point, reached)), nil
}

// GetSyncPoint says whether a sync point is reached.
func (h *handlers) GetSyncPoint(ctx context.Context, r api.GetSyncPointRequestObject) (api.GetSyncPointResponseObject, error) {
	id, err := h.service.Resolve(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	point, reached, err := h.service.SyncPoint(ctx, id, r.N)
	if err != nil {
		return nil, err
	}
	return api.GetSyncPoint200JSONResponse(renderSyncPoint(point, reached)), nil
}

func renderSyncPoint(p contract.SyncPoint, reached bool) api.SyncPoint {
	out := api.SyncPoint{Number: p.Number, Reached: reached, At: p.At}
	if at := renderPosition(&p.Position); at != nil {
		out.Position = *at
	}
	return out
}

// TestTask tests the connections of a task.
func (h *handlers) TestTask(ctx context.Context, r api.TestTaskRequestObject) (api.TestTaskResponseObject, error) {
	id, err := h.service.Resolve(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	sides := []task.Side{task.SourceSide, task.DestinationSide}
	if side := value(r.Body).Side; side != nil {
		if !side.Valid() {
			return nil, invalid("side", "must be source or destination")
		}
		sides = []task.Side{task.Side(*side)}
	}
	out := api.TestTask200JSONResponse{Ok: true}
	for _, side := range sides {
		answer, err := h.service.Test(ctx, id, side)
		if err != nil {
			return nil, err
		}
		addSide((*api.TestResult)(&out), side, answer)
	}
	return out, nil
}

// TestConnection tests an endpoint that no task has yet.
func (h *handlers) TestConnection(ctx context.Context, r api.TestConnectionRequestObject) (api.TestConnectionResponseObject, error) {
	b := value(r.Body)
	if !b.Side.Valid() {
		return nil, invalid("side", "must be source or destination")
	}
	e, err := endpointOf(b.Endpoint)
	if err != nil {
		return nil, err
	}
	if e.Host == "" || e.User == "" || e.Port < 0 || e.Port > 65535 {
		return nil, invalid("endpoint", "host, port and user are needed")
	}
	group := value(b.WorkerGroup)
	if group == "" {
		group = "default"
	}
	answer, err := h.service.TestEndpoint(ctx, group, task.Side(b.Side), e)
	if err != nil {
		return nil, err
	}
	out := api.TestConnection200JSONResponse{Ok: true}
	addSide((*api.TestResult)(&out), task.Side(b.Side), answer)
	return out, nil
}

func addSide(r *api.TestResult, side task.Side, a contract.TestAnswer) {
	s := api.TestedSide{Side: string(side), Ok: a.OK, Millis: a.Millis, Kind: orNull(a.Kind), Version: orNull(a.Version), TLS: orNull(a.TLS)}
	if a.Error != nil {
		e := renderError(*a.Error)
		s.Error = &e
	}
	r.Ok = r.Ok && a.OK
	r.Sides = append(r.Sides, s)
}

// GetOperation says what became of a command.
func (h *handlers) GetOperation(ctx context.Context, r api.GetOperationRequestObject) (api.GetOperationResponseObject, error) {
	o, err := h.service.Operation(ctx, r.ID)
	return api.GetOperation200JSONResponse(renderOperation(o)), err
}

// Doctor says what of the installation works.
func (h *handlers) Doctor(ctx context.Context, _ api.DoctorRequestObject) (api.DoctorResponseObject, error) {
	out := api.Doctor200JSONResponse{Ok: true}
	for _, c := range h.service.Doctor(ctx, "default") {
		out.Ok = out.Ok && c.OK
		out.Checks = append(out.Checks, api.DoctorCheck{Name: c.Name, Ok: c.OK, Detail: c.Detail, Remedy: orNull(c.Remedy)})
	}
	return out, nil
}

// Version is the version of this process.
func (h *handlers) Version(context.Context, api.VersionRequestObject) (api.VersionResponseObject, error) {
	return api.Version200JSONResponse{Version: h.version}, nil
}

func (h *handlers) page(ctx context.Context, taskOrName string, p control.Page, limit *int, into any) error {
	var err error
	if p.Limit, err = limitOf(limit); err != nil {
		return err
	}
	id, err := h.service.Resolve(ctx, taskOrName)
	if err != nil {
		return err
	}
	return h.service.Page(ctx, id, p, into)
}

// limitOf is the size of a page.
func limitOf(p *int) (int, error) {
	if p == nil {
		return 100, nil
	}
	if *p < 1 || *p > 1000 {
		return 0, invalid("limit", "must be 1 to 1000")
	}
	return *p, nil
}

func invalid(field, message string) error {
	return &control.Invalid{Fields: []control.FieldError{{Field: field, Message: message}}}
}

// known is null for a count that could not be read.
func known(n int) *int {
	if n < 0 {
		return nil
	}
	return &n
}
