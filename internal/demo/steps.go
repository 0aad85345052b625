package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// taskFile is what `shardlift init` would have made, filled in.
const taskFile = `version: 1
name: %s
description: the sample shop, moved while it sells
type: full+incremental
source:
  host: 127.0.0.1
  port: %d
  user: %s
  password_env: DEMO_SOURCE_PASSWORD
  tls: {mode: preferred}
  max_connections: 10
destination:
  kind: ddm
  host: 127.0.0.1
  port: %d
  user: %s
  password_env: DEMO_DDM_PASSWORD
objects:
  - {schema: %s, to: %s, tables: ["*"]}
limits: {mb_per_second: 0, rows_per_second: 25000}   # so that there is something to see
tags: {team: demo}
`

func (d *demo) create(ctx context.Context) error {
	s := d.stage
	path := filepath.Join(s.dir, "shop.yaml")
	text := fmt.Sprintf(taskFile, taskName, s.source.Port, migrator, s.ddmPort, ddmUser, sourceSchema, destinationSchema)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write the task file: %w", err)
	}
	if err := until(ctx, time.Minute, "a worker", func() (bool, error) {
		return d.read(ctx, new(any), "doctor") == nil, nil
	}); err != nil {
		return err
	}
	if err := d.shardlift(ctx, "create", "-f", path); err != nil {
		return err
	}
	code, err := d.shardliftCode(ctx, "precheck", taskName, "--wait")
	if err != nil {
		return err
	}
	if code == 4 { // alarms wait for a word
		return d.shardlift(ctx, "confirm", taskName, "--all", "--note", "a demo with made-up rows")
	}
	if code != 0 {
		return fmt.Errorf("precheck: exit code %d", code)
	}
	return nil
}

func (d *demo) start(ctx context.Context) error {
	d.traffic = startTraffic(ctx, d.stage.shop)
	d.say("about 300 transactions a second on the source: inserts, updates, deletes, changes of primary, unique and sharding keys")
	return d.shardlift(ctx, "start", taskName)
}

// copyAndKill kills the worker when a good part of the rows is copied, while
// `shardlift watch` shows the bar.
func (d *demo) copyAndKill(ctx context.Context) error {
	stopWatch, err := d.watch(ctx)
	if err != nil {
		return err
	}
	defer stopWatch()
	var copied, estimated int64
	err = until(ctx, 3*time.Minute, "the middle of the copy", func() (bool, error) {
		var t struct {
			Tables []struct {
				RowsDone      int64 `json:"rows_done"`
				RowsEstimated int64 `json:"rows_estimated"`
			} `json:"tables"`
		}
		if err := d.read(ctx, &t, "tables", taskName); err != nil {
			return false, nil // the plan is not there yet
		}
		copied, estimated = 0, 0
		for _, one := range t.Tables {
			copied += one.RowsDone
			estimated += one.RowsEstimated
		}
		return copied*100 > estimated*55 && copied > 0, nil
	})
	if err != nil {
		return err
	}
	if err := d.killWorker(ctx, fmt.Sprintf("%d of about %d rows are copied", copied, estimated)); err != nil {
		return err
	}
	return d.shardlift(ctx, "wait", taskName, "--for", "full-complete", "--timeout", "5m")
}

func (d *demo) killWorker(ctx context.Context, when string) error {
	pid := d.stage.worker.cmd.Process.Pid
	if err := d.stage.worker.kill(); err != nil {
		return err
	}
	d.kills++
	d.say("%s: kill -9 %d ended the worker; a new one starts and takes over within the heartbeat timeout of 15 s", when, pid)
	return d.stage.startWorker(ctx)
}

func (d *demo) applyAndKill(ctx context.Context) error {
	if err := d.shardlift(ctx, "wait", taskName, "--for", "synced", "--timeout", "3m"); err != nil {
		return err
	}
	if err := d.killWorker(ctx, "changes are applied live"); err != nil {
		return err
	}
	if err := d.shardlift(ctx, "wait", taskName, "--for", "synced", "--timeout", "3m"); err != nil {
		return err
	}
	return d.shardlift(ctx, "show", taskName)
}

func (d *demo) compare(ctx context.Context) error {
	d.traffic.end()
	d.say("traffic ended after %d transactions (%d rolled back)", d.traffic.done.Load(), d.traffic.failed.Load())
	if d.traffic.done.Load() == 0 {
		return errors.New("no transaction of the traffic was committed")
	}
	if err := d.shardlift(ctx, "wait", taskName, "--for", "synced", "--timeout", "3m"); err != nil {
		return err
	}
	if err := d.shardlift(ctx, "compare", taskName, "--type", "rows", "--wait"); err != nil {
		return err
	}
	return d.shardlift(ctx, "compare", taskName, "--type", "values", "--wait")
}

// plant changes a row behind the task's back and puts it back.
func (d *demo) plant(ctx context.Context) error {
	const change, back = "UPDATE products SET title = CONCAT(title, '!') WHERE id = 4711", "UPDATE products SET title = TRIM(TRAILING '!' FROM title) WHERE id = 4711"
	if err := d.onDestination(ctx, change); err != nil {
		return err
	}
	code, err := d.shardliftCode(ctx, "compare", taskName, "--type", "values", "--tables", sourceSchema+".products", "--wait")
	if err != nil {
		return err
	}
	if code != 4 {
		return fmt.Errorf("the comparison ended with %d, it should have found the planted row (4)", code)
	}
	if err := d.onDestination(ctx, back); err != nil {
		return err
	}
	return d.shardlift(ctx, "compare", taskName, "--type", "values", "--tables", sourceSchema+".products", "--wait")
}

func (d *demo) onDestination(ctx context.Context, statement string) error {
	d.say("on the destination: %s", statement)
	result, err := d.stage.ddm.ExecContext(ctx, statement)
	if err != nil {
		return fmt.Errorf("change a row on the destination: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return fmt.Errorf("change a row on the destination: %d rows affected, %w", n, err)
	}
	return nil
}

func (d *demo) stop(ctx context.Context) error {
	if err := d.shardlift(ctx, "stop", taskName, "--yes", "--wait"); err != nil {
		return err
	}
	return d.shardlift(ctx, "report", taskName)
}

// insert proves that the sequences stand beyond every id in use.
func (d *demo) insert(ctx context.Context) error {
	for table, statement := range map[string]string{
		"customers": "INSERT INTO customers (email, name, country, balance, created) VALUES ('first@example.org', 'First', 'AB', 0, '2026-01-01 00:00:00.000')",
		"settings":  "INSERT INTO settings (name, body) VALUES ('first', '{}')",
	} {
		var highest, count int64
		if err := d.stage.shop.QueryRowContext(ctx, "SELECT MAX(id), COUNT(*) FROM "+table).Scan(&highest, &count); err != nil {
			return fmt.Errorf("read the highest id of %s: %w", table, err)
		}
		result, err := d.stage.ddm.ExecContext(ctx, statement)
		if err != nil {
			return fmt.Errorf("insert into %s: %w", table, err)
		}
		id, err := result.LastInsertId()
		if err != nil {
			return fmt.Errorf("insert into %s: %w", table, err)
		}
		if id <= highest {
			return fmt.Errorf("insert into %s got id %d, but %d is in use", table, id, highest)
		}
		d.say("%s: highest id on the source %d, the new row through DDM got %d", table, highest, id)
	}
	return nil
}
