package destination

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/table"
)

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
