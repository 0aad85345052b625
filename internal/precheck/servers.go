package precheck

import (
	"context"
	"fmt"
	"strings"

	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/table"
)

func serverItems() []item {
	i := func(code, title string, needs []string, run func(context.Context, *Env) (finding, error)) item {
		return item{code: code, group: groupParameters, title: title, needs: needs, run: run}
	}
	out := []item{
		i("srcSkipNameResolve", "Source resolves no names of clients", onSource, nameResolution),
		i("srcPerconaJemalloc", "Percona Server 5.6 and 5.7 use jemalloc", onSource, jemalloc),
		i("dbTimeZoneTables", "Named time zones exist on both sides", onBoth, timeZoneTables),
		i("sourceEncryptTableActionChecker", "No table is encrypted at rest", onSource, encryptedTables),
		i("sourceCheckDynamicMasking", "Source masks no values", onSource, sourceMasking),
		i("targetCheckDynamicMasking", "Destination masks no values", onDestination, targetMasking),
	}
	for _, c := range comparisons() {
		out = append(out, i(c.code, c.title, onBoth, c.run))
	}
	return out
}

// comparison is a global variable that should be equal on both sides: for
// applications, as the task's own sessions have their own values.
type comparison struct {
	code, title string
	variables   []string
	effect      string
}

func comparisons() []comparison {
	return []comparison{
		{
			"dbCollationServerConsistency", "Default character sets and collations are equal",
			[]string{"character_set_server", "collation_server"},
			"tables that are created without a character set get another one",
		},
		{
			"innodbStrictModeConsistency", "innodb_strict_mode is equal",
			[]string{"innodb_strict_mode"},
			"CREATE and ALTER TABLE with odd options succeed on one side only",
		},
		{
			"dbGroupConcatMaxLenConsistency", "group_concat_max_len is equal",
			[]string{"group_concat_max_len"},
			"GROUP_CONCAT cuts its results elsewhere",
		},
		{
			"mysqlBlockEncryptionModeInconsistency", "block_encryption_mode is equal",
			[]string{"block_encryption_mode"},
			"AES_DECRYPT gives NULL or other bytes for values that the other side encrypted",
		},
	}
}

func (c comparison) run(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	var g graded
	for _, name := range c.variables {
		from, there := s.capabilities.Variable(name)
		to, err := one(ctx, d.DB(), "SELECT @@GLOBAL."+name)
		if refused(err) || !there {
			continue // one side does not have it, or does not tell
		}
		if err != nil {
			return finding{}, mysqlconn.Fault(err, "destination")
		}
		if a, b := sameSpelling(from), sameSpelling(to); a != b {
			g.alarm("%s: %s on the source, %s on the destination", name, from, to)
		}
	}
	return g.finding("equal, or not told: "+strings.Join(c.variables, ", "), "", "settings differ: applications may see that "+c.effect,
		fmt.Sprintf("SET GLOBAL %s = <the source's>; on the destination and its data nodes, or let applications set it. The task itself is not touched", c.variables[0])), nil
}

// sameSpelling makes equal what servers write differently.
func sameSpelling(value string) string {
	switch v := strings.ToLower(value); {
	case v == "on":
		return "1"
	case v == "off":
		return "0"
	case strings.HasPrefix(v, "utf8mb3"):
		return "utf8" + strings.TrimPrefix(v, "utf8mb3")
	default:
		return v
	}
}

func nameResolution(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	if s.capabilities.IsOn("skip_name_resolve") {
		return pass("skip_name_resolve is ON"), nil
	}
	return alarm("skip_name_resolve is OFF: each connection of the task waits for the source's DNS, and fails when that is slow",
		"[mysqld]\nskip_name_resolve = ON\nThen restart the source; or make sure that the workers' addresses have names that its DNS knows. With it, accounts are matched by address only."), nil
}

// jemalloc: Percona Server 5.6 and 5.7 without it ran out of memory on queries
// for metadata (drs.md 10.35).
func jemalloc(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	c := s.capabilities
	return jemallocOf(c.Number, func(name string) string { return strings.ToLower(c.VariableOr(name, "")) }), nil
}

func jemallocOf(number int, variable func(string) string) finding {
	isPercona := strings.Contains(variable("version_comment"), "percona")
	if !isPercona || number < 50600 || number >= 50800 {
		return pass("the source is no Percona Server 5.6 or 5.7")
	}
	if variable("jemalloc_detected") == "on" || strings.Contains(variable("version_malloc_library"), "jemalloc") {
		return pass("jemalloc is in use")
	}
	return alarm("Percona Server does not use jemalloc, or does not tell: reading the catalogue may cost the server its memory",
		"install jemalloc on the source's machine, set LD_PRELOAD (or malloc-lib in [mysqld_safe]) to libjemalloc.so, and restart the source")
}

// timeZoneTables: the task uses +00:00; applications may use names.
func timeZoneTables(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	const query = "SELECT CONVERT_TZ('2024-01-01 00:00:00', 'UTC', 'Europe/Berlin')"
	from, err := one(ctx, s.db, query)
	if err != nil {
		return finding{}, mysqlconn.Fault(err, "source")
	}
	to, err := one(ctx, d.DB(), query)
	switch {
	case refused(err):
		return pass("the destination does not tell; the task itself uses +00:00"), nil
	case err != nil:
		return finding{}, mysqlconn.Fault(err, "destination")
	case from != "" && to == "":
		return alarm("the destination has no named time zones, the source has: SET time_zone = '<name>' and CONVERT_TZ fail there",
			"mysql_tzinfo_to_sql /usr/share/zoneinfo | mysql mysql; on the destination (on DDM's data nodes in their console), if applications use names"), nil
	default:
		return pass("named time zones work on the destination, or on neither side"), nil
	}
}

// createOptions returns CREATE_OPTIONS of the tables of the selected schemas.
func (e *Env) createOptions(ctx context.Context) (map[table.Name]string, error) {
	return e.createOption.get(func() (map[table.Name]string, error) {
		s, err := e.src(ctx)
		if err != nil {
			return nil, err
		}
		out := map[table.Name]string{}
		for _, schema := range e.config.Spec.Objects.Schemas() {
			rows, err := records(ctx, s.db, "SELECT TABLE_NAME AS name, CREATE_OPTIONS AS options FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_TYPE = 'BASE TABLE'", schema)
			if err != nil {
				return nil, mysqlconn.Fault(err, schema)
			}
			for _, r := range rows {
				out[table.Name{Schema: schema, Table: r["name"]}] = strings.ToLower(r["options"])
			}
		}
		return out, nil
	})
}

// encryptedTables (PC-60): the server decrypts what it sends; the destination
// stores it as it is set up itself.
func encryptedTables(ctx context.Context, e *Env) (finding, error) {
	pairs, err := e.selectedOnSource(ctx)
	if err != nil {
		return finding{}, err
	}
	options, err := e.createOptions(ctx)
	if err != nil {
		return finding{}, err
	}
	var g graded
	for _, p := range pairs {
		o := strings.NewReplacer(`"`, "", "'", "", "`", "").Replace(options[p.source.Name])
		if strings.Contains(o, "encryption=y") || strings.Contains(o, "encrypted=yes") {
			g.alarm("%s", p.source.Name)
		}
	}
	return g.finding("no selected table is encrypted at rest", "", "tables are encrypted at rest on the source; their rows arrive in clear",
		"encrypt the destination's data nodes (their disks, or the tables by ENCRYPTION='Y'), or confirm that clear storage is allowed"), nil
}

func sourceMasking(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	return e.masking(ctx, s.db, "source")
}

func targetMasking(ctx context.Context, e *Env) (finding, error) {
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	return e.masking(ctx, d.DB(), "destination")
}

// masking (PC-60) looks for what could mask values that a SELECT returns: a
// plugin or component of that name, a variable, a proxy that can do it. A masked
// value that was copied is lost.
func (e *Env) masking(ctx context.Context, q mysqlconn.Querier, side string) (finding, error) {
	var g graded
	for _, question := range []struct{ query, column, what string }{
		{"SELECT PLUGIN_NAME AS name FROM information_schema.PLUGINS WHERE PLUGIN_NAME LIKE '%mask%' AND PLUGIN_STATUS = 'ACTIVE'", "name", "plugin"},
		{"SELECT component_urn AS name FROM mysql.component WHERE component_urn LIKE '%mask%'", "name", "component"},
		{"SHOW GLOBAL VARIABLES LIKE '%masking%'", "variable_name", "variable"},
	} {
		rows, err := records(ctx, q, question.query)
		if refused(err) {
			continue
		}
		if err != nil {
			return finding{}, mysqlconn.Fault(err, side)
		}
		for _, r := range rows {
			if v := sameSpelling(r["value"]); question.what != "variable" || v != "0" && v != "" {
				g.alarm("%s %s", question.what, r[question.column])
			}
		}
	}
	comment, err := one(ctx, q, "SELECT @@version_comment")
	if err != nil && !refused(err) {
		return finding{}, mysqlconn.Fault(err, side)
	}
	version, err := one(ctx, q, "SELECT VERSION()")
	if err != nil && !refused(err) {
		return finding{}, mysqlconn.Fault(err, side)
	}
	for _, proxy := range []string{"maxscale", "proxysql"} {
		if strings.Contains(strings.ToLower(comment+" "+version), proxy) {
			g.alarm("the address is a proxy (%s) that may mask values", proxy)
		}
	}
	return g.finding("nothing is known that masks values", "", "values may be masked for the account: masked ones would be copied, or taken for differences",
		"exempt the account of the task from every masking rule, and connect to the server itself; then confirm"), nil
}

// encryption is what isUserRequireSslLink and dstSslConnection have in common.
func encryption(isEncrypted bool, mode, side string) finding {
	if !isEncrypted {
		return alarm("the connection to the "+side+" is not encrypted: password and rows can be read on the way",
			"set "+side+".tls.mode: required (or verify-ca with ca_file) in the task file; or confirm that the network is yours and the account needs no TLS")
	}
	if mode == mysqlconn.TLSPreferred || mode == mysqlconn.TLSRequired {
		return pass("the connection is encrypted; who answers is not verified (tls.mode: verify-ca would)")
	}
	return pass("the connection is encrypted and its certificate is verified")
}

func sourceEncryption(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	if f, bad := certificates(e.config.Source.TLS, "source"); bad {
		return f, nil
	}
	return encryption(s.capabilities.Encrypted, e.config.Source.TLS.Mode, "source"), nil
}

func destinationEncryption(ctx context.Context, e *Env) (finding, error) {
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	c := e.config.Destination
	if f, bad := certificates(c.TLS, "destination"); bad {
		return f, nil
	}
	encrypted := c.TLS.Mode != mysqlconn.TLSDisabled
	if c.TLS.Mode == mysqlconn.TLSPreferred {
		rows, err := records(ctx, d.DB(), "SHOW SESSION STATUS LIKE 'Ssl_cipher'")
		if err != nil && !refused(err) {
			return finding{}, mysqlconn.Fault(err, "destination")
		}
		encrypted = len(rows) > 0 && rows[0]["value"] != ""
	}
	return encryption(encrypted, c.TLS.Mode, "destination"), nil
}

// gtidFormat (PC-59): the set of executed transactions must be one that we read.
func gtidFormat(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	variable := "gtid_executed"
	if s.capabilities.Flavor == position.MariaDB {
		variable = "gtid_binlog_pos"
	}
	if !s.capabilities.GTID {
		return pass("the source has no GTIDs"), nil
	}
	text, err := one(ctx, s.db, "SELECT @@GLOBAL."+variable)
	if err != nil {
		return finding{}, mysqlconn.Fault(err, variable)
	}
	if _, err := position.ParseSet(s.capabilities.Flavor, text); err != nil {
		return fail(variable+" has a form that is not understood", "report the server's version and the form (SELECT @@GLOBAL."+variable+";); with GTIDs off the task follows file and offset", err.Error()), nil
	}
	if ranges := strings.Count(text, ":"); ranges > manyRanges {
		return alarm(fmt.Sprintf("%s has %d ranges: every checkpoint carries them", variable, ranges),
			"gaps come from transactions that were skipped or injected; purge what no replica needs, or be ready for larger checkpoints"), nil
	}
	return pass("%s is understood", variable), nil
}

// manyRanges is where a GTID set, which each checkpoint holds, becomes large.
const manyRanges = 10_000
