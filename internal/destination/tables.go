package destination

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/selection"
	"shardlift/internal/table"
)

// Schemas returns the schemas that the account sees, system schemas included.
func (d *Destination) Schemas(ctx context.Context) ([]string, error) {
	list, err := records(ctx, d.db, "SHOW DATABASES")
	if err != nil {
		return nil, fmt.Errorf("list schemas: %w", err)
	}
	out := make([]string, 0, len(list))
	for _, r := range list {
		for _, name := range r {
			out = append(out, name)
		}
	}
	return out, nil
}

// Tables returns the base tables of a schema, sorted, without Shardlift's own.
func (d *Destination) Tables(ctx context.Context, schema string) ([]table.Name, error) {
	statement := "SHOW FULL TABLES FROM "
	if d.restricted() {
		statement = "SHOW TABLES FROM " // D-41
	}
	list, err := records(ctx, d.db, statement+dialect.QuoteName(schema))
	if err != nil {
		return nil, fmt.Errorf("list tables of %s: %w", schema, err)
	}
	var out []table.Name
	for _, r := range list {
		kind := r["table_type"]
		delete(r, "table_type")
		for _, name := range r {
			if (kind == "" || kind == "BASE TABLE" || kind == mysqlconn.SystemVersioned) && !isOurs(name) {
				out = append(out, table.Name{Schema: schema, Table: name})
			}
		}
	}
	slices.SortFunc(out, table.Name.Compare)
	return out, nil
}

func isOurs(name string) bool {
	return strings.HasPrefix(strings.ToLower(name), selection.MetadataPrefix)
}

// restricted says that information_schema cannot be trusted (DDM: D-40; DBLE
// answers empty sets; Vitess answers from any shard).
func (d *Destination) restricted() bool {
	return d.info.Kind == dialect.DDM || d.info.Kind == dialect.DBLE || d.info.Kind == dialect.ShardingSphere || d.info.Kind == dialect.Vitess
}

// Table returns one definition; fault DestinationTable when there is none.
func (d *Destination) Table(ctx context.Context, n table.Name) (*table.Table, error) {
	found, err := d.Definitions(ctx, n.Schema, []string{n.Table})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fault.DestinationTable.New(n.String(), "")
	}
	return found[0], nil
}

// Definitions returns the named tables of a schema, sorted by name; those that
// do not exist are left out. Rows and Bytes are -1 where only a middleware's
// guess could be had.
func (d *Destination) Definitions(ctx context.Context, schema string, names []string) ([]*table.Table, error) {
	if len(names) == 0 {
		return nil, nil
	}
	if !d.restricted() {
		found, err := mysqlconn.Catalogue(ctx, d.db, schema, names)
		if err != nil {
			return nil, fmt.Errorf("read destination tables: %w", err)
		}
		return found, nil
	}
	there, err := d.Tables(ctx, schema)
	if err != nil {
		return nil, err
	}
	var out []*table.Table
	for _, n := range there {
		if !slices.Contains(names, n.Table) {
			continue
		}
		t, err := d.describe(ctx, n)
		if err != nil {
			return nil, fmt.Errorf("read destination table %s: %w", n, err)
		}
		out = append(out, t)
	}
	return out, nil
}
