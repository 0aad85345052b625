package schema

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/binlog"
	"shardlift/internal/checkpoint"
	"shardlift/internal/ddl"
	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/selection"
	"shardlift/internal/table"
)

// made is a table of "name type[!]" columns, ! for UNIQUE; the first one is the
// primary key.
func made(t *testing.T, name string, columns ...string) *table.Table {
	t.Helper()
	out := &table.Table{Name: table.Name{Schema: "shop", Table: name}, Engine: "InnoDB", Charset: "utf8mb4", Collation: "utf8mb4_bin"}
	for i, text := range columns {
		column, kind, _ := strings.Cut(text, " ")
		kind, unique := strings.CutSuffix(kind, "!")
		c, err := mysqlconn.ParseColumn(mysqlconn.ColumnText{Name: column, Type: kind, Collation: "utf8mb4_bin", Nullable: i > 0})
		require.NoError(t, err)
		if c.Type != table.TypeText && c.Type != table.TypeEnum {
			c.Charset, c.Collation = "", ""
		}
		out.Columns = append(out.Columns, c)
		if i == 0 {
			out.Keys = append(out.Keys, table.Key{Name: table.PrimaryName, Unique: true, Parts: []table.KeyPart{{Column: 0}}})
		} else if unique {
			out.Keys = append(out.Keys, table.Key{Name: column, Unique: true, Parts: []table.KeyPart{{Column: i}}})
		}
	}
	return out
}

// texts prints columns for comparison.
func texts(t *table.Table) []string {
	var out []string
	for _, c := range t.Columns {
		out = append(out, c.Name+" "+c.SQLType)
	}
	return out
}

func event(offset uint64, statement string) binlog.Event {
	return binlog.Event{Kind: binlog.DDL, At: at(offset), Result: ddl.Analyze("shop", statement, ddl.Mode{})}
}

// today is what the source has now.
type today map[string]*table.Table

func (s today) Table(_ context.Context, n table.Name) (*table.Table, error) {
	if t := s[n.Table]; t != nil {
		return t, nil
	}
	return nil, fault.TableMissing.New(n.String(), "")
}

// statements are what the stream has behind a place.
func statements(events ...binlog.Event) Ahead {
	return func(_ context.Context, _ position.Position, each func(binlog.Event)) error {
		for _, ev := range events {
			each(ev)
		}
		return nil
	}
}

// TestRule11_DefinitionsBetweenStatements: the rows between two statements
// follow neither the first definition nor today's.
func TestRule11_DefinitionsBetweenStatements(t *testing.T) {
	before := []string{"id int", "a int", "b varchar(10)", "u int!"}
	for _, c := range []struct{ statement, today, want string }{
		{"ADD COLUMN x INT", "id int,a int,b varchar(10),u int,x int,y int", "id int,a int,b varchar(10),u int,x int"},
		{"ADD COLUMN x INT AFTER id, ADD y BIGINT FIRST, ADD z INT", "id int", "y bigint,id int,x int,a int,b varchar(10),u int,z int"},
		{"DROP COLUMN a", "id int,z int", "id int,b varchar(10),u int"},
		{"CHANGE a b INT, CHANGE b a VARCHAR(10)", "id int", "id int,b int,a varchar(10),u int"},
		{"RENAME COLUMN a TO u, RENAME COLUMN u TO a", "id int,a int", "id int,u int,b varchar(10),a int"},
		{"MODIFY b VARCHAR(20) FIRST, DROP u", "id int", "b varchar(20),id int,a int"},
		{"MODIFY a BIGINT AFTER u", "id int,a int,b varchar(10),u int", "id int,b varchar(10),u int,a bigint"},
		{"ADD x VARCHAR(5) CHARACTER SET latin1 COLLATE latin1_bin", "id int", "id int,a int,b varchar(10),u int,x varchar(5)"},
		{"ADD COLUMN IF NOT EXISTS a BIGINT, DROP COLUMN IF EXISTS nope, ADD x INT", "id int", "id int,a int,b varchar(10),u int,x int"},
		{"ADD x INT(11) UNSIGNED", "id int,x int(11) unsigned", "id int,a int,b varchar(10),u int,x int(11) unsigned"},
		{"ADD KEY k (a), ENGINE=InnoDB", "id int", "id int,a int,b varchar(10),u int"},
	} {
		store := &memory{[]checkpoint.Definition{{Name: orders().Name, Table: made(t, "orders", before...)}}}
		h, err := Open(t.Context(), store, 0, at(4))
		require.NoError(t, err)
		ev := event(100, "ALTER TABLE orders "+c.statement)
		fail := func(context.Context, position.Position, func(binlog.Event)) error {
			return fmt.Errorf("%s says enough: nobody needs to look ahead", c.statement)
		}
		require.NoError(t, h.Refresh(t.Context(), today{"orders": made(t, "orders", strings.Split(c.today, ",")...)}, fail, ev, []table.Name{orders().Name}))
		got, err := h.Table(orders().Name)
		require.NoError(t, err)
		require.Equal(t, strings.Split(c.want, ","), texts(got), c.statement)
		require.Equal(t, []int{got.Column("id")}, got.Primary().Columns(), c.statement)
		for _, k := range got.SecondaryUnique() { // follows its column
			require.Equal(t, "u", k.Name)
			require.NotContains(t, c.statement, "DROP u")
			want := "u"
			if strings.Contains(c.statement, "RENAME COLUMN u TO a") {
				want = "a"
			}
			require.Equal(t, []int{got.Column(want)}, k.Columns(), c.statement)
		}
		again, err := Open(t.Context(), store, 0, at(101))
		require.NoError(t, err)
		stored, err := again.Table(orders().Name)
		require.NoError(t, err)
		require.Equal(t, got, stored)
	}
}

// TestRule11_TodaysDefinitionOnlyWhenNothingFollows: where a statement does not
// tell the columns, today's are right only if the table stayed as it is.
func TestRule11_TodaysDefinitionOnlyWhenNothingFollows(t *testing.T) {
	for _, statement := range []string{
		"RENAME TABLE orders TO _orders_del, _orders_gho TO orders", "ALTER TABLE orders CONVERT TO CHARACTER SET utf8mb4",
		"ALTER TABLE orders DROP PRIMARY KEY, ADD PRIMARY KEY (id, a)", "ALTER TABLE orders ADD x SERIAL",
		"ALTER TABLE orders ADD x VARCHAR(9) COLLATE binary", "ALTER TABLE orders ADD x VARCHAR(9) CHARACTER SET utf8mb4", "ALTER TABLE orders ADD x JSON", "ALTER TABLE orders ADD x VECTOR", "ALTER TABLE orders DROP COLUMN nope", "CREATE TABLE orders (id INT PRIMARY KEY)",
		"/*!99999 ALTER TABLE orders ADD x INT */",
	} {
		for later, unknown := range map[string]bool{
			"":                            false,
			"ALTER TABLE other ADD x INT": false,
			"ALTER TABLE orders ADD KEY (a), COMMENT 'x'": false,
			"TRUNCATE orders":                                           false,
			"DROP TABLE _orders_del":                                    false,
			"CREATE TEMPORARY TABLE orders (id INT)":                    false,
			"ALTER TABLE orders ADD y INT":                              true,
			"ALTER TABLE orders CONVERT TO CHARACTER SET latin1":        true,
			"RENAME TABLE orders TO _orders_old, _orders_new TO orders": true,
			"DROP TABLE orders":                                         true,
			"DROP DATABASE shop":                                        true,
			"FROBNICATE orders":                                         true,
			"/*!99999 ALTER TABLE orders */ x":                          true,
		} {
			h, err := Open(t.Context(), &memory{[]checkpoint.Definition{{Name: orders().Name, Table: made(t, "orders", "id int", "a int")}}}, 0, at(4))
			require.NoError(t, err)
			now := made(t, "orders", "id int", "z int", "a int")
			ev := event(100, statement)
			ahead := statements(ev)
			if later != "" {
				ahead = statements(ev, event(200, later))
			}
			err = h.Refresh(t.Context(), today{"orders": now}, ahead, ev, []table.Name{orders().Name})
			got, _ := h.Table(orders().Name)
			if unknown {
				require.ErrorIs(t, err, fault.DefinitionUnknown, "%s; %s", statement, later)
				require.Equal(t, []string{"id int", "a int"}, texts(got), "nothing is taken over")
				continue
			}
			require.NoError(t, err, "%s; %s", statement, later)
			require.Equal(t, now, got)
		}
	}
}

func TestRule11_RenamesDropsAndSchemas(t *testing.T) {
	rules := Rules{Selection: selection.Selection{{Schema: "shop"}}}
	two := table.Name{Schema: "shop", Table: "two"}
	for _, c := range []struct{ statement, orders, two string }{
		{"RENAME TABLE orders TO two", "", "id int"},
		{"ALTER TABLE orders ADD x INT, RENAME TO two", "", "id int,x int"},
		{"RENAME TABLE orders TO tmp, two TO orders, tmp TO two", "id bigint", "id int"},
		{"DROP TABLE orders, two", "", ""},
		{"DROP DATABASE shop", "", ""},
	} {
		store := &memory{[]checkpoint.Definition{{Name: orders().Name, Table: made(t, "orders", "id int")}, {Name: two, Table: made(t, "two", "id bigint")}}}
		h, err := Open(t.Context(), store, 0, at(4))
		require.NoError(t, err)
		ev := event(100, c.statement)
		_, _, err = h.Judge(ev, rules)
		require.ErrorIs(t, err, fault.DDLStopped)
		rules.Passed = &ev.At
		_, names, err := h.Judge(ev, rules)
		require.NoError(t, err)
		require.NoError(t, h.Refresh(t.Context(), today{}, statements(), ev, names))
		for n, want := range map[table.Name]string{orders().Name: c.orders, two: c.two} {
			got, err := h.Table(n)
			if want == "" {
				require.ErrorIs(t, err, fault.TableUnplanned, c.statement)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, want, strings.Join(texts(got), ","), c.statement)
			require.Equal(t, n, got.Name)
		}
		rules.Passed = nil

		// A crash after the first of several definitions: the statement is not
		// taken as passed, or the other tables would keep their old definitions.
		if len(names) > 1 {
			store.definitions = store.definitions[:3]
			h, err = Open(t.Context(), store, 0, at(50))
			require.NoError(t, err)
			_, _, err = h.Judge(ev, rules)
			require.ErrorIs(t, err, fault.DDLStopped)
		}
	}
}

// A statement whose names cannot be compared may be about any table.
func TestRule11_ForeignNamesRefreshEveryTable(t *testing.T) {
	h, err := Open(t.Context(), &memory{[]checkpoint.Definition{{Name: orders().Name, Table: made(t, "orders", "id int")}}}, 0, at(4))
	require.NoError(t, err)
	ev := binlog.Event{Kind: binlog.DDL, At: at(100), Result: ddl.Analyze("shop", "ALTER TABLE `\xe4` ADD x INT", ddl.Mode{Foreign: true})}
	_, names, err := h.Judge(ev, Rules{Selection: selection.Selection{{Schema: "shop"}}, Passed: &ev.At})
	require.NoError(t, err)
	require.Equal(t, []table.Name{orders().Name}, names)
}
