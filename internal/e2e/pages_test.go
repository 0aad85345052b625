//go:build full

package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/web/api"
)

// pageLimit bounds the median of each page of a task of 1,000 tables on a quiet
// machine of two cores.
const pageLimit = 100 * time.Millisecond

// TestPages_OfManyTables asks for every page of a task of SHARDLIFT_E2E_TABLES
// tables (1,000), twenty times each.
func TestPages_OfManyTables(t *testing.T) {
	number := 1000
	if text := os.Getenv("SHARDLIFT_E2E_TABLES"); text != "" {
		var err error
		number, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	s := newSystem(t)
	s.worker()
	m := s.newMove("mysql97", moveOptions{rows: 10})
	for n := range number - len(tables) {
		for _, db := range []*sql.DB{m.db, m.dst} {
			m.exec(db, fmt.Sprintf("CREATE TABLE many%05d (id INT NOT NULL, v VARCHAR(20), PRIMARY KEY (id))%s", n, charset))
		}
	}
	m.begin()
	m.await(time.Duration(number)*time.Second, "INCRE_TRANSFER_STARTED")
	m.synced(time.Minute)
	m.must("compare", `{"type":"rows"}`)
	s.eventually(time.Duration(number)*time.Second, "comparison", func() bool {
		c := m.show().Comparison
		return c != nil && c.FinishedAt != nil
	})
	path := "/api/v1/tasks/" + m.id
	all := 1000
	last, err := m.api.ListTablesWithResponse(t.Context(), m.id, &api.ListTablesParams{Limit: &all})
	require.NoError(t, err)
	require.NotNil(t, last.JSON200, "%s", last.Body)
	require.Len(t, last.JSON200.Tables, min(all, number))
	for _, page := range []string{
		"/", "/api/v1/tasks", path, path + "/tables", path + "/tables?limit=1000", path + "/tables?cursor=" + strconv.Itoa(max(number-50, 1)),
		path + "/precheck", path + "/precheck/samples", path + "/logs", path + "/history", path + "/comparisons", path + "/comparisons/c1",
		path + "/comparisons/c1?limit=1000", "/api/v1/version",
	} {
		took := median(20, func() { m.get(page) })
		t.Logf("%5d ms %s", took.Milliseconds(), strings.ReplaceAll(page, m.id, "ID"))
		if number <= all && !strings.Contains(page, "limit=1000") {
			require.Less(t, took, pageLimit, page)
		}
	}
}

// get reads a page to its end.
func (m *move) get(path string) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.url+path, nil)
	require.NoError(m.t, err)
	for _, edit := range m.api.ClientInterface.(*api.Client).RequestEditors {
		require.NoError(m.t, edit(ctx, request))
	}
	answer, err := http.DefaultClient.Do(request)
	require.NoError(m.t, err)
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	require.NoError(m.t, err)
	require.Equal(m.t, http.StatusOK, answer.StatusCode, "%s: %s", path, body)
}
