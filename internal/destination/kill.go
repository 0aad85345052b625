package destination

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"shardlift/internal/fault"
	"shardlift/internal/faultpoint"
	"shardlift/internal/mysqlconn"
)

// ErrCannotKill means that no form of KILL passes this destination.
var ErrCannotKill = errors.New("the destination passes no form of kill")

// endPatience is how long a killed connection may take to roll back and end.
const endPatience = 30 * time.Second

// Kill ends the connections that Session.ID or PhysicalID named and waits until
// the server has none of them any more. Ids that are gone or belong to somebody
// else by now are skipped. ErrCannotKill where the form of the id has no
// statement here; fault ConnectionStays when one does not end in time.
func (d *Destination) Kill(ctx context.Context, ids []string) error {
	return faultpoint.Around(ctx, "destination.kill", func(ctx context.Context) error { return d.killAll(ctx, ids) })
}

func (d *Destination) killAll(ctx context.Context, ids []string) error {
	for _, id := range ids {
		if strings.Contains(id, "@") {
			if err := d.killPhysical(ctx, id); err != nil {
				return err
			}
			continue
		}
		if d.Info().Kill != KillConnection {
			return fmt.Errorf("end %d connections: %w", len(ids), ErrCannotKill)
		}
		if err := d.killConnection(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func splitID(id string) (number uint64, client string) {
	text, client, _ := strings.Cut(id, ".")
	number, _ = strconv.ParseUint(text, 10, 64)
	return number, client
}

// killConnection repeats KILL until the server knows the thread no more: a
// thread that rolls back is still there, and may not be taken for gone.
func (d *Destination) killConnection(ctx context.Context, id string) error {
	number, client := splitID(id)
	if number == 0 {
		return fmt.Errorf("end a connection: %q is no connection id", id)
	}
	text := strconv.FormatUint(number, 10)
	for deadline := time.Now().Add(endPatience); ; {
		if client != "" {
			now, ok, err := clientOf(ctx, d.db, text)
			if err != nil {
				return fmt.Errorf("end connection %s: %w", text, err)
			}
			if !ok || now != client {
				return nil
			}
		}
		_, err := d.db.ExecContext(ctx, "KILL "+text)
		if mysqlconn.IsNoSuchThread(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("end connection %s: %w", text, mysqlconn.Fault(err, "destination"))
		}
		if time.Now().After(deadline) {
			return fault.ConnectionStays.New("connection "+text, "")
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// killPhysical ends "<thread>@<ip>:<port>", a connection of the middleware to a
// data node (drs.md 8.8).
func (d *Destination) killPhysical(ctx context.Context, id string) error {
	for deadline := time.Now().Add(endPatience); ; {
		there, err := d.hasPhysical(ctx, id)
		if err != nil || !there {
			return err
		}
		if _, err := d.db.ExecContext(ctx, "kill physical "+id); err != nil && !mysqlconn.IsNoSuchThread(err) {
			return fmt.Errorf("end a physical connection: %w", mysqlconn.Fault(err, "destination"))
		}
		if time.Now().After(deadline) {
			return fault.ConnectionStays.New("a physical connection", "")
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

func (d *Destination) hasPhysical(ctx context.Context, id string) (bool, error) {
	list, err := records(ctx, d.db, "SHOW PHYSICAL PROCESSLIST")
	if err != nil {
		return false, fmt.Errorf("list physical connections: %w", err)
	}
	for _, r := range list {
		if r.physicalID() == id {
			return true, nil
		}
	}
	return false, nil
}

func (r record) physicalID() string {
	return r["id"] + "@" + r["ip"] + ":" + r["port"]
}

// PhysicalID names, for Kill, the middleware's connection to a physical shard
// whose thread number the shard's @@pseudo_thread_id told (a middleware answers
// CONNECTION_ID() itself, variables are the data node's: D-41); empty when the
// middleware lists no such connection.
func (d *Destination) PhysicalID(ctx context.Context, schema string, shard int, thread string) (string, error) {
	processes, err := records(ctx, d.db, "SHOW PHYSICAL PROCESSLIST")
	if err != nil {
		return "", fmt.Errorf("list physical connections: %w", err)
	}
	name := fmt.Sprintf("%s_%04d", schema, shard)
	for _, p := range processes {
		if p["id"] == thread && strings.EqualFold(p["db"], name) {
			return p.physicalID(), nil
		}
	}
	return "", nil
}
