package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
)

// blamed makes sure that an error concerns table b alone and waits for somebody.
func (p *parted) blamed(err error, want fault.Definition) {
	p.t.Helper()
	info := errorDetail(p.t, err)
	require.Equal(p.t, want.Code, info.Code, err)
	require.Equal(p.t, p.name("b").String(), info.Table, err)
	require.NotEqual(p.t, string(fault.Retry), info.Class)
}

// session runs statements on one connection to the source.
func (p *parted) session(statements ...string) {
	p.t.Helper()
	c, err := p.from.Conn(p.t.Context())
	require.NoError(p.t, err)
	defer func() { _ = c.Close() }()
	for _, s := range statements {
		_, err := c.ExecContext(p.t.Context(), s)
		require.NoError(p.t, err, s)
	}
}

// TestGroups_AnErrorOfTheApplyNamesItsTable: exactly that table can be parked, and
// the others go on, with every row.
func TestGroups_AnErrorOfTheApplyNamesItsTable(t *testing.T) {
	for name, c := range map[string]struct {
		want  fault.Definition
		cause func(*parted)
	}{
		"a column is missing": {fault.ColumnMissing, func(p *parted) { p.destExec("ALTER TABLE b DROP COLUMN v") }},
		"a value is refused":  {fault.ValueRefused, func(p *parted) { p.destExec("DELETE FROM b"); p.destExec("ALTER TABLE b MODIFY v VARCHAR(2)") }},
		"minimal images": {fault.PartialImage, func(p *parted) {
			p.session("SET SESSION binlog_row_image = MINIMAL", "UPDATE b SET v = 'minimal'", "SET SESSION binlog_row_image = FULL")
		}},
		"partial JSON": {fault.PartialJSON, func(p *parted) {
			p.session("SET SESSION binlog_row_value_options = PARTIAL_JSON", "UPDATE b SET j = JSON_SET(j, '$.a', 2)", "SET SESSION binlog_row_value_options = ''")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newParted(t, "mysql97")
			for _, exec := range []func(string){func(s string) { p.run(s) }, p.destExec} {
				exec("ALTER TABLE b ADD COLUMN j JSON")
			}
			p.run(`UPDATE b SET j = JSON_OBJECT('a', 1, 'b', REPEAT('x', 200))`)
			p.start()
			p.storm(5, "a", "c")
			p.apply(0)
			c.cause(p)
			p.storm(5, "a", "c")
			p.run("UPDATE b SET v = 'changed', u = NULL")
			p.storm(5, "a", "c")
			_, err := do(p.rig, p.ApplyBinlog, p.applyIn(0))
			require.Error(t, err)
			p.blamed(err, c.want)
			p.park(1, "b")
			p.storm(5, "a", "c")
			p.apply(0)
			p.equal("a", "c")
		})
	}
}

// TestGroups_ADivergenceNamesItsTable in strict mode.
func TestGroups_ADivergenceNamesItsTable(t *testing.T) {
	p := newParted(t, "mysql97")
	p.start()
	p.apply(0)
	ended := make(chan error, 1)
	in := p.applyIn(0)
	in.Stop = nil
	go func() {
		_, err := do(p.rig, p.ApplyBinlog, in)
		ended <- err
	}()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ { // safe mode heals it, until it is over
		select {
		case err := <-ended:
			p.blamed(err, fault.Divergence)
			p.park(1, "b")
			p.storm(10, "a", "c")
			require.True(t, must(p.rig, p.ApplyBinlog, p.applyIn(0)).Drained)
			p.equal("a", "c")
			return
		case <-tick.C:
			p.destExec("DELETE FROM b WHERE id = 1")
			p.run("REPLACE INTO b VALUES (1, NULL, 'was here')", "UPDATE b SET v = 'changed' WHERE id = 1")
			p.storm(2, "a", "c")
		}
	}
}

// TestGroups_AnErrorOfTheCopyNamesItsTable: the destination refuses a value, the
// source's table was changed or is gone.
func TestGroups_AnErrorOfTheCopyNamesItsTable(t *testing.T) {
	for name, c := range map[string]struct {
		want  fault.Definition
		cause func(*parted)
	}{
		"a value is refused":   {fault.ValueRefused, func(p *parted) { p.destExec("ALTER TABLE b MODIFY v VARCHAR(2)") }},
		"the source's changed": {fault.TableChanged, func(p *parted) { p.run("ALTER TABLE b ADD COLUMN w INT FIRST") }},
		"the source's is gone": {fault.ObjectMissing, func(p *parted) { p.run("RENAME TABLE b TO b_away") }},
	} {
		t.Run(name, func(t *testing.T) {
			p := newParted(t, "mysql97")
			p.planAll()
			c.cause(p)
			_, err := do(p.rig, p.CopyLane, contract.CopyLaneIn{TaskRef: p.ref, Owner: p.owner(), Lanes: 1, Box: time.Minute, Connections: 4, Start: p.plan.Start})
			require.Error(t, err)
			p.blamed(err, c.want)
			require.False(t, p.park(1, "b").Copied)
			p.copyGroup(0, false)
			p.equal("a", "c")
		})
	}
}

// TestGroups_AnErrorOfMoreThanOneTableNamesNone: the task stops.
func TestGroups_AnErrorOfMoreThanOneTableNamesNone(t *testing.T) {
	for name, cause := range map[string]func(*parted){
		"a statement on two": func(p *parted) { p.run("RENAME TABLE a TO a_away, b TO b_away") },
		"no right to write": func(p *parted) {
			to := p.resolve()
			to.Destination.User, to.Destination.Password = p.server.Account(p.t, "SELECT ON *.*", "PROCESS ON *.*")
			p.storm(1, all...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newParted(t, "mysql97")
			p.start()
			p.apply(0)
			in := p.applyIn(0)
			cause(p)
			in.Stop = nil
			_, err := do(p.rig, p.ApplyBinlog, in)
			require.Error(t, err)
			info := errorDetail(t, err)
			require.Empty(t, info.Table, err)
			require.NotEqual(t, string(fault.Retry), info.Class)
		})
	}
}
