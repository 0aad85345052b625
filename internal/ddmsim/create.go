package ddmsim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// createTable makes the physical tables and stores the rule.
func (ss *session) createTable(t *text) error {
	i, ifNotExists := 2, false
	if t.starts(i, "IF", "NOT", "EXISTS") {
		i, ifNotExists = 5, true
	}
	name, err := t.object(i)
	if err != nil {
		return err
	}
	if err := ss.ownSchema(name); err != nil {
		return err
	}
	if err := checkTableName(name.name); err != nil {
		return err
	}
	schema, err := ss.need(name.schema)
	if err != nil {
		return err
	}
	schema = strings.ToLower(schema)
	if _, err := ss.server.catalogue.table(schema, name.name); err == nil {
		if ifNotExists {
			return nil
		}
		return sqlError(1050, "42S01", fmt.Sprintf("Table '%s' already exists", name.name))
	}
	table := &tableRule{Schema: schema, Name: name.name, Kind: single, Shards: ss.server.catalogue.shards(schema)}
	body, start, err := readTableRule(t, name.next, table)
	if err != nil {
		return err
	}
	for _, p := range []*partition{table.DB, table.TB} {
		if p != nil {
			p.Floor = ss.server.cfg.FloorModulo
		}
	}
	create := func(physical string) string { return "CREATE TABLE " + quoteName(physical) + " " + body }
	return ss.makeTable(table, create, start)
}

// makeTable creates the first physical table, judges the sharding keys by its
// columns, then creates the others. A failure leaves nothing behind.
func (ss *session) makeTable(table *tableRule, create func(string) string, start uint64) error {
	list := table.targets()
	drop := func(list []target) {
		_ = ss.everywhere(table.Schema, list, func(physical string) string { return "DROP TABLE IF EXISTS " + quoteName(physical) })
	}
	if err := ss.everywhere(table.Schema, list[:1], create); err != nil {
		return err
	}
	var err error
	if table.Columns, err = ss.columnsOf(table.Schema, list[0]); err == nil {
		err = judgeKeys(table)
	}
	if err != nil {
		drop(list[:1])
		return err
	}
	if err := ss.everywhere(table.Schema, list[1:], create); err != nil {
		drop(list)
		return err
	}
	if c := table.auto(); c != nil {
		if err := ss.server.sequences.drop(ss.ctx, table.Schema, table.Name); err != nil {
			return err
		}
		if err := ss.server.sequences.create(ss.ctx, table.Schema, table.Name, table.Name, c.Name, start); err != nil {
			return err
		}
	}
	return ss.server.catalogue.put(ss.ctx, table)
}

func checkTableName(name string) error {
	switch {
	case !tableName.MatchString(name):
		return refuse("D-53", "table names have letters, digits and _ only")
	case len(name) > 60: // room for the suffix of physical tables
		return sqlError(1059, "42000", fmt.Sprintf("Identifier name '%s' is too long", name))
	case strings.HasPrefix(strings.ToLower(name), "_ddm"):
		return refuse("D-53", "table names must not start with _ddm")
	case strings.EqualFold(name, "TBL_DRDS_TABLE"), strings.EqualFold(name, "MYCAT_SEQUENCE"):
		return refuse("D-74", "%s is an internal table", name)
	}
	return nil
}

// readTableRule splits CREATE TABLE after the name into what the nodes get and
// DDM's part: DBPARTITION BY …, TBPARTITION BY …, BROADCAST. It returns the
// table option AUTO_INCREMENT as the sequence's start.
func readTableRule(t *text, from int, table *tableRule) (body string, start uint64, err error) {
	start = 1
	if !t.at(from, "(") || t.at(from+1, "LIKE") {
		return "", 0, refuse("D-22", "CREATE TABLE … LIKE and … AS SELECT are not supported")
	}
	end, err := t.closing(from)
	if err != nil {
		return "", 0, err
	}
	rule := t.len()
	for i := end + 1; i < t.len(); i++ {
		switch {
		case t.at(i, "DBPARTITION"), t.at(i, "TBPARTITION"), t.at(i, "BROADCAST"):
			rule = min(rule, i)
		case t.at(i, "SELECT"), t.at(i, "AS") && i < rule:
			return "", 0, refuse("D-22", "CREATE TABLE … AS SELECT is not supported")
		case t.at(i, "AUTO_INCREMENT"):
			j := i + 1
			if t.at(j, "=") {
				j++
			}
			if v, perr := strconv.ParseUint(t.src(j), 10, 64); perr == nil && v > 0 {
				start = v
			}
		}
	}
	if rule < t.len() {
		if err := parsePartitions(t, rule, table); err != nil {
			return "", 0, err
		}
	}
	return t.between(from, rule), start, checkFeatures(table.Kind, t, from)
}

// checkFeatures refuses what sharded and broadcast tables cannot have (D-52).
func checkFeatures(kind tableKind, t *text, from int) error {
	if kind == single {
		return nil
	}
	for i := from; i < t.len(); i++ {
		if t.kind(i) != tokWord {
			continue
		}
		switch strings.ToUpper(t.src(i)) {
		case "REFERENCES":
			return refuse("D-52", "foreign keys are not supported on sharded and broadcast tables")
		case "FULLTEXT", "SPATIAL":
			return refuse("D-52", "full-text and spatial keys are not supported on sharded and broadcast tables")
		case "GEOMETRY", "POINT", "POLYGON", "LINESTRING", "MULTIPOINT", "MULTIPOLYGON", "MULTILINESTRING", "GEOMETRYCOLLECTION":
			if t.kind(i-1) == tokWord || t.kind(i-1) == tokQuoted { // a type after its column's name
				return refuse("D-52", "spatial columns are not supported on sharded and broadcast tables")
			}
		case "AS":
			if t.at(i+1, "(") {
				return refuse("D-52", "generated columns are not supported on sharded and broadcast tables")
			}
		}
	}
	return nil
}

// parsePartitions reads DBPARTITION BY a(c) [{ranges}] [TBPARTITION BY a(c)
// TBPARTITIONS n] or BROADCAST.
func parsePartitions(t *text, i int, table *tableRule) error {
	if t.at(i, "BROADCAST") {
		if i+1 != t.len() {
			return syntaxError("near '" + clip(t.from(i+1)) + "'")
		}
		table.Kind = broadcast
		return nil
	}
	if !t.starts(i, "DBPARTITION", "BY") {
		return refuse("D-51", "table sharding needs database sharding: DBPARTITION BY comes first")
	}
	table.Kind = sharded
	var err error
	if table.DB, i, err = parsePartition(t, i+2); err != nil {
		return err
	}
	if t.starts(i, "TBPARTITION", "BY") {
		if table.TB, i, err = parsePartition(t, i+2); err != nil {
			return err
		}
		n, perr := strconv.Atoi(t.src(i + 1))
		if !t.at(i, "TBPARTITIONS") || perr != nil || n < 1 {
			return refuse("D-51", "TBPARTITION BY needs TBPARTITIONS n")
		}
		table.Tables, i = n, i+2
	}
	if i != t.len() {
		return syntaxError("near '" + clip(t.from(i)) + "'")
	}
	return nil
}

func parsePartition(t *text, i int) (*partition, int, error) {
	p := &partition{Algorithm: strings.ToUpper(t.src(i))}
	if !t.at(i+1, "(") {
		return nil, 0, syntaxError("an algorithm with its column is expected near '" + clip(t.src(i)) + "'")
	}
	end, err := t.closing(i + 1)
	if err != nil {
		return nil, 0, err
	}
	j := i + 2
	if t.at(j+1, "(") {
		p.Function = strings.ToUpper(t.src(j))
		j += 2
	}
	name, isName := t.ident(j)
	if !isName {
		return nil, 0, syntaxError("the sharding key's name is missing")
	}
	p.Column = name
	if t.at(j+1, ",") {
		if p.Shift, err = strconv.Atoi(t.src(j + 2)); err != nil || p.Shift < 0 || p.Shift > 63 {
			return nil, 0, refuse("D-51", "RIGHT_SHIFT needs a number of bits")
		}
	}
	i = end + 1
	if t.at(i, "{") {
		end, err := t.closing(i)
		if err != nil {
			return nil, 0, err
		}
		if err := parseRanges(t, i+1, end, p); err != nil {
			return nil, 0, err
		}
		i = end + 1
	}
	return p, i, nil
}

// parseRanges reads 1-2=0, 3-4=1, default=7.
func parseRanges(t *text, i, end int, p *partition) error {
	for i < end {
		if t.starts(i, "DEFAULT", "=") {
			n, err := strconv.Atoi(t.src(i + 2))
			if err != nil {
				return refuse("D-51", "ranges look like {1-2=0, 3-4=1, default=7}")
			}
			p.Default, i = &n, i+3
		} else {
			from, err1 := strconv.ParseInt(t.src(i), 10, 64)
			to, err2 := strconv.ParseInt(t.src(i+2), 10, 64)
			shard, err3 := strconv.ParseInt(t.src(i+4), 10, 64)
			if err1 != nil || err2 != nil || err3 != nil || !t.at(i+1, "-") || !t.at(i+3, "=") {
				return refuse("D-51", "ranges look like {1-2=0, 3-4=1, default=7}")
			}
			p.Ranges, i = append(p.Ranges, span{from, to, shard}), i+5
		}
		if t.at(i, ",") {
			i++
		}
	}
	return nil
}

// judgeKeys checks algorithms against the columns' types (D-51).
func judgeKeys(table *tableRule) error {
	if table.DB == nil {
		return nil
	}
	if err := judgeKey(table, table.DB, false); err != nil {
		return err
	}
	if table.TB == nil {
		return nil
	}
	return judgeKey(table, table.TB, true)
}

// tableOnly are the algorithms for physical tables, with their largest number.
var tableOnly = map[string]int{"MM": 12, "DD": 31, "MMDD": 366, "WEEK": 7}

func judgeKey(table *tableRule, p *partition, forTables bool) error {
	_, c := table.column(p.Column)
	if c == nil {
		return refuse("D-51", "sharding key %s is no column of %s", p.Column, table.Name)
	}
	switch c.Type {
	case "tinyint", "smallint", "mediumint", "int", "bigint", "decimal":
		p.Kind = keyInteger
	case "char", "varchar":
		p.Kind = keyText
	case "date", "datetime", "timestamp":
		p.Kind = keyDate
	default:
		return refuse("D-51", "column %s of type %s cannot be a sharding key", c.Name, c.Type)
	}
	if p.Function != "" && (p.Kind != keyDate || !slices.Contains([]string{"YEAR", "MONTH", "WEEKOFYEAR", "DAY"}, p.Function)) {
		return refuse("D-51", "%s(%s) cannot be a sharding key", p.Function, p.Column)
	}
	valid := false
	switch p.Algorithm {
	case "HASH":
		valid = p.Kind != keyDate || p.Function != ""
	case "MOD_HASH", "MOD_HASH_CI":
		valid = p.Kind != keyDate
	case "RIGHT_SHIFT":
		valid = p.Kind == keyInteger
	case "RANGE":
		valid = p.Kind != keyText && !forTables
	case "YYYYMM", "YYYYDD", "YYYYWEEK":
		valid = p.Kind == keyDate
	case "MM", "DD", "MMDD", "WEEK":
		valid = p.Kind == keyDate && forTables
		if valid && table.Tables > tableOnly[p.Algorithm] {
			return refuse("D-51", "%s supports at most %d tables", p.Algorithm, tableOnly[p.Algorithm])
		}
	}
	if !valid {
		return refuse("D-51", "algorithm %s does not work for column %s of type %s", p.Algorithm, c.Name, c.Type)
	}
	return nil
}
