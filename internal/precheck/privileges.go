package precheck

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/position"
	"shardlift/internal/task"
)

func privilegeItems() []item {
	return []item{
		{code: "srcDbPrivilegesIsEnough", group: groupPrivilege, title: "Source account has the privileges for the full copy", needs: onSource, run: sourceFull},
		{code: "srcDbPrivilegesIsEnoughForIncre", group: groupPrivilege, title: "Source account may read the binlog", needs: onSource, incremental: true, run: sourceIncremental},
		{code: "srcDbPrivilegesForInsight", group: groupPrivilege, title: "Source account sees what could block the start", needs: onSource, incremental: true, run: sourceInsight},
		{code: "dstDbPrivilegesIsEnough", group: groupPrivilege, title: "Destination account has the privileges to write", needs: onDestination, run: destinationPrivileges},
	}
}

const (
	sourceUser      = "source-user"
	destinationUser = "destination-user"
)

func (e *Env) grantsOfSource(ctx context.Context) (grants, error) {
	return e.sourceGrants.get(func() (grants, error) {
		s, err := e.src(ctx)
		if err != nil {
			return grants{}, err
		}
		return readGrants(ctx, s.db)
	})
}

func (e *Env) grantsOfDestination(ctx context.Context) (grants, error) {
	return e.targetGrants.get(func() (grants, error) {
		d, err := e.dst(ctx)
		if err != nil {
			return grants{}, err
		}
		return readGrants(ctx, d.DB())
	})
}

// lacking collects missing privileges by target and writes the GRANTs.
type lacking struct {
	g    grants
	user string
	// needed and useful: without the first ones the task fails.
	needed, useful []string
	statements     []string
}

func (l *lacking) add(target string, needed, useful []string) {
	if len(needed) > 0 {
		l.needed = append(l.needed, strings.Join(needed, ", ")+" on "+target)
	}
	if len(useful) > 0 {
		l.useful = append(l.useful, strings.Join(useful, ", ")+" on "+target)
	}
	if missing := slices.Concat(needed, useful); len(missing) > 0 {
		l.statements = append(l.statements, l.g.statement(missing, target, l.user))
	}
}

func (l *lacking) finding(passed, useless string) finding {
	remedy := strings.Join(l.statements, "\n")
	switch {
	case len(l.needed) > 0:
		return fail("insufficient user permissions", remedy, slices.Concat(l.needed, l.useful)...)
	case len(l.useful) > 0:
		return alarm(useless, remedy, l.useful...)
	default:
		return pass("%s", passed)
	}
}

// without returns those privileges that has says no to.
func without(privileges []string, has func(string) bool) []string {
	return slices.DeleteFunc(slices.Clone(privileges), has)
}

func unreadable(side string) finding {
	return alarm("the "+side+" does not tell the account's privileges", "make sure that the account has the privileges of docs/precheck/srcDbPrivilegesIsEnough.md")
}

// sourceFull: rows need SELECT; DRS's accounts have SHOW VIEW and EVENT too.
func sourceFull(ctx context.Context, e *Env) (finding, error) {
	g, err := e.grantsOfSource(ctx)
	if err != nil {
		return finding{}, err
	}
	if !g.readable {
		return unreadable("source"), nil
	}
	l := lacking{g: g, user: sourceUser}
	for _, schema := range e.config.Spec.Objects.Schemas() {
		has := func(p string) bool { return g.onSchema(p, schema) }
		needed := without([]string{"SELECT"}, func(p string) bool { return has(p) || e.namedOnly(schema, p, g) })
		l.add(dialect.QuoteName(schema)+".*", needed, without([]string{"SHOW VIEW", "EVENT"}, has))
	}
	return l.finding("the account may read the selected tables", "views and events stay unseen; they are not migrated, so nothing is lost"), nil
}

// namedOnly: every table of the schema is selected by name and may be read.
// Under a wildcard a table that the account does not see would be missing silently.
func (e *Env) namedOnly(schema, privilege string, g grants) bool {
	for _, r := range e.config.Spec.Objects {
		if r.Schema != schema {
			continue
		}
		if len(r.Tables) == 0 || slices.ContainsFunc(r.Tables, func(t string) bool { return strings.ContainsAny(t, "*?") }) {
			return false
		}
	}
	for _, n := range e.config.Spec.Objects.Named() {
		if n.Schema == schema && !g.onTable(privilege, n) {
			return false
		}
	}
	return true
}

func sourceIncremental(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	g, err := e.grantsOfSource(ctx)
	if err != nil {
		return finding{}, err
	}
	if !g.readable {
		return unreadable("source"), nil
	}
	l := lacking{g: g, user: sourceUser}
	locks := needsLocks(s) && !g.onServer("RELOAD")
	for _, schema := range e.config.Spec.Objects.Schemas() {
		missing := without([]string{"LOCK TABLES"}, func(p string) bool { return g.onSchema(p, schema) })
		if locks {
			l.add(dialect.QuoteName(schema)+".*", missing, nil)
		} else {
			l.add(dialect.QuoteName(schema)+".*", nil, missing)
		}
	}
	l.add("*.*", without([]string{"REPLICATION SLAVE", "REPLICATION CLIENT"}, func(p string) bool {
		return g.onServer(p) || p == "REPLICATION CLIENT" && g.onServer("SUPER")
	}), nil)
	return l.finding("the account may read the binlog", "LOCK TABLES is not needed while this source has GTIDs"), nil
}

// needsLocks says whether the start position is taken under LOCK TABLES (rule 1).
func needsLocks(s *server) bool {
	c := s.capabilities
	return c.Flavor == position.MySQL && (c.Number < 50700 || !c.GTID)
}

// sourceInsight names what an account of the documented kind does not see.
func sourceInsight(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	g, err := e.grantsOfSource(ctx)
	if err != nil {
		return finding{}, err
	}
	if !g.readable {
		return unreadable("source"), nil
	}
	var unseen, missing []string
	lack := func(privilege, what string) {
		if !g.onServer(privilege) {
			missing = append(missing, privilege)
			unseen = append(unseen, "without "+privilege+": "+what)
		}
	}
	if s.capabilities.Flavor == position.MySQL && s.capabilities.Number >= 80000 {
		lack("XA_RECOVER_ADMIN", "XA transactions that were prepared before the start; their rows would be missing")
	}
	lack("PROCESS", "open transactions of other accounts at start and stop")
	if needsLocks(s) {
		lack("RELOAD", "no way to take the start position when LOCK TABLES waits too long")
	}
	if len(missing) == 0 {
		return pass("the account sees prepared and open transactions"), nil
	}
	return alarm("the account cannot see everything that matters at start and stop", g.statement(missing, "*.*", sourceUser), unseen...), nil
}

// Privileges on the destination: those of DRS's DDM accounts (drs.md 1.7).
var (
	writePrivileges  = []string{"CREATE", "DROP", "ALTER", "INSERT", "DELETE", "UPDATE", "SELECT"}
	usefulPrivileges = []string{"INDEX"}
)

func destinationPrivileges(ctx context.Context, e *Env) (finding, error) {
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	g, err := e.grantsOfDestination(ctx)
	if err != nil {
		return finding{}, err
	}
	schemas := e.destinationSchemas()
	if !g.readable {
		return e.tryReading(ctx, d, schemas)
	}
	l := lacking{g: g, user: destinationUser}
	for _, schema := range schemas {
		has := func(p string) bool { return g.onSchema(p, schema) }
		l.add(dialect.QuoteName(schema)+".*", without(writePrivileges, has), without(usefulPrivileges, has))
	}
	f := l.finding("the account may write to every destination schema and the metadata schema", "INDEX belongs to the documented account; the task itself creates no index")
	if f.remedy != "" && isDDM(d) {
		f.remedy = "in DDM's console bind the account <" + destinationUser + "> to the schemas with CREATE, DROP, ALTER, INDEX, INSERT, DELETE, UPDATE and SELECT; by SQL:\n" + f.remedy
	}
	return f, nil
}

// destinationSchemas are those that are written, the metadata's included.
func (e *Env) destinationSchemas() []string {
	out := e.config.Spec.Objects.DestinationSchemas()
	if m := e.metadataSchema(); !slices.Contains(out, m) {
		out = append(out, m)
	}
	return out
}

func (e *Env) metadataSchema() string {
	if m := e.config.Spec.Destination.MetadataSchema; m != "" {
		return m
	}
	return e.config.Spec.Objects.DestinationSchemas()[0]
}

// tryReading is for servers without SHOW GRANTS (DDM before 3.0.2): what can be
// tried without a write.
func (e *Env) tryReading(ctx context.Context, d *destination.Destination, schemas []string) (finding, error) {
	for _, schema := range schemas {
		if _, err := d.Tables(ctx, schema); err != nil {
			return finding{}, fmt.Errorf("try the %s account: %w", task.DestinationSide, err)
		}
	}
	return unreadable("destination"), nil
}
