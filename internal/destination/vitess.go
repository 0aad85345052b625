package destination

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

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

// shardVindex is the vindex of our own tables that have a row on each shard:
// it maps a shard's number to the start of the shard's key range.
const shardVindex = "shardlift_shard"

// Spread makes the rows of a table of our own in a sharded keyspace of Vitess go
// to the shard whose number is in the column "shard", and returns the number of
// shards; 0 for an unsharded keyspace and for other products, where it does
// nothing. create makes the table unless it is there. Fault VSchemaRights when
// the vschema has to be changed by hand.
func (d *Destination) Spread(ctx context.Context, n table.Name, create func() error) (int, error) {
	sharded, err := d.IsSharded(ctx, n.Schema)
	if err != nil {
		return 0, err
	}
	if !sharded {
		return 0, nil
	}
	shards, err := d.vitessShards(ctx, n.Schema)
	if err != nil {
		return 0, err
	}
	on := dialect.QuoteName(n.Schema, n.Table)
	routed, err := d.isRouted(ctx, on)
	if err != nil {
		return 0, err
	}
	there, err := d.isThere(ctx, on, routed)
	if err == nil && !there {
		err = create()
	}
	if err != nil {
		return 0, err
	}
	if !routed {
		if err := d.route(ctx, n, shards); err != nil {
			return 0, err
		}
	}
	return len(shards), d.proveSpread(ctx, n.Schema, shards)
}

func (d *Destination) isRouted(ctx context.Context, on string) (bool, error) {
	list, err := records(ctx, d.db, "SHOW VSCHEMA VINDEXES ON "+on)
	if mysqlconn.Number(err) == errNoTable {
		return false, nil
	}
	return len(list) > 0, err
}

// isThere says whether a routed table exists: a vschema may outlive it.
func (d *Destination) isThere(ctx context.Context, on string, routed bool) (bool, error) {
	if !routed {
		return false, nil
	}
	_, err := records(ctx, d.db, "SELECT 1 FROM "+on+" LIMIT 1")
	if mysqlconn.Number(err) == errNoTable {
		return false, nil
	}
	return true, err
}

// routePatience is how long vtgate may take to see its own change of a vschema.
const routePatience = 30 * time.Second

func (d *Destination) route(ctx context.Context, n table.Name, shards []string) error {
	on := dialect.QuoteName(n.Schema, n.Table)
	list, err := records(ctx, d.db, "SHOW VSCHEMA VINDEXES")
	if err != nil {
		return fmt.Errorf("list vindexes: %w", err)
	}
	statement := "ALTER VSCHEMA ON " + on + " ADD VINDEX " + shardVindex + " (shard)"
	if !slices.ContainsFunc(list, func(r record) bool { return r["keyspace"] == n.Schema && r["name"] == shardVindex }) {
		statement += " USING numeric_static_map WITH json = `" + starts(shards) + "`"
	}
	if _, err := d.db.ExecContext(ctx, statement); err != nil {
		if mysqlconn.Number(err) == 0 {
			return mysqlconn.Fault(err, n.Schema)
		}
		if routed, seen := d.isRouted(ctx, on); seen == nil && routed {
			return nil // somebody else did it meanwhile
		}
		return fault.VSchemaRights.Wrap(mysqlconn.Fault(err, n.String()), n.Schema).WithRemedy("let the account change vschemas (vtgate's --vschema-ddl-authorized-users), or run: %s", statement)
	}
	for deadline := time.Now().Add(routePatience); ; {
		routed, err := d.isRouted(ctx, on)
		if routed || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fault.VSchemaRights.New(n.Schema, "the vschema was changed and vtgate does not see it")
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// starts is the vindex's map: the first keyspace id of each shard by number.
func starts(shards []string) string {
	parts := make([]string, len(shards))
	for i, name := range shards {
		low, _, _ := strings.Cut(name, "-")
		start, _ := strconv.ParseUint((low + "0000000000000000")[:16], 16, 64)
		parts[i] = fmt.Sprintf("\"%d\":%d", i, start)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// proveSpread makes sure that each shard's number still leads to it.
func (d *Destination) proveSpread(ctx context.Context, keyspace string, shards []string) error {
	numbers := make([]string, len(shards))
	for i := range shards {
		numbers[i] = strconv.Itoa(i)
	}
	list, err := d.askVindex(ctx, keyspace, shardVindex, numbers)
	if err != nil {
		return fmt.Errorf("look at vindex %s of %s: %w", shardVindex, keyspace, err)
	}
	right := 0
	for _, r := range list {
		if i := r.int("id"); i >= 0 && i < len(shards) && r["shard"] == shards[i] {
			right++
		}
	}
	if right != len(shards) {
		return fault.VSchemaRights.New(keyspace, "the keyspace has other shards than vindex %s: it was resharded", shardVindex).
			WithRemedy("delete the task, drop the tables shardlift_fence and shardlift_mark of the keyspace, take them and vindex %s out of its vschema, then create the task again", shardVindex)
	}
	return nil
}

// ReadDB returns the pool for results of any length: vtgate cuts results of
// more than 10,000 rows off with an error unless the workload is olap.
func (d *Destination) ReadDB() *sql.DB { return cmp.Or(d.reads, d.db) }

// openReads opens the second pool where one is needed.
func (d *Destination) openReads(ctx context.Context) error {
	if d.info.Kind != dialect.Vitess {
		return nil
	}
	c := d.config
	c.Session = append(slices.Clone(c.Session), mysqlconn.Setting{Name: "workload", Value: "'olap'"})
	reads, err := mysqlconn.Open(ctx, c)
	if err != nil {
		return fmt.Errorf("open destination for reading: %w", err)
	}
	d.reads = reads
	return nil
}
