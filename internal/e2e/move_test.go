package e2e

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/ddmsim/simtest"
	"shardlift/internal/testdb"
	"shardlift/web/api"
)

// move is one task: its source schema, its destination, and the task itself.
type move struct {
	*system
	t              *testing.T
	id             string
	schema         string
	to             string
	db, dst        *sql.DB
	sim            *simtest.Sim // nil for a plain destination
	user, password string
	written        atomic.Int64
	// stopTraffic ends the writers of traffic.
	stopTraffic func()
	// provoked are errors that the test brings about, looked those that the
	// pre-check foresaw (foreseen_test.go).
	provoked, looked []string
}

// tables of every move, with what DDM adds. people has two unique keys besides
// its primary key; orders are sharded by a column that is not their key.
var tables = []struct{ name, columns, ddm string }{
	{"people", "(id BIGINT NOT NULL AUTO_INCREMENT, email VARCHAR(80) NOT NULL, badge INT, region INT NOT NULL, note VARCHAR(100), score DOUBLE, PRIMARY KEY (id), UNIQUE KEY email (email), UNIQUE KEY badge (badge))", "DBPARTITION BY MOD_HASH(region)"},
	{"orders", "(id BIGINT NOT NULL AUTO_INCREMENT, person BIGINT NOT NULL, total DECIMAL(12,2) NOT NULL, at DATETIME NOT NULL, doc BLOB, PRIMARY KEY (id))", "DBPARTITION BY MOD_HASH(person)"},
	{"items", "(order_id BIGINT NOT NULL, line INT NOT NULL, text VARCHAR(200), PRIMARY KEY (order_id, line))", "DBPARTITION BY MOD_HASH(order_id)"},
	{"regions", "(code INT NOT NULL, name VARCHAR(40), PRIMARY KEY (code))", "BROADCAST"},
	{"plain", "(id INT NOT NULL AUTO_INCREMENT, v VARCHAR(40), PRIMARY KEY (id))", ""},
}

const charset = " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci "

// moveOptions change a move before its task is created.
type moveOptions struct {
	sharded  bool
	rows     int
	fullOnly bool
	limits   *api.Limits
	policy   *api.Policy
}

// newMove makes both sides and the task.
func (s *system) newMove(sourceName string, o moveOptions) *move {
	t := s.t
	t.Helper()
	server := testdb.Get(t, sourceName)
	m := &move{system: s, t: t, schema: server.Schema(t)}
	m.db = server.DB(t, m.schema)
	// The destination must be another server than the source: pre-check says so.
	node := "mysql97"
	if sourceName == node {
		node = "mysql80"
	}
	var destination api.EndpointFile
	if o.sharded {
		m.sim = simtest.Start(t, 4, simtest.On(node, node))
		m.to, m.dst = m.sim.Schema, m.sim.DB(t)
		destination = api.EndpointFile{Kind: new("ddm"), Host: m.sim.Host, Port: &m.sim.Port, User: m.sim.User, Password: &m.sim.Password}
	} else {
		plain := testdb.Get(t, node)
		m.to = plain.Schema(t)
		m.dst = plain.DB(t, m.to)
		user, password := plain.Account(t, fmt.Sprintf("ALL ON `%s`.*", m.to))
		destination = api.EndpointFile{Host: plain.Host, Port: &plain.Port, User: user, Password: &password}
	}
	for _, table := range tables {
		m.exec(m.db, "CREATE TABLE "+table.name+" "+table.columns+charset)
		ddm := table.ddm
		if !o.sharded {
			ddm = ""
		}
		m.exec(m.dst, "CREATE TABLE "+table.name+" "+table.columns+charset+ddm)
	}
	m.create(server, destination, o)
	return m
}

// create fills the source and creates the task.
func (m *move) create(server *testdb.Server, destination api.EndpointFile, o moveOptions) {
	t := m.t
	t.Helper()
	m.fill(o.rows)
	user, password := server.Account(t, fmt.Sprintf("SELECT, SHOW VIEW, EVENT, LOCK TABLES ON `%s`.*", m.schema), "REPLICATION SLAVE, REPLICATION CLIENT, RELOAD ON *.*")
	m.user, m.password = user, password
	kind := "full+incremental"
	if o.fullOnly {
		kind = "full"
	}
	body := api.TaskFile{
		Version: 1, Name: "t" + strings.ReplaceAll(m.schema[max(0, len(m.schema)-30):], "_", "-"), Type: kind,
		Source:      api.EndpointFile{Host: server.Host, Port: &server.Port, User: user, Password: &password},
		Destination: destination, Objects: []api.ObjectRule{{Schema: m.schema, To: &m.to}}, Limits: o.limits, Policy: o.policy,
	}
	answer, err := m.api.CreateTaskWithResponse(t.Context(), &api.CreateTaskParams{}, body)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, answer.StatusCode(), "%s", answer.Body)
	m.id = answer.JSON201.ID
}

func (m *move) exec(db *sql.DB, statement string) {
	m.t.Helper()
	_, err := db.ExecContext(m.t.Context(), statement)
	require.NoError(m.t, err, statement)
}

// fill inserts rows of people and orders and two lines for each order.
func (m *move) fill(rows int) {
	m.t.Helper()
	const batch = 500
	for first := 1; first <= rows; first += batch {
		var people, orders, lines []string
		for i := first; i < first+batch && i <= rows; i++ {
			people = append(people, fmt.Sprintf("(%d,'p%d@x.org',%d,%d,'n\\\\%d\\'é',%d.25)", i, i, i, i%17, i, i))
			orders = append(orders, fmt.Sprintf("(%d,%d,%d.50,'2024-01-02 03:04:05',UNHEX('00ff27%04x'))", i, 1+i%97, i, i%65536))
			lines = append(lines, fmt.Sprintf("(%d,1,'first of %d'),(%d,2,NULL)", i, i, i))
		}
		m.exec(m.db, "INSERT INTO people VALUES "+strings.Join(people, ","))
		m.exec(m.db, "INSERT INTO orders VALUES "+strings.Join(orders, ","))
		m.exec(m.db, "INSERT INTO items VALUES "+strings.Join(lines, ","))
	}
	m.exec(m.db, "INSERT INTO regions VALUES (1,'north'),(2,'south'),(3,NULL)")
	m.exec(m.db, "INSERT INTO plain (v) VALUES ('a'),('b')")
}

// traffic writes to the source until stop is called: inserts, deletes, swaps of
// unique values, chains of keys, moves between shards.
func (m *move) traffic(writers int) (stop func()) {
	var wg sync.WaitGroup
	done := make(chan struct{})
	for writer := range writers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(writer)))
			for {
				select {
				case <-done:
					return
				default:
				}
				if m.transaction(rng) {
					m.written.Add(1)
				}
			}
		})
	}
	m.stopTraffic = sync.OnceFunc(func() { close(done); wg.Wait() })
	return m.stopTraffic
}

func (m *move) transaction(rng *rand.Rand) bool {
	ctx := m.t.Context()
	tx, err := m.db.BeginTx(ctx, nil)
	if err != nil {
		return false
	}
	a, b := 1+rng.IntN(2000), 1+rng.IntN(2000)
	for range 1 + rng.IntN(3) {
		var work []string
		switch rng.IntN(9) {
		case 0:
			work = []string{fmt.Sprintf("INSERT INTO people (email, badge, region, note) VALUES ('n%d@x.org', NULL, %d, 'new')", rng.Uint64(), rng.IntN(30))}
		case 1:
			work = []string{fmt.Sprintf("INSERT INTO orders (person, total, at) VALUES (%d, 1.5, NOW())", a), "INSERT INTO items SELECT LAST_INSERT_ID(), 1, 'x'"}
		case 2:
			work = []string{fmt.Sprintf("DELETE FROM people WHERE id = %d", a), fmt.Sprintf("DELETE FROM orders WHERE id = %d", b)}
		case 3:
			work = []string{fmt.Sprintf("UPDATE people SET region = %d, note = 'moved' WHERE id = %d", rng.IntN(30), a)}
		case 4:
			work = []string{fmt.Sprintf("UPDATE orders SET person = %d, total = total + 1 WHERE id = %d", b, a)}
		case 5: // swap badges
			work = []string{
				fmt.Sprintf("UPDATE people SET badge = NULL WHERE id = %d", a),
				fmt.Sprintf("UPDATE IGNORE people SET badge = %d WHERE id = %d", a, b),
				fmt.Sprintf("UPDATE IGNORE people SET badge = %d WHERE id = %d", b, a),
			}
		case 6: // a chain of primary keys
			work = []string{fmt.Sprintf("UPDATE items SET line = line + 1 WHERE order_id = %d ORDER BY line DESC", a)}
		case 7:
			work = []string{fmt.Sprintf("UPDATE IGNORE people SET id = %d WHERE id = %d", 100_000+rng.IntN(100_000), a)}
		default:
			work = []string{fmt.Sprintf("UPDATE plain SET v = 'v%d' WHERE id = %d", b, 1+a%2), fmt.Sprintf("UPDATE regions SET name = 'r%d' WHERE code = %d", a, 1+b%3)}
		}
		for _, statement := range work {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				_ = tx.Rollback()
				return false
			}
		}
	}
	return tx.Commit() == nil
}

// show reads the task, once Temporal answers.
func (m *move) show() api.Task {
	m.t.Helper()
	var answer *api.GetTaskResponse
	m.eventually(30*time.Second, "the task", func() bool {
		var err error
		answer, err = m.api.GetTaskWithResponse(m.t.Context(), m.id)
		require.NoError(m.t, err)
		return answer.StatusCode() != http.StatusServiceUnavailable
	})
	require.Equal(m.t, http.StatusOK, answer.StatusCode(), "%s", answer.Body)
	m.explained(answer.JSON200.LastError)
	return *answer.JSON200
}

// whole is show with what only a worker knows: right after one was killed, or on
// a busy machine, nobody answers for some seconds.
func (m *move) whole() (task api.Task) {
	m.t.Helper()
	m.eventually(time.Minute, "a worker's answer", func() bool {
		task = m.show()
		return task.Tables.Total != nil
	})
	return task
}

// await waits for a status; a failed task fails the test at once with its error.
func (m *move) await(limit time.Duration, statuses ...string) api.Task {
	m.t.Helper()
	var last api.Task
	m.eventually(limit, "status "+strings.Join(statuses, " or "), func() bool {
		last = m.show()
		if strings.HasSuffix(last.Status, "_FAILED") && !slices.Contains(statuses, last.Status) {
			data, _ := json.Marshal(last.LastError)
			m.t.Fatalf("the task is %s: %s", last.Status, data)
		}
		return slices.Contains(statuses, last.Status)
	})
	return last
}

// post sends a command until its outcome is known, and returns the status code:
// right after a worker was killed nobody answers for some seconds (503), on a busy
// machine a command may last (202), and the same key is done once.
func (m *move) post(verb, body string) (code int, text string) {
	m.t.Helper()
	key := fmt.Sprintf("%s-%d", verb, time.Now().UnixNano())
	m.eventually(time.Minute, verb, func() bool {
		code, text = m.send(verb, body, key)
		return code != http.StatusServiceUnavailable && code != http.StatusAccepted
	})
	return code, text
}

func (m *move) send(verb, body, key string) (int, string) {
	m.t.Helper()
	if body == "" {
		body = "{}"
	}
	request, err := http.NewRequestWithContext(m.t.Context(), http.MethodPost, m.url+"/api/v1/tasks/"+m.id+"/"+verb, strings.NewReader(body))
	require.NoError(m.t, err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", key)
	for _, edit := range m.api.ClientInterface.(*api.Client).RequestEditors {
		require.NoError(m.t, edit(m.t.Context(), request))
	}
	answer, err := http.DefaultClient.Do(request)
	require.NoError(m.t, err)
	defer func() { _ = answer.Body.Close() }()
	var text bytes.Buffer
	_, err = text.ReadFrom(answer.Body)
	require.NoError(m.t, err)
	return answer.StatusCode, text.String()
}

// must is post of a command that is carried out.
func (m *move) must(verb, body string) string {
	m.t.Helper()
	code, text := m.post(verb, body)
	require.Equal(m.t, http.StatusOK, code, "%s: %s", verb, text)
	return text
}

// begin pre-checks, confirms and starts.
func (m *move) begin() {
	m.t.Helper()
	m.must("precheck", "")
	m.eventually(time.Minute, "pre-check", func() bool { return m.show().Precheck.State == "done" })
	if summary := m.show().Precheck; summary.Failed > 0 || summary.Unconfirmed > 0 {
		var report *api.GetPrecheckResponse
		m.eventually(time.Minute, "the pre-check's report", func() bool {
			var err error
			report, err = m.api.GetPrecheckWithResponse(m.t.Context(), m.id)
			require.NoError(m.t, err)
			return report.JSON200 != nil
		})
		for _, item := range report.JSON200.Items {
			text, err := json.Marshal(item)
			require.NoError(m.t, err)
			require.NotEqual(m.t, "FAILED", string(item.Verdict), "%s", text)
		}
		m.must("confirm", `{"all":true,"note":"a test"}`)
	}
	m.must("start", "")
}

// synced waits until all that the source has now is on the destination.
func (m *move) synced(limit time.Duration) {
	m.t.Helper()
	var point *api.SyncPoint
	m.eventually(limit, "sync point", func() bool {
		if point == nil {
			answer, err := m.api.CreateSyncPointWithResponse(m.t.Context(), m.id)
			if err != nil || answer.JSON201 == nil {
				return false
			}
			point = answer.JSON201
		}
		answer, err := m.api.GetSyncPointWithResponse(m.t.Context(), m.id, point.Number)
		return err == nil && answer.JSON200 != nil && answer.JSON200.Reached
	})
}

// requireEqual compares every table by reading both sides here, without any
// code of the engine, and each row's place by the simulator's physical shards.
func (m *move) requireEqual() {
	m.t.Helper()
	for _, table := range tables {
		require.Equal(m.t, m.rows(m.db, table.name), m.rows(m.dst, table.name), table.name)
	}
	if m.sim == nil {
		return
	}
	for table, key := range map[string]string{"people": "region", "orders": "person", "items": "order_id"} {
		for shard := range 4 {
			var misplaced int
			node := m.sim.Nodes[shard%len(m.sim.Nodes)].DB(m.t, m.sim.Physical(shard))
			require.NoError(m.t, node.QueryRowContext(m.t.Context(), fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE %s %% 4 <> %d", table, key, shard)).Scan(&misplaced))
			require.Zero(m.t, misplaced, "%s on shard %d", table, shard)
		}
	}
}

func (m *move) rows(db *sql.DB, name string) []string {
	m.t.Helper()
	found, err := db.QueryContext(m.t.Context(), "SELECT * FROM "+name)
	require.NoError(m.t, err)
	defer func() { require.NoError(m.t, found.Close()) }()
	columns, err := found.Columns()
	require.NoError(m.t, err)
	var out []string
	for found.Next() {
		values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		require.NoError(m.t, found.Scan(into...))
		parts := make([]string, len(values))
		for i, v := range values {
			parts[i] = fmt.Sprintf("%v %q", v.Valid, v.String)
		}
		out = append(out, strings.Join(parts, "|"))
	}
	require.NoError(m.t, found.Err())
	slices.Sort(out)
	return out
}
