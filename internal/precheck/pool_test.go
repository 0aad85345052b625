package precheck

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/task"
)

func TestPool_ItemsOfOneRunShareAndAnotherRunLooksAgain(t *testing.T) {
	f := plainFixture(t, "mysql97")
	pool := NewPool()
	defer func() { require.NoError(t, pool.Close()) }()
	ask := func(code string) contract.Verdict {
		r, err := pool.Run(t.Context(), f.config, 1, code)
		require.NoError(t, err)
		return r.Verdict
	}
	f.onSource("CREATE TABLE a (id INT)")
	require.Equal(t, contract.Failed, ask("srcHasNoPkTable"))
	first := pool.envs[poolKey{f.config.TaskID, 1, false}]
	require.Equal(t, contract.Passed, ask("userSelectObjectsCheck"))
	require.Same(t, first, pool.envs[poolKey{f.config.TaskID, 1, false}], "one Env for a run")

	f.onSource("ALTER TABLE a ADD PRIMARY KEY (id)")
	require.Equal(t, contract.Passed, ask("srcHasNoPkTable"), "checking again sees the change")
	require.NotSame(t, first, pool.envs[poolKey{f.config.TaskID, 1, false}])
}

func TestPool_ItemsInParallelOverOneConnectionPerSide(t *testing.T) {
	f := plainFixture(t, "mysql80")
	f.both("CREATE TABLE a (id INT PRIMARY KEY)")
	user, password := f.source.Account(t, "SELECT, SHOW VIEW, EVENT, LOCK TABLES ON `"+f.from+"`.*", "REPLICATION SLAVE, REPLICATION CLIENT, PROCESS ON *.*")
	f.config.Source = configOf(f.source, user, password)
	run(t, f.source.DB(t, ""), []string{"ALTER USER '" + user + "'@'%' WITH MAX_USER_CONNECTIONS 1"})
	pool := NewPool()
	var all sync.WaitGroup
	for _, ref := range Items(task.FullIncremental) {
		all.Go(func() {
			_, err := pool.Run(context.Background(), f.config, 1, ref.Code)
			if err != nil {
				t.Errorf("%s: %v", ref.Code, err)
			}
		})
	}
	all.Wait()
	require.NoError(t, pool.Close())
	require.Empty(t, pool.envs)
}
