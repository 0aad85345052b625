package checkpoint

import (
	"context"
	"fmt"
	"slices"

	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/table"
)

// Planned is a destination table in the plan of a task.
type Planned struct {
	Task  string
	Table table.Name
}

// OtherTasks reads what the other tasks of a metadata schema have in their
// plans. Nothing is made; a schema without metadata, or one that the account
// may not read, has none.
func OtherTasks(ctx context.Context, d *destination.Destination, metadataSchema, taskID string) ([]Planned, error) {
	s, err := newStore(d, metadataSchema, taskID)
	if err != nil {
		return nil, err
	}
	var out []Planned
	err = s.each(ctx, fmt.Sprintf("SELECT task, names FROM %s WHERE task <> %s", s.t(tableTable), s.task), func(scan func(...any) error) error {
		var p Planned
		var data []byte
		if err := scan(&p.Task, &data); err != nil {
			return err
		}
		var n names
		if err := read(data, &n, prefix+tableTable); err != nil {
			return err
		}
		p.Table = n.Destination
		out = append(out, p)
		return nil
	})
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the plans of other tasks: %w", err)
	}
	return out, nil
}

// Writers names the other tasks that have a fence in a destination schema, and
// so write to it, wherever their metadata stands.
func Writers(ctx context.Context, d *destination.Destination, schema, taskID string) ([]string, error) {
	s, err := newStore(d, schema, taskID)
	if err != nil {
		return nil, err
	}
	var out []string
	fence := dialect.QuoteName(schema, prefix+tableFence)
	err = s.each(ctx, fmt.Sprintf("SELECT DISTINCT task FROM %s WHERE task <> %s", fence, s.task), func(scan func(...any) error) error {
		var name string
		if err := scan(&name); err != nil {
			return err
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
		return nil
	})
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the fences of other tasks: %w", err)
	}
	return out, nil
}

// isAbsent says whether a metadata table is not there, or not for this account.
func isAbsent(err error) bool {
	n := mysqlconn.Number(err)
	return n == errNoTable || n == errUnknownSchema || mysqlconn.IsAccessDenied(err)
}
