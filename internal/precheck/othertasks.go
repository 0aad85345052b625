package precheck

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/table"
)

// otherTasks looks for tasks that have the same destination tables in their
// plan (metadata schema) or write to the same schema (its fence table).
func otherTasks(ctx context.Context, e *Env) (finding, error) {
	pairs, err := e.present(ctx)
	if err != nil {
		return finding{}, err
	}
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	schemas, err := e.schemas(ctx)
	if err != nil {
		return finding{}, err
	}
	var g graded
	known := map[string]bool{}
	if slices.Contains(schemas, e.metadataSchema()) {
		plans, err := e.plannedElsewhere(ctx, d)
		if err != nil {
			return finding{}, err
		}
		for _, o := range plans {
			known[o.task] = true
			if slices.ContainsFunc(pairs, func(p pair) bool { return sameName(p.to, o.table) }) {
				g.fail("task %s: %s", o.task, o.table)
			}
		}
	}
	for _, schema := range e.config.Spec.Objects.DestinationSchemas() {
		if !slices.Contains(schemas, schema) {
			continue
		}
		writers, err := e.writersOf(ctx, d, schema)
		if err != nil {
			return finding{}, err
		}
		for _, w := range writers {
			if !known[w] {
				g.alarm("task %s, whose metadata stands elsewhere, writes to schema %s", w, schema)
			}
		}
	}
	return g.finding("no other task has these tables", "other tasks have the same destination tables", "other tasks write to the same schemas",
		"stop and delete the other tasks (`shardlift list`), or give this task other tables"), nil
}

func sameName(a, b table.Name) bool {
	return strings.EqualFold(a.Schema, b.Schema) && strings.EqualFold(a.Table, b.Table)
}

type planned struct {
	task  string
	table table.Name
}

// plannedElsewhere reads the plans of other tasks (checkpoint: table shardlift_table).
func (e *Env) plannedElsewhere(ctx context.Context, d *destination.Destination) ([]planned, error) {
	rows, err := e.metadata(ctx, d, e.metadataSchema(), "shardlift_table", "task, names")
	if err != nil {
		return nil, err
	}
	var out []planned
	for _, r := range rows {
		var names struct {
			Destination table.Name `json:"destination"`
		}
		if err := json.Unmarshal([]byte(r["names"]), &names); err != nil {
			return nil, fmt.Errorf("read the plan of task %s: %w", r["task"], err)
		}
		out = append(out, planned{r["task"], names.Destination})
	}
	return out, nil
}

// writersOf names the other tasks that have a fence in a schema.
func (e *Env) writersOf(ctx context.Context, d *destination.Destination, schema string) ([]string, error) {
	rows, err := e.metadata(ctx, d, schema, "shardlift_fence", "DISTINCT task")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, r := range rows {
		if !slices.Contains(out, r["task"]) {
			out = append(out, r["task"])
		}
	}
	return out, nil
}

// errNoTable is the server's answer when a metadata table does not exist.
const (
	errNoTable       = 1146
	errUnknownSchema = 1049
)

// metadata reads columns of other tasks' rows; a table that is not there has none.
func (e *Env) metadata(ctx context.Context, d *destination.Destination, schema, name, columns string) ([]record, error) {
	own := "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(e.config.TaskID) + "'"
	rows, err := records(ctx, d.DB(), d.Hint()+"SELECT "+columns+" FROM "+dialect.QuoteName(schema, name)+" WHERE task <> "+own)
	if n := mysqlconn.Number(err); n == errNoTable || n == errUnknownSchema || mysqlconn.IsAccessDenied(err) {
		return nil, nil
	}
	return rows, mysqlconn.Fault(err, schema+"."+name)
}
