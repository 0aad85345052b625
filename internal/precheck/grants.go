package precheck

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"shardlift/internal/mysqlconn"
	"shardlift/internal/table"
)

// grants is what an account may do, as SHOW GRANTS tells it.
type grants struct {
	// readable is false when the server does not tell.
	readable bool
	// host is the account's host part as it stands in GRANT: "%", or a placeholder.
	host    string
	global  []string
	schemas []schemaGrant
	tables  map[table.Name][]string
	// revoked are partial revokes of MySQL 8: global privileges without a schema.
	revoked map[string][]string
}

// schemaGrant is a grant on pattern.*; pattern may have % and _ and \.
type schemaGrant struct {
	pattern    string
	privileges []string
}

// readGrants asks for the grants of the account and of its active roles.
func readGrants(ctx context.Context, q mysqlconn.Querier) (grants, error) {
	lines, err := grantLines(ctx, q, "SHOW GRANTS")
	if refused(err) {
		return grants{}, nil
	}
	if err != nil {
		return grants{}, mysqlconn.Fault(err, "grants")
	}
	// MySQL 8 and MariaDB list a role only by name; USING expands the active ones.
	roles, err := one(ctx, q, "SELECT CURRENT_ROLE()")
	if err != nil && !refused(err) {
		return grants{}, mysqlconn.Fault(err, "grants")
	}
	if err == nil && roles != "" && roles != "NONE" {
		more, err := grantLines(ctx, q, "SHOW GRANTS FOR CURRENT_USER() USING "+roles)
		if refused(err) {
			more, err = grantLines(ctx, q, "SHOW GRANTS FOR CURRENT_ROLE")
		}
		if err != nil && !refused(err) {
			return grants{}, mysqlconn.Fault(err, "grants")
		}
		lines = append(lines, more...)
	}
	g := parseGrants(lines)
	account, err := one(ctx, q, "SELECT CURRENT_USER()")
	if err != nil && !refused(err) {
		return grants{}, mysqlconn.Fault(err, "grants")
	}
	g.host = hostPart(account)
	return g, nil
}

// hostPart keeps "%"; any other host stays unsaid.
func hostPart(account string) string {
	if _, host, ok := strings.Cut(account, "@"); ok && host != "%" && host != "" {
		return "<host of the account>"
	}
	return "%"
}

func grantLines(ctx context.Context, q mysqlconn.Querier, statement string) ([]string, error) {
	found, err := records(ctx, q, statement)
	var out []string
	for _, r := range found {
		for _, line := range r {
			out = append(out, line)
		}
	}
	return out, err
}

// parseGrants reads lines of SHOW GRANTS. Lines of another form (roles, proxies,
// default roles) are skipped.
func parseGrants(lines []string) grants {
	g := grants{tables: map[table.Name][]string{}, revoked: map[string][]string{}}
	for _, line := range lines {
		verb, rest, _ := strings.Cut(line, " ")
		privileges, rest, ok := strings.Cut(rest, " ON ")
		if !ok {
			continue
		}
		schema, name, ok := readTarget(rest)
		if !ok {
			continue
		}
		list := splitPrivileges(privileges)
		g.readable = true
		switch {
		case verb == "REVOKE" && name == "*":
			g.revoked[schema] = append(g.revoked[schema], list...)
		case verb != "GRANT":
		case schema == "*" && name == "*":
			g.global = append(g.global, list...)
		case name == "*":
			g.addSchema(schema, list)
		default:
			n := table.Name{Schema: schema, Table: name}
			g.tables[n] = append(g.tables[n], list...)
		}
	}
	return g
}

func (g *grants) addSchema(pattern string, privileges []string) {
	for i := range g.schemas {
		if g.schemas[i].pattern == pattern {
			g.schemas[i].privileges = append(g.schemas[i].privileges, privileges...)
			return
		}
	}
	g.schemas = append(g.schemas, schemaGrant{pattern, privileges})
}

// splitPrivileges reads "SELECT, INSERT (a, b), EVENT": a privilege on columns
// is none on the table.
func splitPrivileges(text string) []string {
	var out []string
	depth, start := 0, 0
	for i, r := range text + "," {
		switch {
		case r == '(':
			depth++
		case r == ')':
			depth--
		case r == ',' && depth == 0:
			if word := strings.TrimSpace(text[start:i]); word != "" && !strings.Contains(word, "(") {
				out = append(out, normalPrivilege(word))
			}
			start = i + 1
		}
	}
	return out
}

// normalPrivilege gives names one spelling: MariaDB renamed some.
func normalPrivilege(word string) string {
	switch word = strings.ToUpper(word); word {
	case "ALL PRIVILEGES":
		return "ALL"
	case "BINLOG MONITOR":
		return "REPLICATION CLIENT"
	default:
		return word
	}
}

// readTarget reads what follows ON: `schema`.`table` TO …, schema.* TO …, *.* TO …
func readTarget(text string) (schema, name string, ok bool) {
	text = strings.TrimPrefix(text, "TABLE ")
	for _, kind := range []string{"FUNCTION ", "PROCEDURE ", "PACKAGE "} {
		if strings.HasPrefix(text, kind) {
			return "", "", false
		}
	}
	schema, text, ok = readName(text)
	if !ok || !strings.HasPrefix(text, ".") {
		return "", "", false
	}
	name, text, ok = readName(text[1:])
	return schema, name, ok && (text == "" || text[0] == ' ')
}

func readName(text string) (name, rest string, ok bool) {
	if text == "" {
		return "", "", false
	}
	quote := text[0]
	if quote != '`' && quote != '"' {
		end := strings.IndexAny(text, ". ")
		if end < 0 {
			end = len(text)
		}
		return text[:end], text[end:], end > 0
	}
	for i := 1; i < len(text); i++ {
		if text[i] != quote {
			continue
		}
		if i+1 < len(text) && text[i+1] == quote {
			i++
			continue
		}
		q := string(quote)
		return strings.ReplaceAll(text[1:i], q+q, q), text[i+1:], true
	}
	return "", "", false
}

// onServer says whether the account has a privilege on *.*.
func (g grants) onServer(privilege string) bool {
	return slices.Contains(g.global, privilege) || slices.Contains(g.global, "ALL")
}

// onSchema says whether the account has a privilege on schema.*.
func (g grants) onSchema(privilege, schema string) bool {
	if g.onServer(privilege) && !slices.Contains(g.revoked[schema], privilege) && !slices.Contains(g.revoked[schema], "ALL") {
		return true
	}
	// A server uses the most specific of the grants that match, and no other; of
	// equally specific ones it may be any.
	best, has := -1, false
	for _, s := range g.schemas {
		at := wildcardAt(s.pattern)
		if !like(s.pattern, schema) || at < best {
			continue
		}
		granted := slices.Contains(s.privileges, privilege) || slices.Contains(s.privileges, "ALL")
		has = granted && (has || at > best)
		best = at
	}
	return has
}

// onTable says whether the account has a privilege on one table.
func (g grants) onTable(privilege string, n table.Name) bool {
	list := g.tables[n]
	return g.onSchema(privilege, n.Schema) || slices.Contains(list, privilege) || slices.Contains(list, "ALL")
}

// wildcardAt is where the first wildcard stands, beyond everything without one.
func wildcardAt(pattern string) int {
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '\\':
			i++
		case '%', '_':
			return i
		}
	}
	return 1 << 30
}

// like matches as LIKE does, without regard to case as servers may store names.
func like(pattern, name string) bool {
	if pattern == "" {
		return name == ""
	}
	switch pattern[0] {
	case '%':
		for i := 0; i <= len(name); i++ {
			if like(pattern[1:], name[i:]) {
				return true
			}
		}
		return false
	case '\\':
		if len(pattern) > 1 {
			pattern = pattern[1:]
		}
	case '_':
		return name != "" && like(pattern[1:], name[1:])
	}
	return name != "" && strings.EqualFold(pattern[:1], name[:1]) && like(pattern[1:], name[1:])
}

// statement writes a GRANT; user is a placeholder that web fills in.
func (g grants) statement(privileges []string, target, user string) string {
	host := g.host
	if host == "" {
		host = "%"
	}
	return fmt.Sprintf("GRANT %s ON %s TO '<%s>'@'%s';", strings.Join(privileges, ", "), target, user, host)
}
