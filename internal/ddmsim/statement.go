package ddmsim

import (
	"strings"

	"vitess.io/vitess/go/sqltypes"
)

var ok = &sqltypes.Result{}

// statement scans a statement and hands it to the file that knows its kind.
func (ss *session) statement(sql string) (*sqltypes.Result, error) {
	t, err := scan(sql)
	if err != nil {
		return nil, err
	}
	if t.len() == 0 {
		return nil, sqlError(1065, "42000", "Query was empty")
	}
	h, err := ss.readHints(t)
	if err != nil {
		return nil, err
	}
	if err := ss.checkTokens(t, h); err != nil {
		return nil, err
	}
	switch first := strings.ToUpper(t.src(0)); first {
	case "SELECT", "(", "TABLE", "VALUES", "WITH":
		return ss.selectStatement(t, h)
	case "INSERT", "REPLACE":
		return ss.insert(t, h)
	case "UPDATE", "DELETE":
		return ss.updateOrDelete(t, h)
	case "BEGIN", "START", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "XA":
		return ss.transactionStatement(t)
	case "SET":
		return ss.set(t)
	case "USE":
		return ss.use(t)
	case "SHOW", "DESC", "DESCRIBE", "EXPLAIN":
		return ss.show(t)
	case "CREATE", "ALTER", "DROP", "TRUNCATE", "RENAME":
		return ss.define(t, h)
	case "FRESH":
		return ss.freshSequences(t)
	case "CHECK", "KILL", "DDMSIM":
		return ss.admin(t)
	case "PREPARE", "EXECUTE", "DEALLOCATE":
		return nil, refuse("D-15", "%s in SQL is not supported; the binary protocol is", first)
	case "LOAD":
		return nil, refuse("D-38", "LOAD DATA is not supported by this stand-in")
	case "GRANT", "REVOKE":
		return nil, refuse("D-72", "accounts are managed in the console")
	case "CALL", "DO", "HANDLER", "LOCK", "UNLOCK", "FLUSH", "RESET", "PURGE", "CHANGE", "INSTALL", "UNINSTALL", "SHUTDOWN", "OPTIMIZE", "REPAIR", "ANALYZE":
		return nil, refuse("D-52", "%s is not supported", first)
	default:
		return nil, syntaxError("near '" + clip(t.sql) + "'")
	}
}

// hints are the /*+ … */ directives of a statement.
type hints struct {
	shard int // of db=<schema>_NNNN, -1 without
	db    string
}

// readHints knows db=…, db_type=… and skips the others. D-43: the shard hint
// works in the text protocol only.
func (ss *session) readHints(t *text) (hints, error) {
	h := hints{shard: -1}
	for _, raw := range t.hints {
		for _, part := range strings.FieldsFunc(strings.TrimPrefix(raw, "mycat:"), func(r rune) bool { return r == ',' || r == ' ' }) {
			key, value, _ := strings.Cut(part, "=")
			if !strings.EqualFold(strings.TrimSpace(key), "db") {
				continue
			}
			if ss.binary {
				return h, refuse("D-43", "the shard hint works in the text protocol only")
			}
			name := strings.ToLower(strings.TrimSpace(value))
			i := strings.LastIndexByte(name, '_')
			if i < 0 || ss.server.catalogue.shards(name[:i]) == 0 {
				return h, refuse("D-43", "hint names the unknown shard %s", clip(name))
			}
			schema := name[:i]
			for s := range ss.server.catalogue.shards(schema) {
				if physicalDatabase(schema, s) == name {
					h.shard, h.db = s, schema
				}
			}
			if h.shard < 0 {
				return h, refuse("D-43", "hint names the unknown shard %s", clip(name))
			}
		}
	}
	return h, nil
}

// limit keeps the targets that the shard hint allows.
func (h hints) limit(list []target) []target {
	if h.shard < 0 {
		return list
	}
	var out []target
	for _, t := range list {
		if t.shard == h.shard {
			out = append(out, t)
		}
	}
	return out
}

func (ss *session) use(t *text) (*sqltypes.Result, error) {
	name, isName := t.ident(1)
	if !isName || t.len() != 2 {
		return nil, syntaxError("USE needs a schema")
	}
	if !strings.EqualFold(name, "information_schema") {
		if _, err := ss.need(name); err != nil {
			return nil, err
		}
	}
	ss.schema = strings.ToLower(name)
	return ok, nil
}

func (ss *session) transactionStatement(t *text) (*sqltypes.Result, error) {
	switch {
	case t.at(0, "SAVEPOINT"), t.at(0, "RELEASE"), t.at(0, "XA"), t.at(0, "ROLLBACK") && (t.at(1, "TO") || t.at(2, "TO")):
		return nil, refuse("D-18", "SAVEPOINT and XA are not supported")
	case t.at(0, "BEGIN"), t.starts(0, "START", "TRANSACTION"):
		return ok, ss.begin()
	case t.at(0, "COMMIT"):
		return ok, ss.commit()
	case t.at(0, "ROLLBACK"):
		ss.rollback()
		return ok, nil
	}
	return nil, syntaxError("near '" + clip(t.sql) + "'")
}
