package destination

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/row"
	"shardlift/internal/table"
)

// vitessShards returns the names of a keyspace's shards in the order of their
// numbers; fault SchemaMissing when there is no such keyspace.
func (d *Destination) vitessShards(ctx context.Context, keyspace string) ([]string, error) {
	list, err := records(ctx, d.db, "SHOW VITESS_SHARDS")
	if err != nil {
		return nil, fmt.Errorf("list shards of %s: %w", keyspace, err)
	}
	var out []string
	for _, r := range list {
		if in, name, ok := strings.Cut(r["shards"], "/"); ok && in == keyspace {
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		return nil, fault.ObjectMissing.New(keyspace, "no keyspace of this name has shards")
	}
	dialect.SortShards(out)
	return out, nil
}

// IsSharded says whether a schema is a sharded keyspace of Vitess, where tables
// without a vindex cannot be written.
func (d *Destination) IsSharded(ctx context.Context, schema string) (bool, error) {
	if d.info.Kind != dialect.Vitess {
		return false, nil
	}
	list, err := records(ctx, d.db, "SHOW VSCHEMA KEYSPACES")
	if err != nil {
		return false, fmt.Errorf("list keyspaces: %w", err)
	}
	for _, r := range list {
		if r["keyspace"] == schema {
			return r["sharded"] == "true", nil
		}
	}
	return false, nil
}

// vitessPlacements reads the vschema of a keyspace as vtgate tells it: vindexes
// by SHOW VSCHEMA, sequences by the plan of an INSERT.
func (d *Destination) vitessPlacements(ctx context.Context, keyspace string) (map[string]table.Placement, error) {
	sharded, err := d.IsSharded(ctx, keyspace)
	if err != nil {
		return nil, err
	}
	shards, err := d.vitessShards(ctx, keyspace)
	if err != nil {
		return nil, err
	}
	names, err := d.Tables(ctx, keyspace)
	if err != nil {
		return nil, err
	}
	v := vschema{d: d, keyspace: keyspace, shards: shards, proven: map[string]bool{}}
	out := map[string]table.Placement{}
	for _, n := range names {
		p := table.Placement{Kind: table.Single, Shards: len(shards)}
		if sharded {
			p.Kind = table.Sharded
			if p.Database, p.Table, err = v.rules(ctx, n); err != nil {
				return nil, fmt.Errorf("read the vindexes of %s: %w", n, err)
			}
		}
		if p.Database.Algorithm != dialect.VitessUnroutable {
			plan, err := d.insertPlan(ctx, n)
			if err != nil {
				return nil, fmt.Errorf("read the sequence of %s: %w", n, err)
			}
			p.Sequence = plan.sequence()
			p.ZeroAsText = p.Sequence != ""
		}
		out[strings.ToLower(n.Table)] = p
	}
	return out, nil
}

// vschema reads the vindexes of one keyspace.
type vschema struct {
	d        *Destination
	keyspace string
	shards   []string
	proven   map[string]bool // by the vindex's name
}

// rules returns the rule of a table's primary vindex; a vindex over two columns
// takes both levels. Fault UnreadableDefinition for one over more.
func (v *vschema) rules(ctx context.Context, n table.Name) (first, second table.Rule, err error) {
	first = table.Rule{Algorithm: dialect.VitessUnroutable, Count: len(v.shards), Ranges: strings.Join(v.shards, ",")}
	list, err := records(ctx, v.d.db, "SHOW VSCHEMA VINDEXES ON "+dialect.QuoteName(n.Schema, n.Table))
	if mysqlconn.Number(err) == errNoTable || err == nil && len(list) == 0 {
		return first, second, nil // not in the vschema, or a reference table
	}
	if err != nil {
		return first, second, err
	}
	primary := list[0]
	columns := strings.Split(primary["columns"], ",")
	if len(columns) > 2 {
		return first, second, fault.UnreadableDefinition.New(n.String(), "its primary vindex has %d columns, at most two are supported", len(columns))
	}
	first.Column = strings.TrimSpace(columns[0])
	first.Algorithm = dialect.VitessRule + "OTHER"
	if len(columns) == 2 {
		second = table.Rule{Algorithm: first.Algorithm, Column: strings.TrimSpace(columns[1])}
		return first, second, nil
	}
	kind := dialect.VitessRule + strings.ToUpper(primary["type"])
	same, err := v.prove(ctx, primary["name"], kind, first)
	if same {
		first.Algorithm = kind
	}
	return first, second, err
}

// prove compares our computation of a vindex with vtgate's: a wrong one would
// put transactions under another shard's fence.
func (v *vschema) prove(ctx context.Context, vindex, kind string, rule table.Rule) (bool, error) {
	if same, known := v.proven[vindex]; known {
		return same, nil
	}
	rule.Algorithm = kind
	mapping, err := sampleMapping(rule, len(v.shards))
	if err != nil {
		return false, err
	}
	samples := []string{"0", "1", "2", "3", "1000003", "9223372036854775807"}
	list, err := v.d.askVindex(ctx, v.keyspace, vindex, samples)
	if err != nil && (mysqlconn.Number(err) == 0 || mysqlconn.IsConnectionLost(err)) {
		return false, err
	}
	same := len(list) == len(samples)
	for _, r := range list {
		shard, ok := v.d.dialect.Shard(mapping, row.Row{row.Value(r["id"])})
		same = same && ok && v.shards[shard] == r["shard"]
	}
	v.proven[vindex] = same
	return same, nil
}

// askVindex returns the shard of each number.
func (d *Destination) askVindex(ctx context.Context, keyspace, vindex string, numbers []string) (list []record, err error) {
	err = d.in(ctx, keyspace, func(conn *sql.Conn) error {
		list, err = records(ctx, conn, "SELECT id, shard FROM "+dialect.QuoteName(vindex)+" WHERE id IN ("+strings.Join(numbers, ", ")+")")
		return err
	})
	return list, err
}

// OwnedVindexes names the lookup vindexes whose tables vtgate keeps in step with
// a table of a sharded keyspace.
func (d *Destination) OwnedVindexes(ctx context.Context, n table.Name) ([]string, error) {
	list, err := records(ctx, d.db, "SHOW VSCHEMA VINDEXES ON "+dialect.QuoteName(n.Schema, n.Table))
	if err != nil {
		return nil, fmt.Errorf("read the vindexes of %s: %w", n, err)
	}
	var out []string
	for _, r := range list {
		if r["owner"] != "" {
			out = append(out, r["name"])
		}
	}
	return out, nil
}

// sampleMapping is a table of one BIGINT column that the rule routes.
func sampleMapping(rule table.Rule, shards int) (*dialect.Mapping, error) {
	t := &table.Table{
		Columns: []table.Column{{Name: rule.Column, Type: table.TypeInt, Bits: 64}},
		Keys:    []table.Key{{Name: table.PrimaryName, Unique: true, Parts: []table.KeyPart{{Column: 0}}}},
	}
	return dialect.NewMapping(t, t, table.Placement{Kind: table.Sharded, Database: rule, Shards: shards})
}
