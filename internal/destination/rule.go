package destination

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/table"
)

// Placement says where the rows of one table live.
func (d *Destination) Placement(ctx context.Context, n table.Name) (table.Placement, error) {
	all, err := d.Placements(ctx, n.Schema)
	if err != nil {
		return table.Placement{}, err
	}
	if p, ok := all[strings.ToLower(n.Table)]; ok {
		return p, nil
	}
	return table.Placement{Kind: table.Single, Shards: max(1, shardsOf(all))}, nil
}

// Placements returns the placement of every table that has a rule, by
// lower-case name (DDM's names have no case, D-06). A table that is not in it
// is a single table. Plain servers and products whose rules are not read have
// single tables only: their statements stay logical and go ungrouped.
func (d *Destination) Placements(ctx context.Context, schema string) (map[string]table.Placement, error) {
	if d.info.Kind == dialect.Vitess {
		return d.vitessPlacements(ctx, schema)
	}
	if d.info.Kind != dialect.DDM {
		return map[string]table.Placement{}, nil
	}
	out := map[string]table.Placement{}
	err := d.in(ctx, schema, func(conn *sql.Conn) error {
		rules, err := records(ctx, conn, "SHOW RULE")
		if err != nil {
			return err
		}
		for _, r := range rules {
			out[strings.ToLower(r["table_name"])] = placementOf(r)
		}
		shards, err := countShards(ctx, conn, schema, out)
		if err != nil {
			return err
		}
		sequences, err := sequencesOn(ctx, conn, schema)
		if err != nil {
			return err
		}
		for name, p := range out {
			p.Shards = shards
			if s, ok := sequences[name]; ok && p.Kind != table.Single {
				p.Sequence = s.Name
			}
			out[name] = p
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read sharding rules of %s: %w", schema, err)
	}
	return out, nil
}

// placementOf reads a row of SHOW RULE (D-42).
func placementOf(r record) table.Placement {
	p := table.Placement{Kind: table.Single, Shards: 1}
	if r["broadcast"] == "1" || strings.EqualFold(r["broadcast"], "true") {
		p.Kind = table.Broadcast
		p.Database.Count = r.int("db_partition_count")
		return p
	}
	p.Database = ruleOf(r, "db_")
	p.Database.Ranges = r["partition_range"]
	p.Table = ruleOf(r, "tb_")
	if p.Database.Algorithm != "" || p.Table.Algorithm != "" {
		p.Kind = table.Sharded
	}
	return p
}

func ruleOf(r record, prefix string) table.Rule {
	out := table.Rule{
		Algorithm: strings.ToUpper(r[prefix+"partition_policy"]),
		Column:    strings.Trim(r[prefix+"partition_key"], "` "),
		Count:     r.int(prefix + "partition_count"),
	}
	if out.Column == "" {
		return table.Rule{Count: out.Count}
	}
	// "id,4": RIGHT_SHIFT's number of bits. (…_PARTITION_OFFSET is something else:
	// where a new shard starts.)
	if column, bits, ok := strings.Cut(out.Column, ","); ok {
		out.Column = strings.Trim(column, "` ")
		out.Offset, _ = strconv.Atoi(strings.TrimSpace(bits))
	}
	// "year(created)": a date function around the column.
	if function, rest, ok := strings.Cut(out.Column, "("); ok {
		out.Function = strings.ToLower(strings.TrimSpace(function))
		out.Column = strings.Trim(strings.TrimSuffix(strings.TrimSpace(rest), ")"), "` ")
	}
	// A policy may carry the function instead: "HASH(year)".
	if policy, rest, ok := strings.Cut(out.Algorithm, "("); ok && out.Function == "" {
		out.Algorithm, out.Function = policy, strings.ToLower(strings.TrimSuffix(rest, ")"))
	}
	return out
}

func shardsOf(placements map[string]table.Placement) int {
	n := 0
	for _, p := range placements {
		n = max(n, p.Shards, p.Database.Count)
	}
	return n
}

// countShards counts the schema's physical databases in SHOW DATA NODE, and
// falls back on the largest count of a rule.
func countShards(ctx context.Context, conn *sql.Conn, schema string, placements map[string]table.Placement) (int, error) {
	nodes, err := records(ctx, conn, "SHOW DATA NODE")
	if err != nil && (mysqlconn.Number(err) == 0 || mysqlconn.IsConnectionLost(err)) {
		return 0, err
	}
	var names []string
	for _, r := range nodes {
		name := strings.ToLower(r.first("physical_node", "database", "name"))
		if isShardOf(name, schema) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return max(1, len(names), shardsOf(placements)), nil
}

// isShardOf says whether a physical database is <schema>_NNNN.
func isShardOf(name, schema string) bool {
	digits, ok := strings.CutPrefix(name, strings.ToLower(schema)+"_")
	return ok && len(digits) >= 4 && strings.Trim(digits, "0123456789") == ""
}

// Shards returns the number of physical shards of a schema, at least 1.
func (d *Destination) Shards(ctx context.Context, schema string) (int, error) {
	if d.info.Kind == dialect.Vitess {
		names, err := d.vitessShards(ctx, schema)
		return max(1, len(names)), err
	}
	if d.info.Kind != dialect.DDM {
		return 1, nil
	}
	shards := 1
	err := d.in(ctx, schema, func(conn *sql.Conn) error {
		rules, err := records(ctx, conn, "SHOW RULE")
		if err != nil {
			return err
		}
		placements := map[string]table.Placement{}
		for _, r := range rules {
			placements[strings.ToLower(r["table_name"])] = placementOf(r)
		}
		shards, err = countShards(ctx, conn, schema, placements)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("count shards of %s: %w", schema, err)
	}
	return shards, nil
}
