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
// wait or fail; when somebody makes room, the work goes on.
func TestNode_DiskIsFull(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=700m", "shardlift-test", dir).CombinedOutput(); err != nil {
		t.Skipf("no small file system can be mounted: %s", out)
	}
	defer func() { require.NoError(t, exec.Command("umount", dir).Run()) }()
	data := filepath.Join(dir, "server")
	node, err := testdb.Start(t.Context(), "mysql80", data)
	require.NoError(t, err)
	defer func() { _ = node.Close() }()
	p := newPlaceOn(t, testdb.Get(t, "mysql97"), true, simtest.OnServers(node, testdb.Get(t, "mysql80")))
	filler := filepath.Join(dir, "filler")
	p.named = map[kind]func(){full: func() {
		file, err := os.Create(filler)
		require.NoError(t, err)
		for block := make([]byte, 1<<20); err == nil; {
			_, err = file.Write(block)
		}
		require.NoError(t, file.Close())
		time.AfterFunc(3*time.Second, func() { _ = os.Remove(filler) })
	}}
	p.moved(t, schedule{sharded: true}, trouble{"copier.write.before", 2, full}, trouble{"applier.write.before", 1, full})
}

// TestNode_ComesBackFromASnapshot: a data node is killed and comes back with an
// older copy of its files, as after a fail-over with loss.
func TestNode_ComesBackFromASnapshot(t *testing.T) {
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
	p.moved(t, schedule{sharded: true}, trouble{"applier.save.after", 2, keep}, trouble{"applier.save.after", 2, lose})
}
