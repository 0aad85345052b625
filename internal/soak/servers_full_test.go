//go:build faultpoint && full

package soak

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/ddmsim/simtest"
	"shardlift/internal/testdb"
)

// TestNode_DiskIsFull: a real server on a file system without room. Its writes
// wait or fail, or it ends itself (binlog_error_action); when somebody has made
// room and it runs again, the work goes on.
func TestNode_DiskIsFull(t *testing.T) {
	t.Parallel()
	node := testdb.Own(t, "mysql80")
	node.Stop(t)
	copied := filepath.Join(t.TempDir(), "data")
	require.NoError(t, exec.Command("cp", "-a", node.DataDir, copied).Run())
	mount := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=700m", "shardlift-test", node.DataDir)
	if out, err := mount.CombinedOutput(); err != nil {
		t.Skipf("no small file system can be mounted: %s", out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", node.DataDir).Run() })
	require.NoError(t, exec.Command("sh", "-c", `cp -a "$0"/. "$1"`, copied, node.DataDir).Run())
	node.Start(t)
	p := newPlaceOn(t, testdb.Get(t, "mysql97"), true, simtest.OnServers(node, testdb.Get(t, "mysql80")))
	p.named = map[kind]func(){full: func() {
		filler := filepath.Join(node.DataDir, "filler")
		file, err := os.Create(filler)
		require.NoError(t, err)
		for block := make([]byte, 1<<16); err == nil; {
			_, err = file.Write(block)
		}
		require.NoError(t, file.Close())
		pause(3 * time.Second)
		require.NoError(t, os.Remove(filler))
		if p.nodes[0].PingContext(t.Context()) != nil {
			node.Start(t)
		}
	}}
	p.moved(t, schedule{sharded: true}, trouble{Point: "copier.write.before", Nth: 2, Kind: full}, trouble{Point: "applier.write.before", Nth: 1, Kind: full})
}

// TestNode_ComesBackFromASnapshot: a data node is killed and comes back with an
// older copy of its files, as after a fail-over with loss.
func TestNode_ComesBackFromASnapshot(t *testing.T) {
	t.Parallel()
	node := testdb.Own(t, "mysql57")
	p := newPlaceOn(t, testdb.Get(t, "mysql97"), true, simtest.OnServers(testdb.Get(t, "mysql57"), node))
	copied := filepath.Join(t.TempDir(), "data")
	files := func(args ...string) {
		require.NoError(t, exec.Command("cp", args...).Run())
	}
	const keep, lose kind = "keep", "come back older"
	p.named = map[kind]func(){
		keep: func() { node.Stop(t); files("-a", node.DataDir, copied); node.Start(t) },
		lose: func() {
			p.forgot.Add(1)
			node.Kill(t)
			require.NoError(t, os.RemoveAll(node.DataDir))
			files("-a", copied, node.DataDir)
			node.Start(t)
		},
	}
	p.moved(t, schedule{sharded: true}, trouble{Point: "applier.save.after", Nth: 2, Kind: keep}, trouble{Point: "applier.save.after", Nth: 2, Kind: lose})
}
