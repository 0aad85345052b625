package precheck

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"shardlift/internal/destination"
	"shardlift/internal/mysqlconn"
)

func capacityItems() []item {
	return []item{
		{code: "srcConnectionHeadroom", group: groupSource, title: "Source has connections left", needs: onSource, skippable: true, run: sourceConnections},
		{code: "dstConnectionHeadroom", group: groupTarget, title: "Destination has connections left", needs: onDestination, skippable: true, run: destinationConnections},
		{code: "dstDbDiskSize", group: groupDisk, title: "Destination has room for the rows", needs: onBoth, skippable: true, run: diskSize},
	}
}

// Connections of a task whose file names no number (task.SetDefaults).
const (
	usualSource      = 10
	usualDestination = 16
)

func sourceConnections(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	h, err := readHeadroom(ctx, s.db)
	if err != nil {
		return finding{}, err
	}
	return h.judge(orElse(e.config.Spec.Source.MaxConnections, usualSource), "source"), nil
}

func orElse(n, usual int) int64 {
	if n == 0 {
		n = usual
	}
	return int64(n)
}

// destinationConnections (PC-D22): a statement without the sharding key takes a
// connection of each shard. What DDM says of itself are its data nodes' values,
// so these are asked.
func destinationConnections(ctx context.Context, e *Env) (finding, error) {
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	needed := orElse(e.config.Spec.Destination.MaxConnections, usualDestination)
	if plain(d) {
		h, err := readHeadroom(ctx, d.DB())
		return h.judge(needed, "destination"), err
	}
	nodes, err := e.nodes(ctx)
	if err != nil {
		return finding{}, err
	}
	if nodes = answering(nodes); len(nodes) == 0 {
		return pass("the middleware does not tell its connections, no data node is named (dstDataNodeStatus)"), nil
	}
	shards := 0
	for _, schema := range e.config.Spec.Objects.DestinationSchemas() {
		n, err := d.Shards(ctx, schema)
		if err != nil {
			return finding{}, err
		}
		shards = max(shards, n)
	}
	needed += int64((shards + len(nodes) - 1) / len(nodes))
	var g graded
	for _, n := range nodes {
		h, err := readHeadroom(ctx, n.db)
		switch {
		case err != nil:
			return finding{}, err
		case !h.known:
		case h.most < needed:
			g.fail("%s: %d at most, %d needed", n.name, h.most, needed)
		case h.left < needed:
			g.alarm("%s: %d left now, %d needed", n.name, h.left, needed)
		}
	}
	return g.finding(fmt.Sprintf("every data node has the %d connections that the task may take", needed), "data nodes have too few connections", "data nodes have too few connections left now",
		connectionsRemedy("destination")), nil
}

func connectionsRemedy(side string) string {
	return "SET GLOBAL max_connections = <more>; or ALTER USER … WITH MAX_USER_CONNECTIONS <more>; or set " + side + ".max_connections lower in the task file"
}

// headroom is how many connections a server lets the account have, and how many
// are left now, the one that asks included.
type headroom struct {
	known      bool
	most, left int64
}

func readHeadroom(ctx context.Context, q mysqlconn.Querier) (h headroom, err error) {
	number := func(query, column string) int64 {
		rows, e := records(ctx, q, query)
		if e != nil && !refused(e) {
			err = mysqlconn.Fault(e, "connections")
		}
		if e != nil || len(rows) == 0 {
			return -1
		}
		n, e := strconv.ParseInt(rows[0][column], 10, 64)
		if e != nil {
			return -1
		}
		return n
	}
	most := number("SELECT @@GLOBAL.max_connections AS n", "n")
	used := number("SHOW GLOBAL STATUS LIKE 'Threads_connected'", "value")
	account := number("SELECT @@SESSION.max_user_connections AS n", "n") // the account's own limit
	if most >= 0 && used >= 0 {
		h = headroom{true, most, most - used + 1}
	}
	if account > 0 && (!h.known || account < h.most) {
		h = headroom{true, account, account}
	}
	return h, err
}

// judge: what is connected now may be gone when the task starts.
func (h headroom) judge(needed int64, side string) finding {
	switch {
	case !h.known:
		return pass("the %s does not tell its connections", side)
	case h.most < needed:
		return fail(fmt.Sprintf("the %s lets the account have %d connections, the task may take %d", side, h.most, needed), connectionsRemedy(side))
	case h.left < needed:
		return alarm(fmt.Sprintf("the %s has %d connections left now, the task may take %d", side, h.left, needed), connectionsRemedy(side))
	default:
		return pass("the %s has %d connections left, the task may take %d", side, h.left, needed)
	}
}

// Disk space that DRS wants (PC-14): 2.5 times the source's data, at most 200
// GiB more than it. Below 1 GiB nobody needs to look.
const (
	diskMargin   = 200 << 30
	diskOfNoNote = 1 << 30
)

func diskNeeded(data int64) int64 { return min(data*5/2, data+diskMargin) }

// diskSize (PC-14, PC-15): MySQL tells no free space; MariaDB does with its
// plugin disks.
func diskSize(ctx context.Context, e *Env) (finding, error) {
	pairs, err := e.present(ctx)
	if err != nil {
		return finding{}, err
	}
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	nodes, err := e.nodes(ctx)
	if err != nil {
		return finding{}, err
	}
	var data int64
	for _, p := range pairs {
		data += max(p.source.Bytes, 0)
	}
	needed := diskNeeded(data)
	if needed < diskOfNoNote {
		return pass("the rows need about %s, indexes and binlog included", size(needed)), nil
	}
	return e.disks(ctx, d, answering(nodes), needed)
}

func (e *Env) disks(ctx context.Context, d *destination.Destination, nodes []*node, needed int64) (finding, error) {
	remedy := fmt.Sprintf("enlarge the disks, or clean them (it takes minutes to show); confirm when the data nodes together have %s free, spread as the rows will be", size(needed))
	asked := map[string]mysqlconn.Querier{}
	if plain(d) {
		asked["destination"] = d.DB()
	}
	for _, n := range nodes {
		asked[n.name] = n.db
	}
	each := needed / int64(max(len(asked), 1))
	var g graded
	for name, q := range asked {
		free, known, err := freeDisk(ctx, q)
		if err != nil {
			return finding{}, err
		}
		g.disk(name, free, known, each)
	}
	if len(asked) == 0 {
		g.alarm("the middleware does not tell its data nodes' disks; about %s are needed over all", size(needed))
	}
	return g.finding("there is room for about "+size(needed), "the disk of the destination is too small", "the free space of the destination is not known", remedy), nil
}

func (g *graded) disk(name string, free int64, known bool, needed int64) {
	switch {
	case !known:
		g.alarm("%s does not tell its free space; about %s are needed there", name, size(needed))
	case free < needed:
		g.fail("%s has %s free, about %s are needed", name, size(free), size(needed))
	}
}

// freeDisk asks MariaDB's plugin disks for the disk that holds the data.
func freeDisk(ctx context.Context, q mysqlconn.Querier) (free int64, known bool, err error) {
	rows, err := records(ctx, q, "SELECT Path AS path, Available AS free, @@datadir AS datadir FROM information_schema.DISKS")
	if refused(err) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, mysqlconn.Fault(err, "disks")
	}
	free, known = freeOf(rows)
	return free, known, nil
}

// freeOf finds the file system that the data directory stands on.
func freeOf(rows []record) (free int64, known bool) {
	longest := -1
	for _, r := range rows {
		n, err := strconv.ParseInt(r["free"], 10, 64)
		if err == nil && strings.HasPrefix(r["datadir"], r["path"]) && len(r["path"]) > longest {
			free, known, longest = n<<10, true, len(r["path"])
		}
	}
	return free, known
}

func size(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	default:
		return fmt.Sprintf("%d KiB", n>>10)
	}
}
