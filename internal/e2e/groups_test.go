package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
	"shardlift/internal/testdb"
	"shardlift/web/api"
)

func parks() *api.Policy { return &api.Policy{TableError: new("park")} }

// apart waits until a table stands apart in a state and returns its group.
func (m *move) apart(table, state string) (found api.TableGroup) {
	m.t.Helper()
	m.eventually(time.Minute, table+" "+state, func() bool {
		task := m.show()
		require.False(m.t, strings.HasSuffix(task.Status, "_FAILED"), "%+v", task.LastError)
		if task.Groups == nil {
			return false
		}
		for _, g := range *task.Groups {
			if g.Tables[0].Table == table && string(g.State) == state && g.Position != nil { // a group without one is still being parked
				found = g
				return true
			}
		}
		return false
	})
	return found
}

// together waits until every table that was not dropped is the task's again.
func (m *move) together() {
	m.t.Helper()
	m.eventually(2*time.Minute, "no table apart", func() bool {
		task := m.show()
		require.False(m.t, strings.HasSuffix(task.Status, "_FAILED"), "%+v", task.LastError)
		if task.Groups == nil {
			return false // no worker answers now
		}
		for _, g := range *task.Groups {
			require.NotEqual(m.t, "parked", string(g.State), "%+v", g.Error)
			if g.State != "dropped" {
				return false
			}
		}
		return true
	})
}

// goesOnWithout waits until the task has applied all that the source has now, but
// for tables that stand apart: it says that it is not synced.
func (m *move) goesOnWithout(limit time.Duration) {
	m.t.Helper()
	var point *api.SyncPoint
	m.eventually(limit, "apply of the other tables", func() bool {
		if point == nil {
			if answer, err := m.api.CreateSyncPointWithResponse(m.t.Context(), m.id); err == nil {
				point = answer.JSON201
			}
			return false
		}
		i := m.show().Incremental
		if i.Applied == nil || i.Synced == nil {
			return false
		}
		require.False(m.t, *i.Synced)
		at := point.Position
		return i.Applied.File > at.File || i.Applied.File == at.File && i.Applied.Position >= at.Position
	})
	answer, err := m.api.GetSyncPointWithResponse(m.t.Context(), m.id, point.Number)
	require.NoError(m.t, err)
	require.False(m.t, answer.JSON200 != nil && answer.JSON200.Reached)
}

func (m *move) changeTables(kind, schema, table, more string) {
	m.t.Helper()
	m.must("tables", fmt.Sprintf(`{"kind":"%s","tables":[{"schema":"%s","table":"%s"%s}]}`, kind, schema, table, more))
}

// TestGroups_ATableThatFailsWaitsWhileTheOthersGoOn: the destination refuses the
// values of one table, which is parked while the others stay synced under writes
// and a killed worker; repaired and retried it comes back, and every row is
// equal. Then a table of another schema joins while everything is written.
func TestGroups_ATableThatFailsWaitsWhileTheOthersGoOn(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	worker := s.worker()
	m := s.newMove("mysql97", moveOptions{rows: 2000, sharded: true, policy: parks()})
	m.provoked = append(m.provoked, fault.ValueRefused.Code)
	m.begin()
	m.await(2*time.Minute, "INCRE_TRANSFER_STARTED")
	m.synced(time.Minute)
	m.exec(m.dst, "ALTER TABLE plain MODIFY v VARCHAR(3)")
	stop := m.traffic(2)
	defer stop()

	parked := m.apart("plain", "parked")
	require.NotEmpty(t, parked.Error.Code)
	require.NotNil(t, parked.Position)
	m.goesOnWithout(time.Minute)
	task := m.show()
	require.Equal(t, "INCRE_TRANSFER_STARTED", task.Status)
	require.Equal(t, 1, *m.whole().Tables.Parked)
	code, text := m.post("stop", "")
	require.Equal(t, http.StatusConflict, code, text)
	require.Contains(t, text, fault.GroupsOpen.Code)
	worker.kill()
	worker = s.worker()
	m.goesOnWithout(time.Minute)

	m.exec(m.dst, "ALTER TABLE plain MODIFY v VARCHAR(40)")
	m.must("retry", `{"table":"`+m.schema+`.plain"}`)
	m.together()
	m.synced(time.Minute)

	other, writes := m.another()
	m.changeTables("add", other, "extra", `,"to_schema":"`+m.to+`","to_table":"extra_here"`)
	worker.kill()
	s.worker()
	m.together()
	writes()
	stop()
	m.synced(time.Minute)
	m.requireEqual()
	source := testdb.Get(t, "mysql97").DB(t, other)
	require.Equal(t, m.rows(source, "extra"), m.rows(m.dst, "extra_here"))
	require.Equal(t, len(tables)+1, *m.whole().Tables.Total)

	m.must("stop", "")
	m.await(time.Minute, "RELEASE_RESOURCE_COMPLETE")
	m.requireEqual()
	m.requireFreshIDs()
	require.False(t, m.report().Incomplete)
}

// another makes a schema with a table that is written until the function that it
// returns is called, and its counterpart on the destination.
func (m *move) another() (schema string, stop func()) {
	m.t.Helper()
	server := testdb.Get(m.t, "mysql97")
	schema = server.Schema(m.t)
	db := server.DB(m.t, schema)
	const columns = "(id BIGINT NOT NULL AUTO_INCREMENT, v VARCHAR(40), PRIMARY KEY (id))" + charset
	m.exec(db, "CREATE TABLE extra "+columns)
	m.exec(m.dst, "CREATE TABLE extra_here "+columns)
	for range 5 {
		m.exec(db, "INSERT INTO extra (v) VALUES "+strings.TrimSuffix(strings.Repeat("('x'),", 300), ","))
	}
	m.exec(db, fmt.Sprintf("GRANT SELECT, SHOW VIEW, EVENT, LOCK TABLES ON `%s`.* TO '%s'@'%%'", schema, m.user))
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() { writeExtra(m.t.Context(), db, done) })
	stop = sync.OnceFunc(func() { close(done); wg.Wait() })
	m.t.Cleanup(stop)
	return schema, stop
}

func writeExtra(ctx context.Context, db *sql.DB, done <-chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-done:
			return
		default:
		}
		for _, statement := range []string{
			fmt.Sprintf("INSERT INTO extra (v) VALUES ('n%d')", i), fmt.Sprintf("UPDATE extra SET v = 'u%d' WHERE id = %d", i, 1+i%1400),
			fmt.Sprintf("DELETE FROM extra WHERE id = %d", 1+(7*i)%1500),
		} {
			_, _ = db.ExecContext(ctx, statement) // the end of the test may cut it
		}
	}
}

func (m *move) report() api.Report {
	m.t.Helper()
	var answer *api.GetReportResponse
	m.eventually(time.Minute, "the report", func() bool {
		var err error
		answer, err = m.api.GetReportWithResponse(m.t.Context(), m.id)
		require.NoError(m.t, err)
		return answer.StatusCode() != http.StatusServiceUnavailable
	})
	require.NotNil(m.t, answer.JSON200, "%s", answer.Body)
	return *answer.JSON200
}

// TestGroups_RecopyMakesATableAnewAndDropLeavesIt: rows that somebody damaged on
// the destination while the table was parked are made good by a recopy; a table
// that is dropped stays as it is, and the report names it.
func TestGroups_RecopyMakesATableAnewAndDropLeavesIt(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.worker()
	m := s.newMove("mysql97", moveOptions{rows: 500, policy: parks()})
	m.provoked = append(m.provoked, fault.ValueRefused.Code)
	m.begin()
	m.await(2*time.Minute, "INCRE_TRANSFER_STARTED")
	m.synced(time.Minute)
	refuse := func() {
		m.exec(m.dst, "DELETE FROM plain")
		m.exec(m.dst, "ALTER TABLE plain MODIFY v VARCHAR(3)")
		m.exec(m.db, "UPDATE plain SET v = 'a long one'")
		m.exec(m.db, "UPDATE plain SET v = CONCAT(v, id)")
	}
	refuse()
	m.apart("plain", "parked")
	m.exec(m.dst, "ALTER TABLE plain MODIFY v VARCHAR(40)")
	m.exec(m.dst, "INSERT INTO plain (id, v) VALUES (1, 'wrong'), (77, 'of nobody') ON DUPLICATE KEY UPDATE v = 'wrong'")
	stop := m.traffic(1)
	defer stop()
	m.changeTables("recopy", m.schema, "plain", "")
	m.together()
	stop()
	m.synced(time.Minute)
	m.requireEqual()

	refuse()
	m.apart("plain", "parked")
	m.changeTables("drop", m.schema, "plain", "")
	m.together()
	m.synced(time.Minute)
	require.NotEqual(t, m.rows(m.db, "plain"), m.rows(m.dst, "plain"))
	m.must("stop", "")
	m.await(time.Minute, "RELEASE_RESOURCE_COMPLETE")
	report := m.report()
	require.False(t, report.Incomplete)
	require.Contains(t, strings.Join(report.Warnings, "\n"), m.schema+".plain")
	require.Equal(t, m.rows(m.db, "people"), m.rows(m.dst, "people"))
}
