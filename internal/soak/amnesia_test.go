//go:build faultpoint

package soak

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Amnesia is a data node that comes back without its last commits, as after a
// fail-over to a replica that was behind: its databases are put back to a
// consistent snapshot taken earlier, with nobody connected.

// remember takes a snapshot of a node's databases.
func (p *place) remember(ctx context.Context, node int) error {
	p.memory = nil
	var memory []physical
	err := p.alone(ctx, node, func(run func(string)) error {
		var err error
		if memory, err = p.tablesOf(ctx, node); err != nil {
			return err
		}
		for _, t := range memory {
			if !t.ours() {
				run("DROP TABLE IF EXISTS " + t.copied())
			}
			run("CREATE TABLE IF NOT EXISTS " + t.copied() + " LIKE " + t.name())
			run("DELETE FROM " + t.copied())
			run("INSERT INTO " + t.copied() + " SELECT * FROM " + t.name() + t.where(p.task))
		}
		return nil
	})
	if err == nil {
		p.remembered, p.memory = node, memory
	}
	return err
}

// forget puts the node's databases back to what was remembered, if anything was.
func (p *place) forget(ctx context.Context) error {
	if p.memory == nil {
		return nil
	}
	p.forgot.Add(1)
	memory := p.memory
	p.memory = nil
	return p.alone(ctx, p.remembered, func(run func(string)) error {
		for _, t := range memory {
			run("DELETE FROM " + t.name() + t.where(p.task))
			run("INSERT INTO " + t.name() + " SELECT * FROM " + t.copied())
		}
		return nil
	})
}

// alone runs statements on a data node while it is away for the middleware.
func (p *place) alone(ctx context.Context, node int, f func(run func(statement string)) error) error {
	faults := p.sim.Server.Faults()
	faults.NodeDown(node)
	defer faults.NodeUp(node)
	if err := p.disconnect(ctx, node); err != nil {
		return err
	}
	conn, err := p.nodes[node].Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	run := func(statement string) {
		if err == nil {
			if _, err = conn.ExecContext(ctx, statement); err != nil {
				err = fmt.Errorf("%s: %w", statement, err)
			}
		}
	}
	run("SET foreign_key_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO'")
	return errors.Join(f(run), err)
}

// physical is a table of a data node.
type physical struct{ database, table string }

func (t physical) name() string   { return "`" + t.database + "`.`" + t.table + "`" }
func (t physical) copied() string { return "`" + t.database + "`.`zz_" + t.table + "`" }

// ours says whether it is Shardlift's: then only the rows of a task are kept.
func (t physical) ours() bool { return strings.HasPrefix(t.table, "shardlift_") }

func (t physical) where(task string) string {
	if t.ours() {
		return " WHERE task = '" + task + "'"
	}
	return ""
}

func (p *place) databasesOf(node int) []string {
	var out []string
	for shard := range shards {
		if shard%len(p.sim.Nodes) == node {
			out = append(out, p.sim.Physical(shard))
		}
	}
	return out
}

func (p *place) tablesOf(ctx context.Context, node int) (out []physical, err error) {
	rows, err := p.nodes[node].QueryContext(ctx, "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema IN ('"+
		strings.Join(p.databasesOf(node), "', '")+"') AND table_name NOT LIKE 'zz\\_%' AND table_name NOT IN ('shardlift_meta', 'shardlift_scratch') ORDER BY 1, 2")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var t physical
		if err := rows.Scan(&t.database, &t.table); err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, rows.Err()
}

// disconnect ends every connection of the middleware to the node, whose open
// transactions the server rolls back, and waits until none is left.
func (p *place) disconnect(ctx context.Context, node int) error {
	list := "'" + strings.Join(p.databasesOf(node), "', '") + "'"
	for ctx.Err() == nil {
		rows, err := p.nodes[node].QueryContext(ctx, "SELECT id FROM "+processList(p.sim.Nodes[node].Name)+" WHERE db IN ("+list+")")
		if err != nil {
			return err
		}
		var ids []int64
		for rows.Next() {
			var id int64
			if err := rows.Scan(&id); err != nil {
				return err
			}
			ids = append(ids, id)
		}
		_ = rows.Close()
		if len(ids) == 0 {
			return nil
		}
		for _, id := range ids {
			_, _ = p.nodes[node].ExecContext(ctx, fmt.Sprintf("KILL %d", id)) // it may have ended
		}
		pause(5 * time.Millisecond)
	}
	return ctx.Err()
}
