package precheck

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"

	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/table"
)

func destinationItems() []item {
	return []item{
		{code: "dstStatusCheck", group: groupTarget, title: "Destination can be written", needs: onDestination, run: destinationStatus},
		{code: codeShardKeyParameter, group: groupTarget, title: "Destination takes statements without the sharding key", needs: onBoth, run: withoutShardKey},
		{code: "checkEmptyDstDb", group: groupTarget, title: "Destination tables are empty", needs: []string{codeSource, codeDestination, codeShardKeyParameter}, run: destinationEmpty},
		{code: "dstTriggerCheck", group: groupTarget, title: "Destination tables have no triggers", needs: onBoth, run: destinationTriggers},
		{code: "dstTableConsistency", group: groupTarget, title: "Physical tables of the destination are alike", needs: onDestination, run: physicalTables},
		{code: "dstAutoIncrement", group: groupTarget, title: "Destination makes new ids", needs: onBoth, run: autoIncrement},
		{code: "dstUsedByOtherTask", group: groupConflict, title: "No other task writes the same tables", needs: onBoth, run: otherTasks},
	}
}

func destinationStatus(ctx context.Context, e *Env) (finding, error) {
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	if isDDM(d) {
		return ddmStatus(ctx, d)
	}
	for _, name := range []string{"super_read_only", "read_only"} {
		v, err := one(ctx, d.DB(), "SELECT @@GLOBAL."+name)
		if err != nil && !refused(err) {
			return finding{}, mysqlconn.Fault(err, "destination")
		}
		if err == nil && v != "0" && !strings.EqualFold(v, "OFF") {
			return fail(name+" is on", "connect to the primary, or SET GLOBAL "+name+" = OFF; on the destination"), nil
		}
	}
	return pass("the destination is not read-only"), nil
}

// ddmStatus wants every schema RUNNING (D-76): not while shards are being moved.
func ddmStatus(ctx context.Context, d *destination.Destination) (finding, error) {
	rows, err := records(ctx, d.DB(), "show db status")
	if refused(err) {
		return alarm("DDM does not tell the state of its schemas", "see in DDM's console that instance and schemas are running, and that no shards are being moved"), nil
	}
	if err != nil {
		return finding{}, mysqlconn.Fault(err, "destination")
	}
	var g graded
	for _, r := range rows {
		if status := r["status"]; status != "" && !strings.EqualFold(status, "RUNNING") {
			g.fail("%s: %s", r["database"], status)
		}
	}
	return g.finding("DDM's schemas are running", "DDM's schemas are not ready", "", "wait until the change of shards has ended, or repair the instance"), nil
}

func destinationEmpty(ctx context.Context, e *Env) (finding, error) {
	pairs, err := e.present(ctx)
	if err != nil {
		return finding{}, err
	}
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	var g graded
	for batch := range slices.Chunk(pairs, batchOf(d)) {
		filled, err := withRows(ctx, d, batch)
		if err != nil {
			return finding{}, err
		}
		for _, p := range filled {
			if e.config.AfterReset {
				g.alarm("%s", p.to)
			} else {
				g.fail("%s", p.to)
			}
		}
	}
	return g.finding("every destination table is empty", "destination tables have rows, which the copy would meet",
		"destination tables have rows: after the reset each chunk first deletes its range on all shards",
		"TRUNCATE TABLE <schema>.<table>; on the destination when nobody needs these rows, or `shardlift reset TASK --truncate-destination`"), nil
}

// batchOf is how many tables one statement looks into.
func batchOf(d *destination.Destination) int {
	if plain(d) {
		return 64
	}
	return 1
}

// withRows returns the tables of a batch that have a row.
func withRows(ctx context.Context, d *destination.Destination, batch []pair) ([]pair, error) {
	if len(batch) == 1 {
		var found int
		err := d.DB().QueryRowContext(ctx, d.Hint()+"SELECT 1 FROM "+dialect.QuoteName(batch[0].to.Schema, batch[0].to.Table)+" LIMIT 1").Scan(&found)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return nil, nil
		case err != nil:
			return nil, mysqlconn.Fault(err, batch[0].to.String())
		}
		return batch, nil
	}
	questions := make([]string, len(batch))
	answers := make([]bool, len(batch))
	into := make([]any, len(batch))
	for i, p := range batch {
		questions[i] = "EXISTS (SELECT 1 FROM " + dialect.QuoteName(p.to.Schema, p.to.Table) + ")"
		into[i] = &answers[i]
	}
	if err := d.DB().QueryRowContext(ctx, "SELECT "+strings.Join(questions, ", ")).Scan(into...); err != nil {
		return nil, mysqlconn.Fault(err, "destination tables")
	}
	var out []pair
	for i, filled := range answers {
		if filled {
			out = append(out, batch[i])
		}
	}
	return out, nil
}

// destinationTriggers: a trigger changes what is written, or writes once more.
func destinationTriggers(ctx context.Context, e *Env) (finding, error) {
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	pairs, err := e.present(ctx)
	if err != nil {
		return finding{}, err
	}
	if !plain(d) {
		return pass("%s has no triggers", d.Info().Kind), nil
	}
	ours := map[table.Name]bool{}
	for _, p := range pairs {
		ours[folded(p.to)] = true
	}
	var g graded
	for _, schema := range e.config.Spec.Objects.DestinationSchemas() {
		found, err := records(ctx, d.DB(), "SELECT TRIGGER_NAME AS name, EVENT_OBJECT_TABLE AS tbl FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ?", schema)
		if err != nil {
			return finding{}, mysqlconn.Fault(err, schema)
		}
		for _, r := range found {
			if ours[folded(table.Name{Schema: schema, Table: r["tbl"]})] {
				g.fail("%s on %s.%s", r["name"], schema, r["tbl"])
			}
		}
	}
	g.unseenTriggers(ctx, e)
	return g.finding("no destination table has a trigger", "triggers on the destination would change or repeat what the task writes",
		"triggers of the destination cannot be seen by the account", "DROP TRIGGER <schema>.<trigger>; on the destination, and create it again after the switch"), nil
}

// unseenTriggers: a server shows triggers only to who has the TRIGGER privilege.
func (g *graded) unseenTriggers(ctx context.Context, e *Env) {
	rights, err := e.grantsOfDestination(ctx)
	if err != nil || !rights.readable {
		return
	}
	for _, schema := range e.config.Spec.Objects.DestinationSchemas() {
		if !rights.onSchema("TRIGGER", schema) {
			g.alarm("without TRIGGER on %s.* (%s)", schema, rights.statement([]string{"TRIGGER"}, dialect.QuoteName(schema)+".*", destinationUser))
		}
	}
}

// physicalTables runs DDM's CHECK TABLE over each schema (PC-D20).
func physicalTables(ctx context.Context, e *Env) (finding, error) {
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	if !isDDM(d) {
		return pass("%s has one physical table for each", d.Info().Kind), nil
	}
	ctx, cancel := context.WithTimeout(ctx, itemTime)
	defer cancel()
	var g graded
	for _, schema := range e.config.Spec.Objects.DestinationSchemas() {
		rows, err := inSchema(ctx, d, schema, "CHECK TABLE")
		if err != nil && (refused(err) || ctx.Err() != nil) {
			g.alarm("CHECK TABLE of %s did not answer in time, or was refused", schema)
			continue
		}
		if err != nil {
			return finding{}, mysqlconn.Fault(err, schema)
		}
		for _, r := range rows {
			if v := r["ddl_consistency"]; v != "" && !strings.EqualFold(v, "Y") && !strings.EqualFold(v, "YES") && v != "1" && !strings.EqualFold(v, "true") {
				g.fail("%s.%s: %s of %s physical tables differ", schema, r["table_name"], r["inconsistent_count"], r["total_count"])
			}
		}
	}
	return g.finding("DDM finds all physical tables alike", "physical tables of one logical table differ", "DDM did not check its physical tables",
		"run CHECK TABLE <table>; in the schema, which names the differences, and repair the physical tables (ALTER TABLE with /*+ allow_alter_rerun=true*/)"), nil
}

// inSchema runs a statement that acts on the current schema, on a connection
// that is closed afterwards.
func inSchema(ctx context.Context, d *destination.Destination, schema, statement string) ([]record, error) {
	conn, err := d.DB().Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		_ = conn.Raw(func(any) error { return errDone })
		_ = conn.Close()
	}()
	if _, err := conn.ExecContext(ctx, "USE "+dialect.QuoteName(schema)); err != nil {
		return nil, err
	}
	return records(ctx, conn, statement)
}

// autoIncrement: the destination must go on making ids after the switch
// (PC-D6, PC-D12).
func autoIncrement(ctx context.Context, e *Env) (finding, error) {
	pairs, err := e.present(ctx)
	if err != nil {
		return finding{}, err
	}
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	var g graded
	for _, p := range pairs {
		for _, from := range p.source.Columns {
			at := p.destination.Column(from.Name)
			if !from.AutoIncrement || at < 0 {
				continue
			}
			to := p.destination.Columns[at]
			switch {
			case !to.AutoIncrement:
				g.alarm("%s.%s is no AUTO_INCREMENT column", p.to, to.Name)
			case d.HasSequences() && p.placement.Kind != "single" && p.placement.Sequence == "":
				g.alarm("%s.%s: no sequence is listed for the table", p.to, to.Name)
			case d.HasSequences() && to.Bits > 0 && to.Bits < 64:
				g.alarm("%s.%s is %s: ids of sequences have gaps, BIGINT gives them room", p.to, to.Name, to.SQLType)
			}
		}
	}
	return g.finding("every AUTO_INCREMENT column goes on on the destination", "", "new rows without an id may fail or repeat ids after the switch",
		fmt.Sprintf("ALTER TABLE <schema>.<table> MODIFY <column> BIGINT NOT NULL AUTO_INCREMENT; on the destination (%s)", d.Info().Kind)), nil
}

// errDone makes database/sql close a connection.
var errDone = driver.ErrBadConn
