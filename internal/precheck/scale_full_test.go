//go:build full

package precheck

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/testdb"
)

// TestItems_TenThousandTablesInTwoMinutes: all items, four at a time as the
// workflow runs them, over one connection per side.
func TestItems_TenThousandTablesInTwoMinutes(t *testing.T) {
	const tables = 10_000
	small := []string{"--innodb-buffer-pool-size=256M", "--skip-log-bin", "--table-open-cache=4000", "--table-definition-cache=4000"}
	f := serverFixture(t, testdb.Own(t, "mysql97", append(small[:1:1], small[2:]...)...), testdb.Own(t, "mysql97", small...))
	begin := time.Now()
	var makers sync.WaitGroup
	for _, db := range f.bothSides() {
		makers.Go(func() {
			for i := range tables {
				create := fmt.Sprintf("CREATE TABLE t%05d (id BIGINT AUTO_INCREMENT PRIMARY KEY, a VARCHAR(20), e ENUM('x', 'y'), at DATETIME, body LONGTEXT, UNIQUE KEY u (a))", i)
				if _, err := db.ExecContext(t.Context(), create); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	makers.Wait()
	var some []string
	for i := range tables / 10 {
		some = append(some, fmt.Sprintf("INSERT INTO t%05d (a, e, at) VALUES ('a', 'x', NOW()), ('b', 'y', NOW())", i))
	}
	f.onSource(strings.Join(some, "; "))
	t.Logf("made in %s", time.Since(begin).Round(time.Second))

	pool := NewPool()
	refs := Items(f.config.Spec.Type)
	begin = time.Now()
	results := make([]contract.PrecheckItemResult, len(refs))
	places := make(chan struct{}, 4)
	var running sync.WaitGroup
	for i, ref := range refs {
		running.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			from := time.Now()
			var err error
			if results[i], err = pool.Run(t.Context(), f.config, 1, ref.Code); err != nil {
				t.Errorf("%s: %v", ref.Code, err)
			}
			if took := time.Since(from); took > time.Second {
				t.Logf("%s took %s", ref.Code, took.Round(100*time.Millisecond))
			}
		})
	}
	running.Wait()
	took := time.Since(begin)
	require.NoError(t, pool.Close())
	t.Logf("%d items over %d tables in %s", len(refs), tables, took.Round(100*time.Millisecond))
	require.Less(t, took, 2*time.Minute)
	for _, r := range results {
		require.NotEqual(t, contract.Failed, r.Verdict, "%s: %s: %v", r.Code, r.Reason, r.Evidence)
	}
}
