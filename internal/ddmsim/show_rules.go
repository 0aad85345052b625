package ddmsim

import (
	"fmt"
	"strconv"
	"strings"

	"vitess.io/vitess/go/sqltypes"
)

// showRule tells the sharding of tables (D-42). Unsharded tables have empty
// keys and counts of 1.
func (ss *session) showRule(t *text, i int) (*sqltypes.Result, error) {
	var list []*tableRule
	if t.at(i, "FROM") || t.at(i, "IN") {
		name, err := t.object(i + 1)
		if err != nil {
			return nil, err
		}
		table, err := ss.table(name)
		if err != nil {
			return nil, err
		}
		list = append(list, table)
	} else {
		schema, err := ss.need("")
		if err != nil {
			return nil, err
		}
		list = ss.server.catalogue.list(schema)
	}
	var rows [][]string
	for _, r := range list {
		row := []string{r.Name, "0", "", "", "1", "", "", "", "", "1", ""}
		if r.Kind == broadcast {
			row[1] = "1"
		}
		if r.DB != nil {
			row[2], row[3], row[4], row[5], row[6] = r.DB.key(), r.DB.Algorithm, strconv.Itoa(r.Shards), "0", r.DB.rangeText()
		}
		if r.TB != nil {
			row[7], row[8], row[9], row[10] = r.TB.key(), r.TB.Algorithm, strconv.Itoa(r.Tables), "0"
		}
		rows = append(rows, row)
	}
	return numbers(textResult([]string{
		"TABLE_NAME", "BROADCAST", "DB_PARTITION_KEY", "DB_PARTITION_POLICY", "DB_PARTITION_COUNT", "DB_PARTITION_OFFSET",
		"PARTITION_RANGE", "TB_PARTITION_KEY", "TB_PARTITION_POLICY", "TB_PARTITION_COUNT", "TB_PARTITION_OFFSET",
	}, rows), 1, 4, 9), nil
}

// key is the sharding key as it was written.
func (p *partition) key() string {
	switch {
	case p.Function != "":
		return p.Function + "(" + p.Column + ")"
	case p.Algorithm == "RIGHT_SHIFT":
		return p.Column + "," + strconv.Itoa(p.Shift)
	}
	return p.Column
}

func (p *partition) rangeText() string {
	var parts []string
	for _, r := range p.Ranges {
		parts = append(parts, fmt.Sprintf("%d-%d=%d", r.From, r.To, r.Shard))
	}
	if p.Default != nil {
		parts = append(parts, fmt.Sprintf("default=%d", *p.Default))
	}
	return strings.Join(parts, ",")
}

func (ss *session) showTopology(t *text, i int) (*sqltypes.Result, error) {
	if !t.at(i, "FROM") {
		return nil, syntaxError("SHOW TOPOLOGY FROM table")
	}
	name, err := t.object(i + 1)
	if err != nil {
		return nil, err
	}
	table, err := ss.table(name)
	if err != nil {
		return nil, err
	}
	var rows [][]string
	for _, at := range table.targets() {
		p := ss.server.placeOf(table.Schema, at.shard)
		r, err := ss.askPlain(p, "SELECT TABLE_ROWS FROM information_schema.TABLES WHERE TABLE_SCHEMA="+quoteText(p.database)+" AND TABLE_NAME="+quoteText(at.table))
		if err != nil {
			return nil, err
		}
		count := ""
		if len(r.Rows) > 0 {
			count = r.Rows[0][0].ToString()
		}
		n := ss.server.cfg.Nodes[p.node]
		rows = append(rows, []string{nodeID(p.node), n.Host, strconv.Itoa(n.Port), p.database, at.table, count})
	}
	return numbers(textResult([]string{"RDS_instance_id", "HOST", "PORT", "DATABASE", "TABLE", "ROW_COUNT"}, rows), 2, 5), nil
}

func nodeID(node int) string { return fmt.Sprintf("ddmsim-node-%d", node) }

func (ss *session) showDataNode() (*sqltypes.Result, error) {
	schema, err := ss.need("")
	if err != nil {
		return nil, err
	}
	var rows [][]string
	for s := range ss.server.catalogue.shards(schema) {
		p := ss.server.placeOf(schema, s)
		n := ss.server.cfg.Nodes[p.node]
		rows = append(rows, []string{nodeID(p.node), p.database, n.Host, strconv.Itoa(n.Port)})
	}
	return numbers(textResult([]string{"RDS_instance_id", "PHYSICAL_NODE", "HOST", "PORT"}, rows), 3), nil
}

func (ss *session) showStatus() *sqltypes.Result {
	var rows [][]string
	for _, s := range ss.server.catalogue.schemaNames() {
		rows = append(rows, []string{s, "RUNNING"})
	}
	return textResult([]string{"DATABASE", "STATUS"}, rows)
}

func (ss *session) showSequences() (*sqltypes.Result, error) {
	schema, err := ss.need("")
	if err != nil {
		return nil, err
	}
	list, err := ss.server.sequences.list(ss.ctx, schema)
	if err != nil {
		return nil, err
	}
	var rows [][]string
	for _, s := range list {
		used := fmt.Sprintf("%.2f%%", float64(s.next-1)/float64(1<<63)*100)
		rows = append(rows, []string{s.name, strconv.FormatUint(s.next, 10), s.cache, used})
	}
	return numbers(textResult([]string{"NAME", "START_WITH", "INCREMENT", "USED"}, rows), 1, 2), nil
}
