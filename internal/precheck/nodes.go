package precheck

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"

	"shardlift/internal/destination"
	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
)

func nodeItems() []item {
	return []item{
		{code: "dstDataNodeStatus", group: groupTarget, title: "Data nodes are healthy", needs: onDestination, run: nodeStatus},
		{code: "dstDataNodeConsistency", group: groupTarget, title: "Data nodes are set alike", needs: onDestination, run: nodeSettings},
	}
}

// node is a data node behind the destination, by its place in the task file.
type node struct {
	name         string // "data node 1"; hosts are never told
	db           *sql.DB
	capabilities mysqlconn.Capabilities
	err          error // why it could not be asked
}

func (n *node) close() error {
	if n.db == nil {
		return nil
	}
	return n.db.Close()
}

func (n *node) variable(name string) string { return n.capabilities.VariableOr(name, "") }

// nodes connects to the data nodes that the task names, one connection each. A
// node that cannot be reached is among them, with its error.
func (e *Env) nodes(ctx context.Context) ([]*node, error) {
	return e.dataNodes.get(func() ([]*node, error) {
		out := make([]*node, len(e.config.Nodes))
		var all sync.WaitGroup
		for i, c := range e.config.Nodes {
			out[i] = &node{name: fmt.Sprintf("data node %d", i+1)}
			all.Go(func() { out[i].open(ctx, c) })
		}
		all.Wait()
		return out, ctx.Err()
	})
}

func (n *node) open(ctx context.Context, c mysqlconn.Config) {
	c.MaxConnections = 1
	c.ReadTimeout = itemTime
	if n.db, n.err = mysqlconn.Open(ctx, c); n.err != nil {
		return
	}
	n.capabilities, n.err = mysqlconn.Probe(ctx, n.db)
}

// answering are the nodes that could be asked.
func answering(nodes []*node) []*node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n *node) bool { return n.err != nil })
}

const nameNodes = "name every data node in destination.data_nodes of the task file (host, port, user with PROCESS and REPLICATION CLIENT, password)"

// nodeStatus wants every node up, writable and no replica whose threads stand
// still (PC-11). Without data_nodes nobody here sees them.
func nodeStatus(ctx context.Context, e *Env) (finding, error) {
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	nodes, err := e.nodes(ctx)
	if err != nil {
		return finding{}, err
	}
	switch {
	case len(nodes) == 0 && plain(d):
		return pass("%s is one server, without data nodes", d.Info().Kind), nil
	case len(nodes) == 0:
		return alarm("health, replication, connections and character sets of the data nodes are not seen, because the task names none",
			"see in the console of the provider that they are up, their standbys replicate and their character set is utf8mb4, and confirm; or "+nameNodes), nil
	}
	var g graded
	for _, n := range nodes {
		if n.err != nil {
			g.fail("%s: %s", n.name, plainError(n.err))
			continue
		}
		for _, name := range []string{"super_read_only", "read_only"} {
			if n.capabilities.IsOn(name) {
				g.fail("%s: %s is on", n.name, name)
				break
			}
		}
		if err := g.replication(ctx, n); err != nil {
			return finding{}, err
		}
	}
	if missing, err := e.nodesUnnamed(ctx, d, nodes); err != nil {
		return finding{}, err
	} else if missing > 0 {
		g.alarm("%d data nodes of the destination are not named in destination.data_nodes", missing)
	}
	return g.finding(fmt.Sprintf("%d data nodes answer and can be written", len(nodes)), "data nodes are not healthy", "the state of data nodes is not fully seen",
		"repair the nodes, or correct destination.data_nodes to their primaries; for a stopped replica: START REPLICA; SHOW REPLICA STATUS;"), nil
}

// replication looks at a node as a replica: it may be one of another site, but
// then its threads must run.
func (g *graded) replication(ctx context.Context, n *node) error {
	status, err := replicaStatus(ctx, &server{db: n.db, capabilities: n.capabilities})
	if mysqlconn.IsAccessDenied(err) {
		g.alarm("%s: the account may not see its replication", n.name)
		return nil
	}
	if err != nil {
		return err
	}
	for _, r := range status {
		for _, thread := range [][]string{{"replica_io_running", "slave_io_running"}, {"replica_sql_running", "slave_sql_running"}} {
			if state := r[thread[0]] + r[thread[1]]; !strings.EqualFold(state, "Yes") {
				g.fail("%s: %s is %s", n.name, thread[0], state)
			}
		}
	}
	return nil
}

// plainError is what is wrong, without code and cause.
func plainError(err error) string {
	if f, ok := fault.As(err); ok {
		return f.Message
	}
	return err.Error()
}

// nodesUnnamed counts the servers that DDM lists and the task does not. Nobody
// is told their addresses; a node that goes by another name counts as unnamed.
func (e *Env) nodesUnnamed(ctx context.Context, d *destination.Destination, nodes []*node) (int, error) {
	if !isDDM(d) {
		return 0, nil
	}
	listed := map[string]bool{}
	for _, schema := range e.config.Spec.Objects.DestinationSchemas() {
		rows, err := inSchema(ctx, d, schema, "SHOW DATA NODE")
		if refused(err) {
			continue
		}
		if err != nil {
			return 0, mysqlconn.Fault(err, schema)
		}
		for _, r := range rows {
			listed[r["host"]+":"+r["port"]] = true
		}
	}
	return max(0, len(listed)-len(nodes)), nil
}

// nodeSettings compares what must be equal on all nodes, or a row is stored
// otherwise from shard to shard.
func nodeSettings(ctx context.Context, e *Env) (finding, error) {
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	nodes, err := e.nodes(ctx)
	if err != nil {
		return finding{}, err
	}
	if nodes = answering(nodes); len(nodes) == 0 {
		return pass("no data nodes to compare (dstDataNodeStatus says whether they are seen)"), nil
	}
	var g graded
	for _, name := range []string{"version", "character_set_server", "collation_server", "lower_case_table_names", "sql_mode", "time_zone", "max_allowed_packet", "innodb_strict_mode"} {
		for _, n := range nodes[1:] {
			if a, b := nodes[0].variable(name), n.variable(name); a != b {
				g.alarm("%s: %s is %s, on %s %s", nodes[0].name, name, a, n.name, b)
			}
		}
	}
	for _, n := range nodes {
		if set := n.variable("character_set_server"); isDDM(d) && !slices.Contains(ddmCharsets, set) && set != "utf8mb3" {
			g.fail("%s: character_set_server is %s", n.name, set)
		}
		if isDDM(d) && n.variable("lower_case_table_names") == "0" {
			g.alarm("%s: lower_case_table_names is 0; DDM's data nodes have 1", n.name)
		}
		if n.capabilities.Flavor == position.MySQL && n.capabilities.Number < 50700 {
			g.alarm("%s: MySQL %s; DDM's data nodes are 5.7 or 8.0", n.name, n.capabilities.Version)
		}
	}
	return g.finding(fmt.Sprintf("%d data nodes are set alike", len(nodes)), "data nodes have settings that DDM does not take", "data nodes differ in their settings",
		"SET GLOBAL <variable> = <the same value on each node>; and in their configuration files (DDM: one parameter template for all)"), nil
}
