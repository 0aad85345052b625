package activities

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/task"
)

// ddlStep is a statement on the source and what the operator does on the
// destination when it stops the task: "" when it must not stop, "=" for the same.
type ddlStep struct{ source, destination string }

// stops marks statements that stop and are made on the destination alike.
func stops(statements ...string) []ddlStep {
	var out []ddlStep
	for _, s := range statements {
		out = append(out, ddlStep{s, "="})
	}
	return out
}

// passes marks statements that do not stop.
func passes(statements ...string) []ddlStep {
	var out []ddlStep
	for _, s := range statements {
		out = append(out, ddlStep{source: s})
	}
	return out
}

func join(parts ...[]ddlStep) []ddlStep {
	var out []ddlStep
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

const ddlTable = "CREATE TABLE t (id INT PRIMARY KEY, v INT, w INT, u INT, s VARCHAR(20), UNIQUE KEY u (u), KEY s (s))"

// ddlCase is one history of a source, all of which has happened before the task
// reads the first of it.
type ddlCase struct {
	setup []string // on both sides, before the start
	named bool     // the task names t; otherwise it selects the whole schema
	steps []ddlStep
}

func ddlCases() map[string]ddlCase {
	return map[string]ddlCase{
		"several in a row": {steps: join(
			stops("ALTER TABLE t ADD COLUMN x INT"), passes("INSERT INTO t VALUES (1, 10, 20, 30, 'a', 40)", "UPDATE t SET x = 41 WHERE id = 100"),
			stops("ALTER TABLE t ADD COLUMN y VARCHAR(10) DEFAULT 'd' AFTER id, DROP KEY u"), passes("INSERT INTO t VALUES (2, 'y', 11, 21, 30, 'b', 42)"),
			stops("ALTER TABLE t CHANGE v w INT, CHANGE w v INT"), passes("INSERT INTO t VALUES (3, 'y', 12, 22, 31, 'c', 43)", "DELETE FROM t WHERE id = 1"),
			stops("ALTER TABLE t DROP COLUMN v, MODIFY x BIGINT FIRST"), passes("INSERT INTO t VALUES (5000000000, 4, 'y', 13, 32, 'd')", "UPDATE t SET w = w + 1"),
			stops("ALTER TABLE t RENAME COLUMN u TO uu"), passes("INSERT INTO t VALUES (6, 5, 'y', 14, 33, 'e')"))},
		"what passes": {steps: passes(
			"ALTER TABLE t ADD KEY k (v, w)", "INSERT INTO t VALUES (1, 1, 1, 1, 'a')", "DROP INDEX s ON t", "ALTER TABLE t COMMENT 'x', ALGORITHM=INPLACE",
			"TRUNCATE TABLE t", "INSERT INTO t VALUES (2, 1, 1, 1, 'a')", "CREATE TEMPORARY TABLE tmp (id INT)", "DROP TEMPORARY TABLE tmp",
			"CREATE VIEW vw AS SELECT * FROM t", "DROP VIEW vw", "DROP TABLE IF EXISTS never_was", "ANALYZE TABLE t", "OPTIMIZE TABLE t",
			"CREATE TABLE IF NOT EXISTS t (id INT)", "ALTER TABLE t DROP KEY k")},
		"a unique key goes":     {steps: join(stops("ALTER TABLE t DROP KEY u"), passes("INSERT INTO t VALUES (1, 1, 1, 7, 'a'), (2, 1, 1, 7, 'a')"))},
		"a primary key changes": {steps: join(stops("ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (v, id)"), passes("INSERT INTO t VALUES (100, 2, 1, 7, 'a')", "UPDATE t SET s = 'b' WHERE id = 100"))},
		"renamed":               {steps: join(stops("RENAME TABLE t TO t2"), passes("INSERT INTO t2 VALUES (1, 1, 1, 1, 'a')"), stops("ALTER TABLE t2 RENAME TO t3, ADD q INT"), passes("INSERT INTO t3 VALUES (2, 1, 1, 2, 'a', 3)"))},
		"made again":            {steps: join(stops("DROP TABLE t"), stops("CREATE TABLE t (a VARCHAR(5) PRIMARY KEY, id INT)"), passes("INSERT INTO t VALUES ('x', 1)"), stops("CREATE TABLE fresh LIKE t"), passes("INSERT INTO fresh SELECT * FROM t"))},
		"two tables at once": {setup: []string{"CREATE TABLE z (id INT PRIMARY KEY, v BIGINT)"}, steps: join(
			stops("RENAME TABLE t TO x, z TO t, x TO z"), passes("INSERT INTO t VALUES (1, 5000000000)", "INSERT INTO z VALUES (1, 2, 3, 4, 'a')"),
			stops("ALTER TABLE z ADD COLUMN x INT"), passes("INSERT INTO z VALUES (2, 2, 3, 5, 'a', 9)"), stops("DROP TABLE z, t"))},
		"partitions": {setup: []string{
			"CREATE TABLE p (id INT PRIMARY KEY, v INT) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (100), PARTITION p1 VALUES LESS THAN (200))",
			"CREATE TABLE e (id INT PRIMARY KEY, v INT)", "INSERT INTO p VALUES (1, 1), (101, 1)", "INSERT INTO e VALUES (50, 5)",
		}, steps: join(
			stops("ALTER TABLE p ADD PARTITION (PARTITION p2 VALUES LESS THAN (300))"), passes("INSERT INTO p VALUES (201, 2)"),
			stops("ALTER TABLE p EXCHANGE PARTITION p0 WITH TABLE e"), passes("INSERT INTO p VALUES (51, 1)", "UPDATE e SET v = 9 WHERE id = 1", "UPDATE p SET v = 8 WHERE id = 50"),
			stops("ALTER TABLE p TRUNCATE PARTITION p1"), passes("INSERT INTO p VALUES (102, 3)"),
			stops("ALTER TABLE p REORGANIZE PARTITION p2 INTO (PARTITION p2 VALUES LESS THAN (250), PARTITION p3 VALUES LESS THAN (400))"), passes("INSERT INTO p VALUES (301, 3)"),
			stops("ALTER TABLE p DROP PARTITION p3"), stops("ALTER TABLE p REMOVE PARTITIONING"), passes("INSERT INTO p VALUES (301, 4)"))},
		"another default schema": {steps: join(passes("USE `{other}`"), []ddlStep{{"ALTER TABLE `{source}` . t ADD COLUMN x INT", "ALTER TABLE t ADD COLUMN x INT"}}, passes("INSERT INTO `{source}`.t VALUES (1, 1, 1, 1, 'a', 5)", "CREATE TABLE t (id INT)", "ALTER TABLE t ADD q INT", "DROP TABLE t"))},
		"versioned comments":     {steps: join(stops("/*!80000 ALTER TABLE t ADD COLUMN x INT */"), passes("INSERT INTO t VALUES (1, 1, 1, 1, 'a', 5)"), stops("ALTER TABLE /*!50000 t ADD */ COLUMN y INT"), passes("INSERT INTO t VALUES (2, 1, 1, 2, 'a', 5, 6)"))},
		"ANSI quotes":            {steps: join(passes("SET SESSION sql_mode = 'ANSI_QUOTES'"), []ddlStep{{`ALTER TABLE "t" ADD COLUMN "x" INT, ADD "y y" INT`, "ALTER TABLE t ADD COLUMN x INT, ADD `y y` INT"}}, passes(`INSERT INTO "t" VALUES (1, 1, 1, 1, 'a', 5, 6)`, `TRUNCATE "t"`, `INSERT INTO "t" VALUES (2, 1, 1, 1, 'a', 5, 6)`))},
		"gh-ost": {named: true, steps: join(
			passes("create /* gh-ost */ table `_t_ghc` (id bigint auto_increment, last_update timestamp not null DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, hint varchar(64) charset ascii not null, value varchar(4096) charset ascii not null, primary key(id), unique key hint_uidx(hint)) auto_increment=256 comment='gh-ost-changelog'",
				"insert /* gh-ost */ into `_t_ghc` (hint, value) values ('state', 'GhostTableMigrated')",
				"create /* gh-ost */ table `_t_gho` like `t`", "alter /* gh-ost */ table `_t_gho` add column x int not null default 7",
				"INSERT INTO t VALUES (1, 1, 1, 1, 'a')",
				"insert /* gh-ost `{source}`.`t` */ ignore into `_t_gho` (id, v, w, u, s) (select id, v, w, u, s from `t` force index (`PRIMARY`) where id > 0 lock in share mode)",
				"UPDATE t SET v = 2 WHERE id = 1", "replace /* gh-ost */ into `_t_gho` (id, v, w, u, s) values (1, 2, 1, 1, 'a')",
				"create /* gh-ost */ table `_t_del` (id int auto_increment primary key) engine=InnoDB comment='ghost-cut-over-sentry'",
				"lock /* gh-ost */ tables `t` write, `_t_del` write", "drop /* gh-ost */ table if exists `_t_del`", "unlock /* gh-ost */ tables"),
			[]ddlStep{{"rename /* gh-ost */ table `{source}`.`t` to `{source}`.`_t_del`, `{source}`.`_t_gho` to `{source}`.`t`", "ALTER TABLE t ADD COLUMN x INT NOT NULL DEFAULT 7"}},
			passes("INSERT INTO t VALUES (2, 1, 1, 2, 'a', 9)", "drop /* gh-ost */ table if exists `_t_ghc`", "drop /* gh-ost */ table if exists `_t_del`"))},
		"pt-online-schema-change": {named: true, steps: join(
			passes("CREATE TABLE `{source}`.`_t_new` (id INT PRIMARY KEY, v INT, w INT, u INT, s VARCHAR(20), UNIQUE KEY u (u), KEY s (s))", "ALTER TABLE `{source}`.`_t_new` ADD COLUMN x INT DEFAULT 7",
				"CREATE TRIGGER `pt_osc_t_del` AFTER DELETE ON `t` FOR EACH ROW DELETE IGNORE FROM `_t_new` WHERE `_t_new`.`id` <=> OLD.`id`",
				"CREATE TRIGGER `pt_osc_t_upd` AFTER UPDATE ON `t` FOR EACH ROW REPLACE INTO `_t_new` (id, v, w, u, s) VALUES (NEW.id, NEW.v, NEW.w, NEW.u, NEW.s)",
				"CREATE TRIGGER `pt_osc_t_ins` AFTER INSERT ON `t` FOR EACH ROW REPLACE INTO `_t_new` (id, v, w, u, s) VALUES (NEW.id, NEW.v, NEW.w, NEW.u, NEW.s)",
				"INSERT INTO t VALUES (1, 1, 1, 1, 'a')", "UPDATE t SET v = 5 WHERE id = 100",
				"INSERT LOW_PRIORITY IGNORE INTO `_t_new` (id, v, w, u, s) SELECT id, v, w, u, s FROM `t` FORCE INDEX(`PRIMARY`) WHERE id >= 0 LOCK IN SHARE MODE /*pt-online-schema-change 1 copy nibble*/",
				"ANALYZE TABLE `{source}`.`_t_new` /* pt-online-schema-change */"),
			[]ddlStep{{"RENAME TABLE `{source}`.`t` TO `{source}`.`_t_old`, `{source}`.`_t_new` TO `{source}`.`t`", "ALTER TABLE t ADD COLUMN x INT DEFAULT 7"}},
			passes("DROP TRIGGER IF EXISTS `{source}`.`pt_osc_t_del`", "DROP TRIGGER IF EXISTS `{source}`.`pt_osc_t_upd`", "DROP TRIGGER IF EXISTS `{source}`.`pt_osc_t_ins`",
				"INSERT INTO t VALUES (2, 1, 1, 2, 'a', 9)", "DROP TABLE IF EXISTS `{source}`.`_t_old`"))},
		"another character set": {steps: join(stops("ALTER TABLE t CONVERT TO CHARACTER SET latin1"), passes("INSERT INTO t VALUES (1, 1, 1, 1, 'ä')"))},
		"its schema":            {steps: stops("DROP DATABASE `{source}`")},
	}
}

// TestRule11_EveryChangeDuringTheApply: each statement that matters stops the
// task there; after the destination has the same change, resume goes on, and in
// the end both sides are equal. When the task reads the first statement, the
// source has long made the last: no definition of today fits in between.
func TestRule11_EveryChangeDuringTheApply(t *testing.T) {
	for name, c := range ddlCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(f *task.File) {
				if c.named {
					f.Objects[0].Tables = []string{"t"}
				}
			})
			there := r.server.DB(t, r.to)
			for _, s := range append([]string{ddlTable, "INSERT INTO t VALUES (100, 1, 2, 3, 'old')"}, c.setup...) {
				r.exec(s)
				_, err := there.ExecContext(t.Context(), s)
				require.NoError(t, err, s)
			}
			p := must(r, r.PlanCopy, contract.PlanCopyIn{TaskRef: r.ref, Fresh: true})
			require.NotZero(t, p.Start.Created, "the start knows its file, not only the file's name")
			expected := r.history(c)
			in := contract.ApplyIn{TaskRef: r.ref, Owner: contract.Owner{Epoch: p.Epoch}, Box: time.Minute, Start: p.Start}
			stop := must(r, r.ReadHead, r.ref)
			in.Stop = &stop.Position
			for _, change := range expected {
				in.Owner.Box++
				_, err := do(r, r.ApplyBinlog, in)
				require.ErrorContains(t, err, fault.DDLStopped.Code, "before %s", change)
				_, failed := there.ExecContext(t.Context(), change)
				require.NoError(t, failed, change)
				in.PassDDL = errorDetail(t, err).Position
			}
			in.Owner.Box++
			require.True(t, must(r, r.ApplyBinlog, in).Drained)
			r.sameTables(c.named)
		})
	}
}

// history runs a case's statements on the source in one session and returns
// what the operator will do.
func (r *rig) history(c ddlCase) (expected []string) {
	r.t.Helper()
	session, err := r.server.DB(r.t, r.source).Conn(r.t.Context())
	require.NoError(r.t, err)
	defer func() { _ = session.Close() }()
	names := strings.NewReplacer("{source}", r.source, "{other}", r.server.Schema(r.t))
	for _, s := range c.steps {
		_, err := session.ExecContext(r.t.Context(), names.Replace(s.source))
		require.NoError(r.t, err, s.source)
		switch s.destination {
		case "":
		case "=":
			text := names.Replace(s.source)
			if strings.HasPrefix(text, "DROP DATABASE") {
				text = "DROP TABLE t"
			}
			expected = append(expected, text)
		default:
			expected = append(expected, names.Replace(s.destination))
		}
	}
	return expected
}

// sameTables compares every table of the source that the task has.
func (r *rig) sameTables(named bool) {
	r.t.Helper()
	source, there := r.tablesIn(r.source, named), r.tablesIn(r.to, named)
	require.Equal(r.t, source, there)
}

// tablesIn prints a schema's tables, but for the task's metadata.
func (r *rig) tablesIn(schema string, named bool) map[string][]string {
	r.t.Helper()
	db := r.server.DB(r.t, "")
	names := column(r.t, db, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = '"+schema+"' AND TABLE_NAME NOT LIKE 'shardlift%' AND TABLE_TYPE = 'BASE TABLE'")
	out := map[string][]string{}
	for _, n := range names {
		if named && n != "t" {
			continue
		}
		columns := column(r.t, db, "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = '"+schema+"' AND TABLE_NAME = '"+n+"' ORDER BY COLUMN_NAME")
		out[n] = column(r.t, db, fmt.Sprintf("SELECT JSON_ARRAY(`%s`) AS r FROM `%s`.`%s` ORDER BY r", strings.Join(columns, "`,`"), schema, n))
		out[n] = append(out[n], columns...)
	}
	return out
}

func column(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(context.WithoutCancel(t.Context()), query)
	require.NoError(t, err, query)
	defer func() { require.NoError(t, rows.Close()) }()
	out := []string{}
	for rows.Next() {
		var v string
		require.NoError(t, rows.Scan(&v))
		out = append(out, v)
	}
	require.NoError(t, rows.Err())
	return out
}

// TestRule11_ColumnsBetweenThatNobodyKnowsStop: a statement that does not tell
// the columns, and another one behind it.
func TestRule11_ColumnsBetweenThatNobodyKnowsStop(t *testing.T) {
	r := newRig(t)
	r.exec(ddlTable, "CREATE TABLE `"+r.to+"`.t LIKE t")
	p := must(r, r.PlanCopy, contract.PlanCopyIn{TaskRef: r.ref, Fresh: true})
	r.exec("ALTER TABLE t CONVERT TO CHARACTER SET latin1", "INSERT INTO t VALUES (1, 1, 2, 3, 'x')", "ALTER TABLE t CHANGE v w INT, CHANGE w v INT")
	stop := must(r, r.ReadHead, r.ref)
	in := contract.ApplyIn{TaskRef: r.ref, Owner: contract.Owner{Epoch: p.Epoch, Box: 1}, Box: time.Minute, Start: p.Start, Stop: &stop.Position}
	_, err := do(r, r.ApplyBinlog, in)
	require.ErrorContains(t, err, fault.DDLStopped.Code)
	in.Owner.Box, in.PassDDL = 2, errorDetail(t, err).Position
	_, err = do(r, r.ApplyBinlog, in)
	require.ErrorContains(t, err, fault.DefinitionUnknown.Code)
	require.Empty(t, column(t, r.server.DB(t, r.to), "SELECT id FROM t"), "no row was guessed")
}

// TestRule11_EveryChangeDuringTheCopy: the watch beside the copy stops the task
// at the same statements, and only a reset goes on.
func TestRule11_EveryChangeDuringTheCopy(t *testing.T) {
	for name, c := range ddlCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(f *task.File) {
				if c.named {
					f.Objects[0].Tables = []string{"t"}
				}
			})
			for _, s := range append([]string{ddlTable}, c.setup...) {
				r.exec(s)
				_, err := r.server.DB(t, r.to).ExecContext(t.Context(), s)
				require.NoError(t, err, s)
			}
			p := must(r, r.PlanCopy, contract.PlanCopyIn{TaskRef: r.ref, Fresh: true})
			expected := r.history(c)
			d, s, err := openStore(t.Context(), r.resolve(), 1)
			require.NoError(t, err)
			defer func() { require.NoError(t, d.Close()) }()
			src, err := openSource(t.Context(), r.resolve(), 1)
			require.NoError(t, err)
			defer func() { require.NoError(t, src.Close()) }()
			w := &watcher{t: r.resolve(), store: s, src: src, start: p.Start}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			if len(expected) == 0 { // nothing stops it: it would read for ever
				ctx, cancel = context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				require.ErrorIs(t, w.watchStatements(ctx, p.Start), context.DeadlineExceeded)
				return
			}
			err = w.watchStatements(ctx, p.Start)
			require.ErrorIs(t, err, fault.DDLStopped)
			f, _ := fault.As(err)
			require.Contains(t, f.Remedy, "reset")
		})
	}
}

// TestRule9_TheCopyReadWhatTheSourceHasLost: the start position is in the
// history of a source that was restored from a backup, what a chunk has read is not.
func TestRule9_TheCopyReadWhatTheSourceHasLost(t *testing.T) {
	r := newRig(t)
	r.pair("orders", 20)
	p := must(r, r.PlanCopy, contract.PlanCopyIn{TaskRef: r.ref, Fresh: true})
	d, s, err := openStore(t.Context(), r.resolve(), 1)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	src, err := openSource(t.Context(), r.resolve(), 1)
	require.NoError(t, err)
	defer func() { require.NoError(t, src.Close()) }()
	w := &watcher{t: r.resolve(), store: s, src: src, start: p.Start}
	require.NoError(t, w.checkReads(t.Context()))

	low := p.Start
	text := *low.GTID + ",3e11fa47-71ca-11e1-9e33-c80aa9429562:1-7"
	low.GTID = &text
	fence, err := s.Acquire(t.Context(), "copy/0", checkpoint.Token{Epoch: p.Epoch, Box: 1, Attempt: 1}, []string{r.to}, false)
	require.NoError(t, err)
	c, err := s.Claim(t.Context(), fence, 0, 1, low)
	require.NoError(t, err)
	require.NotNil(t, c)
	require.ErrorIs(t, w.watchStatements(t.Context(), p.Start), fault.HistoryLost)
}
