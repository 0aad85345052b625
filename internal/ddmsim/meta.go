package ddmsim

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"sync"
)

// kind of a logical table.
type tableKind string

const (
	single    tableKind = "SINGLE"    // on shard 0
	broadcast tableKind = "BROADCAST" // the same rows on every shard
	sharded   tableKind = "SHARDING"
)

// tableRule is what the simulator remembers of a logical table.
type tableRule struct {
	Schema  string     `json:"schema"`
	Name    string     `json:"name"`
	Kind    tableKind  `json:"kind"`
	DB      *partition `json:"db,omitempty"`
	TB      *partition `json:"tb,omitempty"`
	Tables  int        `json:"tables"` // physical tables in each database; 0: one, without a suffix
	Columns []column   `json:"columns"`
	Shards  int        `json:"shards"`
}

type column struct {
	Name     string `json:"name"`
	Type     string `json:"type"` // data type in lower case: int, varbinary, datetime
	Full     string `json:"full"` // int(11) unsigned
	Auto     bool   `json:"auto,omitempty"`
	Nullable bool   `json:"nullable,omitempty"`
}

// target is a physical table: shard number and name.
type target struct {
	shard int
	table string
}

// perShard returns the number of physical tables in each shard.
func (t *tableRule) perShard() int { return max(t.Tables, 1) }

// physical names the i-th physical table of a shard.
func (t *tableRule) physical(i int) string {
	if t.Tables == 0 {
		return t.Name
	}
	return fmt.Sprintf("%s_%02d", t.Name, i)
}

// targets lists all physical tables.
func (t *tableRule) targets() []target {
	n := t.Shards
	if t.Kind == single {
		n = 1
	}
	var out []target
	for s := range n {
		for i := range t.perShard() {
			out = append(out, target{s, t.physical(i)})
		}
	}
	return out
}

func (t *tableRule) column(name string) (int, *column) {
	for i := range t.Columns {
		if strings.EqualFold(t.Columns[i].Name, name) {
			return i, &t.Columns[i]
		}
	}
	return -1, nil
}

// auto returns the column that a sequence fills, nil for none and for
// unsharded tables, whose node counts.
func (t *tableRule) auto() *column {
	if t.Kind == single {
		return nil
	}
	for i := range t.Columns {
		if t.Columns[i].Auto {
			return &t.Columns[i]
		}
	}
	return nil
}

// isKey reports whether the column is a sharding key of the table.
func (t *tableRule) isKey(name string) bool {
	return t.DB != nil && strings.EqualFold(t.DB.Column, name) || t.TB != nil && strings.EqualFold(t.TB.Column, name)
}

// catalogue holds the rules of all logical tables, in memory and in the meta
// database of the first node.
type catalogue struct {
	pool *pool
	db   string

	mu      sync.RWMutex
	schemas map[string]int // name → shards
	tables  map[string]map[string]*tableRule
}

func openCatalogue(ctx context.Context, p *pool, db string) (*catalogue, error) {
	c := &catalogue{pool: p, db: quoteName(db), schemas: map[string]int{}, tables: map[string]map[string]*tableRule{}}
	return c, c.run(ctx,
		"CREATE DATABASE IF NOT EXISTS "+c.db,
		"CREATE TABLE IF NOT EXISTS "+c.db+".logical_schemas (name VARCHAR(64) PRIMARY KEY, shards INT NOT NULL) CHARACTER SET utf8",
		"CREATE TABLE IF NOT EXISTS "+c.db+".logical_tables (schema_name VARCHAR(64), table_name VARCHAR(64), definition MEDIUMTEXT, PRIMARY KEY (schema_name, table_name)) CHARACTER SET utf8",
		"CREATE TABLE IF NOT EXISTS "+c.db+".sequences (schema_name VARCHAR(64), sequence_name VARCHAR(64), table_name VARCHAR(64) NOT NULL, column_name VARCHAR(64) NOT NULL, next_value DECIMAL(20,0) NOT NULL, cache BIGINT NOT NULL, PRIMARY KEY (schema_name, sequence_name)) CHARACTER SET utf8",
	)
}

func (c *catalogue) run(ctx context.Context, statements ...string) error {
	return c.pool.once(ctx, place{}, func(b *backend) error {
		for _, q := range statements {
			if _, err := b.exec(q, false); err != nil {
				return fmt.Errorf("metadata of the simulator: %w", err)
			}
		}
		return nil
	})
}

func (c *catalogue) query(ctx context.Context, q string) (rows [][]string, err error) {
	err = c.pool.once(ctx, place{}, func(b *backend) error {
		r, err := b.exec(q, false)
		if err != nil {
			return fmt.Errorf("metadata of the simulator: %w", err)
		}
		for _, row := range r.Rows {
			out := make([]string, len(row))
			for i := range row {
				out[i] = row[i].ToString()
			}
			rows = append(rows, out)
		}
		return nil
	})
	return rows, err
}

// addSchema makes the physical databases of a schema and loads its tables.
func (c *catalogue) addSchema(ctx context.Context, name string, shards int) error {
	rows, err := c.query(ctx, "SELECT shards FROM "+c.db+".logical_schemas WHERE name="+quoteText(name))
	if err != nil {
		return err
	}
	if len(rows) > 0 && rows[0][0] != fmt.Sprint(shards) {
		return fmt.Errorf("schema %s has %s shards, not %d: the number cannot be changed", name, rows[0][0], shards)
	}
	for i := range shards {
		at := place{node: i % len(c.pool.cfg.Nodes)}
		err := c.pool.once(ctx, at, func(b *backend) error { return makeDatabase(b, physicalDatabase(name, i)) })
		if err != nil {
			return fmt.Errorf("make shard %d of schema %s: %w", i, name, err)
		}
	}
	if err := c.run(ctx, fmt.Sprintf("REPLACE INTO %s.logical_schemas VALUES (%s,%d)", c.db, quoteText(name), shards)); err != nil {
		return err
	}
	rows, err = c.query(ctx, "SELECT definition FROM "+c.db+".logical_tables WHERE schema_name="+quoteText(name))
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.schemas[name], c.tables[name] = shards, map[string]*tableRule{}
	for _, r := range rows {
		t := &tableRule{}
		if err := json.Unmarshal([]byte(r[0]), t); err != nil {
			return fmt.Errorf("rule of a table in schema %s: %w", name, err)
		}
		c.tables[name][strings.ToLower(t.Name)] = t
	}
	return nil
}

// makeDatabase creates a physical database when it is missing. It looks first:
// CREATE DATABASE IF NOT EXISTS waits for the metadata locks of others.
func makeDatabase(b *backend, name string) error {
	r, err := b.exec("SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME="+quoteText(name), false)
	if err != nil || len(r.Rows) > 0 {
		return err
	}
	_, err = b.exec("CREATE DATABASE IF NOT EXISTS "+quoteName(name)+" CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci", false)
	return err
}

// dropSchema removes a schema with its databases.
func (c *catalogue) dropSchema(ctx context.Context, name string) error {
	c.mu.RLock()
	shards := c.schemas[name]
	c.mu.RUnlock()
	for i := range shards {
		at := place{node: i % len(c.pool.cfg.Nodes)}
		err := c.pool.once(ctx, at, func(b *backend) error {
			_, err := b.exec("DROP DATABASE IF EXISTS "+quoteName(physicalDatabase(name, i)), false)
			return err
		})
		if err != nil {
			return fmt.Errorf("drop shard %d of schema %s: %w", i, name, err)
		}
	}
	where := " WHERE schema_name=" + quoteText(name)
	err := c.run(ctx, "DELETE FROM "+c.db+".logical_tables"+where, "DELETE FROM "+c.db+".sequences"+where,
		"DELETE FROM "+c.db+".logical_schemas WHERE name="+quoteText(name))
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.schemas, name)
	delete(c.tables, name)
	return err
}

func (c *catalogue) put(ctx context.Context, t *tableRule) error {
	b, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("rule of table %s: %w", t.Name, err)
	}
	q := fmt.Sprintf("REPLACE INTO %s.logical_tables VALUES (%s,%s,%s)", c.db, quoteText(t.Schema), quoteText(strings.ToLower(t.Name)), quoteText(string(b)))
	if err := c.run(ctx, q); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tables[t.Schema][strings.ToLower(t.Name)] = t
	return nil
}

func (c *catalogue) remove(ctx context.Context, t *tableRule) error {
	err := c.run(ctx, fmt.Sprintf("DELETE FROM %s.logical_tables WHERE schema_name=%s AND table_name=%s", c.db, quoteText(t.Schema), quoteText(strings.ToLower(t.Name))))
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.tables[t.Schema], strings.ToLower(t.Name))
	return err
}

// table finds a logical table; names are case-insensitive (D-06).
func (c *catalogue) table(schema, name string) (*tableRule, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t := c.tables[strings.ToLower(schema)][strings.ToLower(name)]
	if t == nil {
		return nil, sqlError(1146, "42S02", fmt.Sprintf("Table '%s.%s' doesn't exist", schema, name))
	}
	return t, nil
}

// shards returns the number of shards of a schema, 0 when there is none.
func (c *catalogue) shards(schema string) int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.schemas[strings.ToLower(schema)]
}

func (c *catalogue) schemaNames() []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var out []string
	for s := range c.schemas {
		out = append(out, s)
	}
	sort.Strings(out)
	return out
}

// list returns the tables of a schema by name.
func (c *catalogue) list(schema string) []*tableRule {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var out []*tableRule
	for _, t := range c.tables[strings.ToLower(schema)] {
		out = append(out, t)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// physicalDatabase names a shard as DDM does (D-43).
func physicalDatabase(schema string, shard int) string {
	return fmt.Sprintf("%s_%04d", strings.ToLower(schema), shard)
}
