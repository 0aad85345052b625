package precheck

import (
	"context"
	"slices"
	"strings"

	"shardlift/internal/checkpoint"
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
	ours := map[table.Name]bool{}
	for _, p := range pairs {
		ours[folded(p.to)] = true
	}
	var g graded
	known := map[string]bool{}
	if slices.Contains(schemas, e.metadataSchema()) {
		plans, err := checkpoint.OtherTasks(ctx, d, e.metadataSchema(), e.config.TaskID)
		if err != nil {
			return finding{}, err
		}
		for _, o := range plans {
			known[o.Task] = true
			if ours[folded(o.Table)] {
				g.fail("task %s: %s", o.Task, o.Table)
			}
		}
	}
	for _, schema := range e.config.Spec.Objects.DestinationSchemas() {
		if !slices.Contains(schemas, schema) {
			continue
		}
		writers, err := checkpoint.Writers(ctx, d, schema, e.config.TaskID)
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

// folded is a name without regard to case, as destinations compare names.
func folded(n table.Name) table.Name {
	return table.Name{Schema: strings.ToLower(n.Schema), Table: strings.ToLower(n.Table)}
}
