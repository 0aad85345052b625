package ddmsim

import (
	"strconv"
	"strings"

	"vitess.io/vitess/go/sqltypes"
)

// show answers SHOW, DESCRIBE and EXPLAIN: what DDM adds, and MySQL's own with
// the logical names.
func (ss *session) show(t *text) (*sqltypes.Result, error) {
	if !t.at(0, "SHOW") {
		return ss.describe(t)
	}
	i := 1
	for t.at(i, "FULL") || t.at(i, "EXTENDED") || t.at(i, "GLOBAL") || t.at(i, "SESSION") {
		i++
	}
	switch {
	case t.at(i, "RULE"):
		return ss.showRule(t, i+1)
	case t.at(i, "TOPOLOGY"):
		return ss.showTopology(t, i+1)
	case t.starts(i, "DATA", "NODE"):
		return ss.showDataNode()
	case t.at(i, "SEQUENCES"):
		return ss.showSequences()
	case t.at(i, "PHYSICAL"):
		return ss.physicalProcesses(t.starts(i+2, "WITH", "INFO"))
	case t.at(i, "PROCESSLIST"):
		return ss.processes(t.at(1, "FULL")), nil
	case t.starts(i, "DB", "STATUS"):
		return ss.showStatus(), nil
	case t.at(i, "WARNINGS"), t.at(i, "ERRORS"):
		return textResult([]string{"Level", "Code", "Message"}, nil), nil // D-21: they are lost
	case t.at(i, "PROFILES"), t.at(i, "PROFILE"):
		return nil, refuse("D-21", "SHOW %s is not supported", strings.ToUpper(t.src(i)))
	case t.at(i, "GRANTS"):
		return ss.showGrants(), nil
	case t.at(i, "DATABASES"), t.at(i, "SCHEMAS"):
		return ss.showDatabases(t, i+1)
	case t.at(i, "TABLES"):
		return ss.showTables(t, i+1)
	case t.starts(i, "TABLE", "STATUS"):
		return ss.showTableStatus(t, i+2)
	case t.at(i, "VARIABLES"):
		return ss.showVariables(t)
	case t.at(i, "COLUMNS"), t.at(i, "FIELDS"), t.at(i, "INDEX"), t.at(i, "INDEXES"), t.at(i, "KEYS"):
		return ss.showOfTable(t, i+1)
	case t.starts(i, "CREATE", "TABLE"):
		return ss.showCreateTable(t, i+2)
	case t.at(i, "CREATE") && (t.at(i+1, "DATABASE") || t.at(i+1, "SCHEMA")):
		return ss.showCreateDatabase(t, i+2)
	case t.at(i, "CHARACTER"), t.at(i, "CHARSET"), t.at(i, "COLLATION"), t.at(i, "ENGINES"), t.at(i, "STATUS"):
		return ss.ask(ss.anyPlace(), t.sql)
	case t.at(i, "MASTER"), t.at(i, "BINARY"), t.at(i, "SLAVE"), t.at(i, "REPLICA"), t.at(i, "BINLOG"):
		return nil, refuse("D-41", "SHOW %s is not supported", strings.ToUpper(t.src(i)))
	}
	return nil, refuse("D-41", "SHOW %s is not supported", clip(strings.ToUpper(t.src(i))))
}

func (ss *session) describe(t *text) (*sqltypes.Result, error) {
	name, err := t.object(1)
	if err != nil || t.at(0, "EXPLAIN") && t.len() > name.next {
		return nil, unsupported("EXPLAIN of statements")
	}
	table, err := ss.table(name)
	if err != nil {
		return nil, err
	}
	return ss.ask(ss.server.placeOf(table.Schema, 0), "SHOW COLUMNS FROM "+quoteName(table.physical(0)))
}

func (ss *session) showGrants() *sqltypes.Result {
	user := ss.server.cfg.User
	rows := [][]string{{"GRANT USAGE ON *.* TO '" + user + "'"}}
	for _, s := range ss.server.catalogue.schemaNames() {
		rows = append(rows, []string{"GRANT ALL PRIVILEGES ON " + s + ".* TO '" + user + "'"})
	}
	return textResult([]string{"Grants for " + user}, rows)
}

func (ss *session) showDatabases(t *text, i int) (*sqltypes.Result, error) {
	like, err := readLike(t, i)
	if err != nil {
		return nil, err
	}
	var rows [][]string
	for _, s := range append([]string{"information_schema"}, ss.server.catalogue.schemaNames()...) {
		if like(s) {
			rows = append(rows, []string{s})
		}
	}
	return textResult([]string{"Database"}, rows), nil
}

func (ss *session) showTables(t *text, i int) (*sqltypes.Result, error) {
	schema, i, err := ss.fromSchema(t, i)
	if err != nil {
		return nil, err
	}
	like, err := readLike(t, i)
	if err != nil {
		return nil, err
	}
	columns := []string{"Tables_in_" + schema}
	full := t.at(1, "FULL") || t.at(2, "FULL")
	if full {
		columns = append(columns, "Table_type")
	}
	var rows [][]string
	for _, r := range ss.server.catalogue.list(schema) {
		if !like(r.Name) {
			continue
		}
		row := []string{r.Name}
		if full {
			row = append(row, "BASE TABLE")
		}
		rows = append(rows, row)
	}
	return textResult(columns, rows), nil
}

// fromSchema reads [FROM|IN schema].
func (ss *session) fromSchema(t *text, i int) (string, int, error) {
	written := ""
	if t.at(i, "FROM") || t.at(i, "IN") {
		written, _ = t.ident(i + 1)
		i += 2
	}
	schema, err := ss.need(written)
	return strings.ToLower(schema), i, err
}

// readLike reads [LIKE 'pattern'].
func readLike(t *text, i int) (func(string) bool, error) {
	switch {
	case i >= t.len():
		return func(string) bool { return true }, nil
	case t.at(i, "LIKE") && t.kind(i+1) == tokString:
		pattern := unquote(t.src(i + 1))
		return func(s string) bool { return likeMatch(strings.ToLower(s), strings.ToLower(pattern)) }, nil
	}
	return nil, unsupported("SHOW … WHERE")
}

// likeMatch is SQL's LIKE with % and _ and \ as escape.
func likeMatch(s, p string) bool {
	for p != "" {
		switch {
		case p[0] == '%':
			for i := 0; i <= len(s); i++ {
				if likeMatch(s[i:], p[1:]) {
					return true
				}
			}
			return false
		case s == "":
			return false
		case p[0] == '\\' && len(p) > 1:
			if s[0] != p[1] {
				return false
			}
			p = p[1:]
		case p[0] != '_' && p[0] != s[0]:
			return false
		}
		s, p = s[1:], p[1:]
	}
	return s == ""
}

// showOfTable runs SHOW [FULL] COLUMNS|INDEX|KEYS FROM t [FROM db] [LIKE …].
func (ss *session) showOfTable(t *text, i int) (*sqltypes.Result, error) {
	name, err := t.object(i + 1)
	if err != nil {
		return nil, err
	}
	after := name.next
	if t.at(after, "FROM") || t.at(after, "IN") {
		name.schema, _ = t.ident(after + 1)
		after += 2
	}
	table, err := ss.table(name)
	if err != nil {
		return nil, err
	}
	r, err := ss.ask(ss.server.placeOf(table.Schema, 0), t.before(i)+"FROM "+quoteName(table.physical(0))+" "+t.from(after))
	if err != nil {
		return nil, err
	}
	for c, f := range r.Fields {
		if f.Name != "Table" {
			continue
		}
		for _, row := range r.Rows {
			row[c] = sqltypes.MakeTrusted(row[c].Type(), []byte(table.Name))
		}
	}
	return r, nil
}

func (ss *session) showCreateTable(t *text, i int) (*sqltypes.Result, error) {
	name, err := t.object(i)
	if err != nil {
		return nil, err
	}
	table, err := ss.table(name)
	if err != nil {
		return nil, err
	}
	physical := table.physical(0)
	r, err := ss.ask(ss.server.placeOf(table.Schema, 0), "SHOW CREATE TABLE "+quoteName(physical))
	if err != nil {
		return nil, err
	}
	row := r.Rows[0]
	create := strings.Replace(row[1].ToString(), "CREATE TABLE "+quoteName(physical), "CREATE TABLE "+quoteName(table.Name), 1)
	row[0] = sqltypes.MakeTrusted(row[0].Type(), []byte(table.Name))
	row[1] = sqltypes.MakeTrusted(row[1].Type(), []byte(create))
	return r, nil
}

func (ss *session) showCreateDatabase(t *text, i int) (*sqltypes.Result, error) {
	name, _ := t.ident(i)
	schema, err := ss.need(name)
	if err != nil {
		return nil, err
	}
	return textResult([]string{"Database", "Create Database"}, [][]string{{schema, "CREATE DATABASE " + quoteName(schema) + " /*!40100 DEFAULT CHARACTER SET utf8mb4 */"}}), nil
}

// showTableStatus is answered by one shard (D-41).
func (ss *session) showTableStatus(t *text, i int) (*sqltypes.Result, error) {
	schema, i, err := ss.fromSchema(t, i)
	if err != nil {
		return nil, err
	}
	like, err := readLike(t, i)
	if err != nil {
		return nil, err
	}
	r, err := ss.ask(ss.server.placeOf(schema, 0), "SHOW TABLE STATUS")
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, table := range ss.server.catalogue.list(schema) {
		names[table.physical(0)] = table.Name
	}
	kept := r.Rows[:0]
	for _, row := range r.Rows {
		logical, have := names[row[0].ToString()]
		if have && like(logical) {
			row[0] = sqltypes.MakeTrusted(row[0].Type(), []byte(logical))
			kept = append(kept, row)
		}
	}
	r.Rows = kept
	return r, nil
}

// showVariables is answered by one node (D-41); what the middleware fixes
// itself is put in its place.
func (ss *session) showVariables(t *text) (*sqltypes.Result, error) {
	r, err := ss.ask(ss.anyPlace(), t.sql)
	if err != nil {
		return nil, err
	}
	own := map[string]string{"version": ss.server.version(), "version_comment": versionComment, "max_allowed_packet": strconv.Itoa(ss.server.cfg.AdvertisedPacket)}
	for _, row := range r.Rows {
		if v, have := own[strings.ToLower(row[0].ToString())]; have {
			row[1] = sqltypes.MakeTrusted(row[1].Type(), []byte(v))
		}
	}
	return r, nil
}
