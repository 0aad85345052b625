//go:build full

package e2e

import (
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/web/api"
)

// What docs/limits.md promises, in MiB of resident memory at the peak.
const (
	workerMiB = 512
	webMiB    = 128
)

// large makes a table of large rows on both sides.
func (m *move) large() {
	m.t.Helper()
	for _, db := range []*sql.DB{m.db, m.dst} {
		m.exec(db, "CREATE TABLE large (id BIGINT NOT NULL, body LONGBLOB, PRIMARY KEY (id))"+charset)
	}
}

// requireSameLarge compares the large rows by key, length and checksum, each
// side computed by its own server.
func (m *move) requireSameLarge() {
	m.t.Helper()
	read := func(db *sql.DB) (out []string) {
		rows, err := db.QueryContext(m.t.Context(), "SELECT CONCAT_WS(' ', id, LENGTH(body), SHA2(body, 256)) FROM large ORDER BY id")
		require.NoError(m.t, err)
		defer func() { require.NoError(m.t, rows.Close()) }()
		for rows.Next() {
			var text string
			require.NoError(m.t, rows.Scan(&text))
			out = append(out, text)
		}
		require.NoError(m.t, rows.Err())
		return out
	}
	there := read(m.db)
	require.NotEmpty(m.t, there)
	require.Equal(m.t, there, read(m.dst))
}

// blob is a value of this many MiB that no compression shortens to nothing and
// that holds every byte.
func blob(mib int, seed any) string {
	return fmt.Sprintf("REPEAT(CONCAT(UNHEX(SHA2('%v', 512)), UNHEX('00275c0a')), %d)", seed, mib<<20/68)
}

// TestLimits_LargeRows copies and follows rows of 1 MiB, with one worker below
// its memory limit.
func TestLimits_LargeRows(t *testing.T) {
	s := newSystem(t)
	worker := s.worker()
	m := s.newMove("mysql97", moveOptions{rows: 100})
	m.large()
	for id := range 200 {
		m.exec(m.db, fmt.Sprintf("INSERT INTO large VALUES (%d, %s)", id, blob(1, id)))
	}
	m.begin()
	began := time.Now()
	m.await(3*time.Minute, "INCRE_TRANSFER_STARTED")
	t.Logf("200 rows of 1 MiB copied in %.1f s; worker at most %d MiB", time.Since(began).Seconds(), worker.peakMiB())
	m.synced(time.Minute)
	m.exec(m.db, "UPDATE large SET body = CONCAT(body, 'x') WHERE id < 100")
	m.exec(m.db, "DELETE FROM large WHERE id > 150")
	m.synced(2 * time.Minute)
	m.requireSameLarge()
	t.Logf("100 changes of rows of 1 MiB applied; worker at most %d MiB", worker.peakMiB())
	require.Less(t, worker.peakMiB(), workerMiB)
}

// TestLimits_LargestRows copies and follows single rows up to 64 MiB, which are
// 128 MiB in hexadecimal. A change of a row is in memory as its
// two images, the statement in hexadecimal, the driver's packet and the buffer of
// the stream, which doubles as it grows: the largest ones need more than a
// worker has otherwise.
func TestLimits_LargestRows(t *testing.T) {
	for _, size := range []struct{ mib, limit int }{{16, workerMiB}, {32, workerMiB}, {64, 1280}} {
		t.Run(fmt.Sprint(size.mib, "MiB"), func(t *testing.T) {
			s := newSystem(t)
			worker := s.start("shardlift-worker", "--memory", "512")
			m := s.newMove("mysql97", moveOptions{rows: 100})
			m.large()
			m.exec(m.db, fmt.Sprintf("INSERT INTO large VALUES (1, %s)", blob(size.mib, 1)))
			m.begin()
			m.await(3*time.Minute, "INCRE_TRANSFER_STARTED")
			m.synced(time.Minute)
			copied := worker.peakMiB()
			m.exec(m.db, fmt.Sprintf("INSERT INTO large VALUES (2, %s)", blob(size.mib, 2)))
			m.exec(m.db, "UPDATE large SET body = CONCAT('x', body) WHERE id = 1")
			m.synced(2 * time.Minute)
			m.requireSameLarge()
			t.Logf("rows of %d MiB: worker at most %d MiB in the copy, %d MiB in all", size.mib, copied, worker.peakMiB())
			require.Less(t, worker.peakMiB(), size.limit)
		})
	}
}

// TestLimits_TransactionOfAnySize follows one transaction of 300 MB, which is
// far more than a worker may hold.
func TestLimits_TransactionOfAnySize(t *testing.T) {
	s := newSystem(t)
	worker := s.worker()
	m := s.newMove("mysql97", moveOptions{rows: 1000})
	m.large()
	m.begin()
	m.await(time.Minute, "INCRE_TRANSFER_STARTED")
	m.synced(time.Minute)
	const rows, each = 30_000, 10_000
	values := make([]string, 0, 100)
	tx, err := m.db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback() }()
	for id := range rows {
		values = append(values, fmt.Sprintf("(%d, REPEAT(UNHEX(SHA2('%d', 256)), %d))", id, id, each/32))
		if len(values) == cap(values) {
			_, err := tx.ExecContext(t.Context(), "INSERT INTO large VALUES "+strings.Join(values, ","))
			require.NoError(t, err)
			values = values[:0]
		}
	}
	began := time.Now()
	require.NoError(t, tx.Commit())
	m.synced(5 * time.Minute)
	t.Logf("a transaction of %d MB applied in %.1f s; worker at most %d MiB", rows*each/1_000_000, time.Since(began).Seconds(), worker.peakMiB())
	m.requireSameLarge()
	require.Less(t, worker.peakMiB(), workerMiB)
}

// TestLimits_ThousandTables moves a thousand tables in one task.
func TestLimits_ThousandTables(t *testing.T) {
	s := newSystem(t)
	worker := s.worker()
	m := s.newMove("mysql97", moveOptions{rows: 100})
	for n := range 1000 - len(tables) {
		for _, db := range []*sql.DB{m.db, m.dst} {
			m.exec(db, fmt.Sprintf("CREATE TABLE many%03d (id INT NOT NULL, v VARCHAR(20), PRIMARY KEY (id))%s", n, charset))
		}
		m.exec(m.db, fmt.Sprintf("INSERT INTO many%03d VALUES (%d, 'first')", n, n))
	}
	began := time.Now()
	m.begin()
	t.Logf("pre-check of 1,000 tables in %.1f s", time.Since(began).Seconds())
	began = time.Now()
	m.await(5*time.Minute, "INCRE_TRANSFER_STARTED")
	t.Logf("1,000 small tables planned and copied in %.1f s", time.Since(began).Seconds())
	for n := range 1000 - len(tables) {
		m.exec(m.db, fmt.Sprintf("INSERT INTO many%03d VALUES (%d, 'second')", n, n+1))
	}
	m.synced(2 * time.Minute)
	seen := map[string]bool{}
	slowest := time.Duration(0)
	for cursor, pages := (*string)(nil), 0; ; pages++ {
		require.Less(t, pages, 100)
		at := time.Now()
		page, err := m.api.ListTablesWithResponse(t.Context(), m.id, &api.ListTablesParams{Cursor: cursor})
		slowest = max(slowest, time.Since(at))
		require.NoError(t, err)
		require.NotNil(t, page.JSON200, "%s", page.Body)
		for _, one := range page.JSON200.Tables {
			seen[one.Table] = true
		}
		if cursor = page.JSON200.Next; cursor == nil {
			break
		}
	}
	require.Len(t, seen, 1000)
	for n := range 1000 - len(tables) {
		name := fmt.Sprintf("many%03d", n)
		require.Equal(t, m.rows(m.db, name), m.rows(m.dst, name), name)
	}
	m.requireEqual()
	total := m.show().Tables.Total
	require.NotNil(t, total)
	require.Equal(t, 1000, *total)
	t.Logf("slowest page of tables %d ms; show %d ms; worker at most %d MiB", slowest.Milliseconds(), timed(func() { m.show() }).Milliseconds(), worker.peakMiB())
	require.Less(t, worker.peakMiB(), workerMiB)
}

// TestLimits_SixteenTasksOnOneWorker follows sixteen sources' changes with one
// worker, and lists a hundred tasks.
func TestLimits_SixteenTasksOnOneWorker(t *testing.T) {
	s := newSystem(t)
	web := s.web()
	worker := s.worker()
	moves := make([]*move, 16)
	for i := range moves {
		moves[i] = s.newMove("mysql97", moveOptions{rows: 200})
		moves[i].begin()
		moves[i].await(2*time.Minute, "INCRE_TRANSFER_STARTED")
	}
	for _, m := range moves {
		stop := m.traffic(1)
		m.eventually(30*time.Second, "traffic", func() bool { return m.written.Load() > 20 })
		stop()
	}
	for _, m := range moves {
		m.synced(time.Minute)
		m.requireEqual()
		require.Equal(t, "INCRE_TRANSFER_STARTED", m.show().Status)
	}
	t.Logf("16 tasks in their incremental phase: worker at most %d MiB", worker.peakMiB())
	s.requireFastList(moves[0], 100-len(moves))
	t.Logf("web at most %d MiB", web.peakMiB())
	require.Less(t, web.peakMiB(), webMiB)
}

// TestLimits_DelayWhenCaughtUp writes a row, and looks when it is on the
// destination.
func TestLimits_DelayWhenCaughtUp(t *testing.T) {
	s := newSystem(t)
	s.worker()
	m := s.newMove("mysql97", moveOptions{sharded: true, rows: 1000})
	m.begin()
	m.await(time.Minute, "INCRE_TRANSFER_STARTED")
	m.synced(time.Minute)
	var delays []time.Duration
	for i := range 60 {
		id := 1_000_000 + i
		m.exec(m.db, fmt.Sprintf("INSERT INTO orders (id, person, total, at) VALUES (%d, %d, 1, NOW())", id, i))
		at := time.Now()
		tick := time.NewTicker(2 * time.Millisecond)
		for there := 0; there == 0; <-tick.C {
			require.NoError(t, m.dst.QueryRowContext(t.Context(), fmt.Sprintf("SELECT COUNT(*) FROM orders WHERE id = %d AND person = %d", id, i)).Scan(&there))
			require.Less(t, time.Since(at), 10*time.Second)
		}
		tick.Stop()
		if i >= 10 { // the first ones follow the copy in safe mode
			delays = append(delays, time.Since(at))
		}
	}
	slices.Sort(delays)
	t.Logf("a committed row is on the destination after %d ms (median), %d ms (highest of %d)", delays[len(delays)/2].Milliseconds(), delays[len(delays)-1].Milliseconds(), len(delays))
	require.Less(t, delays[len(delays)/2], 200*time.Millisecond)
	require.Less(t, delays[len(delays)-1], time.Second)
}

// requireFastList fills the list with tasks that were never started, and reads
// pages of a hundred and single tasks.
func (s *system) requireFastList(m *move, more int) {
	s.t.Helper()
	for i := range more {
		to, password := m.to, m.password
		answer, err := s.api.CreateTaskWithResponse(s.t.Context(), &api.CreateTaskParams{}, api.TaskFile{
			Version: 1, Name: fmt.Sprintf("listed-%03d", i), Type: "full",
			Source:      api.EndpointFile{Host: "192.0.2.1", User: "reader", Password: &password},
			Destination: api.EndpointFile{Host: "192.0.2.2", User: "writer", Password: &password},
			Objects:     []api.ObjectRule{{Schema: m.schema, To: &to}},
		})
		require.NoError(s.t, err)
		require.Equal(s.t, http.StatusCreated, answer.StatusCode(), "%s", answer.Body)
	}
	hundred := 100
	s.eventually(30*time.Second, "the list of 100 tasks", func() bool {
		answer, err := s.api.ListTasksWithResponse(s.t.Context(), &api.ListTasksParams{Limit: &hundred})
		return err == nil && answer.JSON200 != nil && len(answer.JSON200.Tasks) == hundred
	})
	list := median(20, func() {
		_, err := s.api.ListTasksWithResponse(s.t.Context(), &api.ListTasksParams{Limit: &hundred})
		require.NoError(s.t, err)
	})
	show := median(20, func() { m.show() })
	s.t.Logf("list of 100 tasks in %d ms, show in %d ms (medians)", list.Milliseconds(), show.Milliseconds())
	require.Less(s.t, list, 200*time.Millisecond)
	require.Less(s.t, show, 100*time.Millisecond)
}

func timed(f func()) time.Duration {
	at := time.Now()
	f()
	return time.Since(at)
}

func median(times int, f func()) time.Duration {
	out := make([]time.Duration, times)
	for i := range out {
		out[i] = timed(f)
	}
	slices.Sort(out)
	return out[times/2]
}

// web is the process that listens at the system's address.
func (s *system) web() *process {
	s.t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(s.t, err)
	for _, path := range found {
		line, _ := os.ReadFile(path) // it may have ended
		if !strings.Contains(string(line), strings.TrimPrefix(s.url, "http://")) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		require.NoError(s.t, err)
		return &process{s: s, cmd: &exec.Cmd{Process: &os.Process{Pid: pid}}}
	}
	s.t.Fatal("no process listens at the system's address")
	return nil
}
