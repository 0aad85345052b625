package ddmsim

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"vitess.io/vitess/go/sqltypes"
)

// define runs DDL. It commits the open transaction first, as MySQL does.
func (ss *session) define(t *text, h hints) (*sqltypes.Result, error) {
	if err := ss.commit(); err != nil {
		return nil, err
	}
	if h.shard >= 0 && !t.at(0, "TRUNCATE") {
		return nil, refuse("D-43", "the shard hint works for SELECT, DML and TRUNCATE only")
	}
	switch {
	case t.starts(0, "CREATE", "TABLE"):
		return ok, ss.createTable(t)
	case t.starts(0, "ALTER", "TABLE"), t.starts(0, "ALTER", "IGNORE", "TABLE"):
		return ok, ss.alterTable(t)
	case t.starts(0, "DROP", "TABLE"):
		return ok, ss.dropTable(t)
	case t.at(0, "TRUNCATE"):
		return ok, ss.truncateTable(t, h)
	case t.starts(0, "CREATE", "INDEX"), t.starts(0, "CREATE", "UNIQUE", "INDEX"), t.starts(0, "DROP", "INDEX"),
		t.starts(0, "CREATE", "FULLTEXT"), t.starts(0, "CREATE", "SPATIAL"):
		return ok, ss.index(t)
	case t.starts(0, "CREATE", "SEQUENCE"), t.starts(0, "ALTER", "SEQUENCE"), t.starts(0, "DROP", "SEQUENCE"):
		return ok, ss.defineSequence(t)
	case t.starts(0, "CREATE", "DATABASE"), t.starts(0, "CREATE", "SCHEMA"), t.starts(0, "DROP", "DATABASE"), t.starts(0, "DROP", "SCHEMA"):
		return ok, ss.database(t)
	case t.starts(0, "CREATE", "USER"), t.starts(0, "DROP", "USER"), t.starts(0, "ALTER", "USER"):
		return nil, refuse("D-72", "accounts are managed in the console")
	}
	return nil, refuse("D-52", "%s %s is not supported", strings.ToUpper(t.src(0)), strings.ToUpper(t.src(1)))
}

// ownSchema refuses DDL on another schema than the current one (D-22).
func (ss *session) ownSchema(o objectName) error {
	if o.schema != "" && ss.schema != "" && !strings.EqualFold(o.schema, ss.schema) {
		return refuse("D-22", "DDL across schemas is not supported")
	}
	_, err := ss.need(o.schema)
	return err
}

// known finds the table of a DDL statement.
func (ss *session) known(o objectName) (*tableRule, error) {
	if err := ss.ownSchema(o); err != nil {
		return nil, err
	}
	return ss.table(o)
}

// everywhere runs a statement on physical tables: nodes in parallel, what a
// node has to do one by one.
func (ss *session) everywhere(schema string, list []target, sql func(physical string) string) error {
	byShard := map[int][]target{}
	for _, at := range list {
		byShard[at.shard] = append(byShard[at.shard], at)
	}
	var g errgroup.Group
	g.SetLimit(2 * len(ss.server.cfg.Nodes))
	for shard, tables := range byShard {
		g.Go(func() error {
			b, err := ss.borrow(ss.server.placeOf(schema, shard))
			if err != nil {
				return err
			}
			defer ss.release(b)
			for _, at := range tables {
				if _, err := b.exec(sql(at.table), false); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// columnsOf reads the columns of a physical table.
func (ss *session) columnsOf(schema string, at target) ([]column, error) {
	p := ss.server.placeOf(schema, at.shard)
	r, err := ss.askPlain(p, "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, EXTRA, IS_NULLABLE, NUMERIC_SCALE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA="+
		quoteText(p.database)+" AND TABLE_NAME="+quoteText(at.table)+" ORDER BY ORDINAL_POSITION")
	if err != nil {
		return nil, err
	}
	var out []column
	for _, row := range r.Rows {
		c := column{
			Name: row[0].ToString(), Type: strings.ToLower(row[1].ToString()), Full: row[2].ToString(),
			Auto: strings.Contains(strings.ToLower(row[3].ToString()), "auto_increment"), Nullable: row[4].ToString() == "YES",
		}
		if c.Type == "decimal" && row[5].ToString() != "0" {
			c.Type = "decimal_fraction"
		}
		out = append(out, c)
	}
	return out, nil
}

func (ss *session) alterTable(t *text) error {
	i := 2
	if t.at(1, "IGNORE") {
		i = 3
	}
	name, err := t.object(i)
	if err != nil {
		return err
	}
	table, err := ss.known(name)
	if err != nil {
		return err
	}
	if err := ss.checkAlter(table, t, name.next); err != nil {
		return err
	}
	err = ss.everywhere(table.Schema, table.targets(), func(physical string) string {
		return t.before(name.first) + quoteName(physical) + " " + t.from(name.next)
	})
	if rerr := ss.refresh(table); err == nil {
		err = rerr
	}
	return err
}

// refresh reads the columns again after DDL.
func (ss *session) refresh(table *tableRule) error {
	columns, err := ss.columnsOf(table.Schema, table.targets()[0])
	if err != nil {
		return err
	}
	hadSequence := table.auto() != nil
	changed := *table
	changed.Columns = columns
	if err := ss.server.catalogue.put(ss.ctx, &changed); err != nil {
		return err
	}
	if c := changed.auto(); c != nil && !hadSequence {
		return ss.server.sequences.create(ss.ctx, table.Schema, table.Name, table.Name, c.Name, 1)
	}
	return nil
}

// checkAlter refuses what may not change: sharding keys and the sequence
// column (D-56), and what sharded and broadcast tables cannot have (D-52).
func (ss *session) checkAlter(table *tableRule, t *text, from int) error {
	if err := checkFeatures(table.Kind, t, from); err != nil {
		return err
	}
	depth := 0
	for i := from; i < t.len(); i++ {
		switch {
		case t.at(i, "("):
			depth++
		case t.at(i, ")"):
			depth--
		}
		if depth > 0 || t.kind(i) != tokWord {
			continue
		}
		verb := strings.ToUpper(t.src(i))
		if verb == "RENAME" && !t.at(i+1, "COLUMN") && !t.at(i+1, "INDEX") && !t.at(i+1, "KEY") && t.at(i-1, ",") || verb == "RENAME" && i == from && !t.at(i+1, "COLUMN") && !t.at(i+1, "INDEX") && !t.at(i+1, "KEY") {
			return unsupported("renaming a table")
		}
		if verb == "DBPARTITION" || verb == "TBPARTITION" || verb == "BROADCAST" {
			return refuse("D-56", "the sharding of a table cannot be altered")
		}
		if !slices.Contains([]string{"DROP", "MODIFY", "CHANGE", "RENAME"}, verb) || i != from && !t.at(i-1, ",") {
			continue
		}
		j := i + 1
		if t.at(j, "COLUMN") {
			j++
		}
		name, isName := t.ident(j)
		if !isName {
			continue
		}
		if table.isKey(name) {
			return refuse("D-56", "sharding key %s of %s cannot be altered", name, table.Name)
		}
		if c := table.auto(); c != nil && strings.EqualFold(c.Name, name) {
			return refuse("D-56", "sequence column %s of %s cannot be altered", name, table.Name)
		}
	}
	return nil
}

func (ss *session) dropTable(t *text) error {
	i, ifExists := 2, false
	if t.starts(i, "IF", "EXISTS") {
		i, ifExists = 4, true
	}
	name, err := t.object(i)
	if err != nil {
		return err
	}
	if t.at(name.next, ",") {
		return refuse("D-22", "DROP of several tables is not supported")
	}
	table, err := ss.known(name)
	if err != nil {
		if ifExists && errorCode(err) == 1146 {
			return nil
		}
		if errorCode(err) == 1146 {
			return sqlError(1051, "42S02", fmt.Sprintf("Unknown table '%s'", name.name))
		}
		return err
	}
	err = ss.everywhere(table.Schema, table.targets(), func(physical string) string { return "DROP TABLE IF EXISTS " + quoteName(physical) })
	if err != nil {
		return err
	}
	if table.auto() != nil {
		if err := ss.server.sequences.drop(ss.ctx, table.Schema, table.Name); err != nil {
			return err
		}
	}
	return ss.server.catalogue.remove(ss.ctx, table)
}

func (ss *session) truncateTable(t *text, h hints) error {
	i := 1
	if t.at(i, "TABLE") {
		i++
	}
	name, err := t.object(i)
	if err != nil {
		return err
	}
	table, err := ss.known(name)
	if err != nil {
		return err
	}
	return ss.everywhere(table.Schema, h.limit(table.targets()), func(physical string) string { return "TRUNCATE TABLE " + quoteName(physical) })
}

// index runs CREATE INDEX and DROP INDEX.
func (ss *session) index(t *text) error {
	on := 2
	for on < t.len() && !t.at(on, "ON") {
		on++
	}
	name, err := t.object(on + 1)
	if err != nil {
		return err
	}
	table, err := ss.known(name)
	if err != nil {
		return err
	}
	if err := checkFeatures(table.Kind, t, 0); err != nil {
		return err
	}
	return ss.everywhere(table.Schema, table.targets(), func(physical string) string {
		return t.before(name.first) + quoteName(physical) + " " + t.from(name.next)
	})
}

func (ss *session) database(t *text) error {
	if !ss.server.cfg.CreateDatabase {
		return refuse("D-53", "schemas are made and dropped in the console")
	}
	i := 2
	exists := t.at(i, "IF")
	for t.at(i, "IF") || t.at(i, "NOT") || t.at(i, "EXISTS") {
		i++
	}
	name, isName := t.ident(i)
	if !isName || !schemaName.MatchString(name) {
		return refuse("D-53", "a schema's name has 2 to 48 characters: lower-case letters, digits and _, a letter first")
	}
	have := ss.server.catalogue.shards(name) > 0
	if t.at(0, "DROP") {
		if !have {
			if exists {
				return nil
			}
			return sqlError(1008, "HY000", fmt.Sprintf("Can't drop database '%s'; database doesn't exist", name))
		}
		return ss.server.DropSchema(ss.ctx, name)
	}
	if have {
		if exists {
			return nil
		}
		return sqlError(1007, "HY000", fmt.Sprintf("Can't create database '%s'; database exists", name))
	}
	return ss.server.catalogue.addSchema(ss.ctx, name, ss.server.cfg.Shards)
}
