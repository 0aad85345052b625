package destination

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/table"
)

// insertPlan is what vtgate says of an INSERT that names all columns.
type insertPlan struct {
	AutoIncrement string            `json:"AutoIncrement"`
	Query         string            `json:"Query"`
	VindexValues  map[string]string `json:"VindexValues"`
	columns       []string
}

func (d *Destination) insertPlan(ctx context.Context, n table.Name) (insertPlan, error) {
	var plan insertPlan
	list, err := records(ctx, d.db, "SHOW FULL COLUMNS FROM "+dialect.QuoteName(n.Table)+" FROM "+dialect.QuoteName(n.Schema))
	if err != nil {
		return plan, err
	}
	var names, values []string
	for _, r := range list {
		plan.columns = append(plan.columns, r["field"])
		names, values = append(names, dialect.QuoteName(r["field"])), append(values, "1")
	}
	statement := "VEXPLAIN PLAN INSERT INTO " + dialect.QuoteName(n.Schema, n.Table) + " (" + strings.Join(names, ", ") + ") VALUES (" + strings.Join(values, ", ") + ")"
	printed, err := records(ctx, d.db, statement)
	if err != nil {
		return plan, err
	}
	if len(printed) != 1 || json.Unmarshal([]byte(printed[0]["json"]), &plan) != nil {
		return plan, fault.UnreadableDefinition.New(n.String(), "VEXPLAIN PLAN of an INSERT is not in the expected form")
	}
	return plan, nil
}

var nextValues = regexp.MustCompile("(?i)^select next .* values from `?([^`:]+)`?:")

// sequence is the table that the plan takes ids from, without its keyspace.
func (p insertPlan) sequence() string {
	if m := nextValues.FindStringSubmatch(p.AutoIncrement); m != nil {
		return m[1]
	}
	return ""
}

// generated is the place of the column that the sequence fills, -1 for none:
// its value is :__seq0 in the statement, or in the vindex that it feeds.
func (p insertPlan) generated(routes string) int {
	if p.sequence() == "" {
		return -1
	}
	_, values, _ := strings.Cut(p.Query, ") values (")
	for i, value := range strings.Split(strings.TrimSuffix(values, ")"), ", ") {
		if strings.HasPrefix(value, ":__seq0") {
			return i
		}
	}
	for _, value := range p.VindexValues {
		if value == ":__seq0" {
			return slices.IndexFunc(p.columns, func(c string) bool { return strings.EqualFold(c, routes) })
		}
	}
	return -1
}

// markGenerated notes the column that a vschema's sequence fills, which the
// tables of the shards need not declare as AUTO_INCREMENT.
func (d *Destination) markGenerated(ctx context.Context, t *table.Table) error {
	sharded, err := d.IsSharded(ctx, t.Name.Schema)
	if err != nil {
		return err
	}
	routes := ""
	if sharded {
		list, err := records(ctx, d.db, "SHOW VSCHEMA VINDEXES ON "+dialect.QuoteName(t.Name.Schema, t.Name.Table))
		if mysqlconn.Number(err) == errNoTable || err == nil && len(list) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		routes = list[0]["columns"]
	}
	plan, err := d.insertPlan(ctx, t.Name)
	if err != nil {
		return err
	}
	if at := plan.generated(routes); at >= 0 {
		for i := range t.Columns {
			t.Columns[i].AutoIncrement = i == at
		}
	}
	return nil
}

// vitessSequences returns the sequences of a keyspace's tables by the table's
// name. A plan names no keyspace: the sequence is looked for in all unsharded
// ones, and left out when it is in none or in several.
func (d *Destination) vitessSequences(ctx context.Context, keyspace string) (map[string]Sequence, error) {
	placements, err := d.Placements(ctx, keyspace)
	if err != nil {
		return nil, err
	}
	where, err := d.sequenceTables(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]Sequence{}
	for name, p := range placements {
		homes := where[strings.ToLower(p.Sequence)]
		if p.Sequence == "" || len(homes) != 1 {
			continue
		}
		s := Sequence{Schema: homes[0], Name: p.Sequence}
		err := d.db.QueryRowContext(ctx, "SELECT next_id FROM "+dialect.QuoteName(s.Schema, s.Name)+" WHERE id = 0").Scan(&s.Start)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, fmt.Errorf("read sequence %s: %w", s.Name, mysqlconn.Fault(err, s.Schema+"."+s.Name))
		}
		s.Known = err == nil
		out[name] = s
	}
	return out, nil
}

// sequenceTables returns the unsharded keyspaces that have a sequence's table,
// by the table's lower-case name.
func (d *Destination) sequenceTables(ctx context.Context) (map[string][]string, error) {
	keyspaces, err := records(ctx, d.db, "SHOW VSCHEMA KEYSPACES")
	if err != nil {
		return nil, fmt.Errorf("list keyspaces: %w", err)
	}
	out := map[string][]string{}
	for _, k := range keyspaces {
		if k["sharded"] == "true" {
			continue
		}
		list, err := records(ctx, d.db, "SELECT TABLE_NAME, TABLE_COMMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = "+quote(k["keyspace"]))
		if err != nil {
			return nil, fmt.Errorf("list tables of %s: %w", k["keyspace"], err)
		}
		for _, r := range list {
			if r["table_comment"] == "vitess_sequence" {
				name := strings.ToLower(r["table_name"])
				out[name] = append(out[name], k["keyspace"])
			}
		}
	}
	return out, nil
}

// vitessNext takes a value of a sequence.
func (d *Destination) vitessNext(ctx context.Context, s Sequence, count int64) (uint64, error) {
	var n uint64
	query := fmt.Sprintf("SELECT NEXT %d VALUES FROM %s", count, dialect.QuoteName(s.Schema, s.Name))
	err := d.db.QueryRowContext(ctx, query).Scan(&n)
	return n, mysqlconn.Fault(err, s.Schema+"."+s.Name)
}

// setVitess raises a sequence: its row, then the block of values that the
// tablet has taken into memory before, which is used up.
func (d *Destination) setVitess(ctx context.Context, s Sequence, next uint64) error {
	name := dialect.QuoteName(s.Schema, s.Name)
	if _, err := d.db.ExecContext(ctx, fmt.Sprintf("UPDATE %s SET next_id = %d WHERE id = 0 AND next_id < %d", name, next, next)); err != nil {
		return mysqlconn.Fault(err, s.Schema+"."+s.Name)
	}
	var cache int64
	if err := d.db.QueryRowContext(ctx, "SELECT cache FROM "+name+" WHERE id = 0").Scan(&cache); err != nil {
		return mysqlconn.Fault(err, s.Schema+"."+s.Name)
	}
	for range blocksInMemory {
		// The tablet gives a run of this length from memory only if it has one.
		got, err := d.vitessNext(ctx, s, max(cache, 1))
		if err != nil || got >= next {
			return err
		}
	}
	return nil
}

// blocksInMemory is more than the blocks that a tablet can have of a sequence
// whose cache was made smaller meanwhile.
const blocksInMemory = 100
