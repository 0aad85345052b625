package destination

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
)

// findings is what the first connection learns.
type findings struct {
	info     Info
	settings []mysqlconn.Setting
	checks   []check
	rowAlias bool
}

var kinds = []dialect.Kind{
	dialect.DDM, dialect.DBLE, dialect.Vitess, dialect.ShardingSphere, dialect.TiDB, dialect.MySQL, dialect.MariaDB,
}

// findOut asks over one connection without settings of ours.
func findOut(ctx context.Context, c mysqlconn.Config, kind string) (findings, error) {
	given := dialect.Kind(kind)
	if kind == "auto" {
		given = ""
	}
	if given != "" && !slices.Contains(kinds, given) {
		return findings{}, fault.UnknownKind.New("destination.kind", "%q", kind)
	}
	c.MaxConnections, c.Session = 1, nil
	db, err := mysqlconn.Open(ctx, c)
	if err != nil {
		return findings{}, fmt.Errorf("open destination: %w", err)
	}
	defer func() { _ = db.Close() }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return findings{}, fmt.Errorf("open destination: %w", mysqlconn.Fault(err, "connect"))
	}
	defer func() { _ = conn.Close() }()

	f := findings{info: Info{Effects: Effects{Lock: LockShare, Kill: KillConnection}}}
	if err := conn.QueryRowContext(ctx, "SELECT VERSION()").Scan(&f.info.Version); err != nil {
		return f, fmt.Errorf("ask the version: %w", mysqlconn.Fault(err, "destination"))
	}
	f.info.Kind = given
	if given == "" {
		if f.info.Kind, err = findKind(ctx, conn, f.info.Version); err != nil {
			return f, err
		}
	}
	f.info.MaxPacket = number(ctx, conn, "SELECT @@max_allowed_packet")
	f.rowAlias = f.info.Kind == dialect.MySQL && hasRowAlias(f.info.Version)
	f.settings, f.checks, err = choose(ctx, conn)
	return f, err
}

// findKind knows products by what they print, and DDM and Vitess by the
// statements that only they understand. An unknown product counts as MySQL.
func findKind(ctx context.Context, conn *sql.Conn, version string) (dialect.Kind, error) {
	var comment sql.NullString
	if err := conn.QueryRowContext(ctx, "SELECT @@version_comment").Scan(&comment); err != nil && mysqlconn.IsConnectionLost(err) {
		return "", mysqlconn.Fault(err, "destination")
	}
	printed := strings.ToLower(version + " " + comment.String)
	for _, k := range []dialect.Kind{dialect.TiDB, dialect.DBLE, dialect.ShardingSphere, dialect.Vitess} {
		if strings.Contains(printed, string(k)) {
			return k, nil
		}
	}
	for _, try := range []struct {
		statement string
		kind      dialect.Kind
	}{{"SHOW VITESS_SHARDS", dialect.Vitess}, {"SHOW DATA NODE", dialect.DDM}, {"SHOW RULE", dialect.DDM}} {
		ok, err := understands(ctx, conn, try.statement)
		if err != nil {
			return "", err
		}
		if ok {
			return try.kind, nil
		}
	}
	if strings.Contains(printed, "mariadb") {
		return dialect.MariaDB, nil
	}
	return dialect.MySQL, nil
}

// understands says whether a statement has a meaning there: it succeeds, or
// wants a schema to be chosen first.
func understands(ctx context.Context, conn *sql.Conn, statement string) (bool, error) {
	rows, err := conn.QueryContext(ctx, statement)
	if err == nil {
		defer func() { _ = rows.Close() }()
		err = rows.Err()
	}
	switch {
	case err == nil:
		return true, nil
	case mysqlconn.Number(err) == errNoSchema:
		return true, nil
	case mysqlconn.Number(err) != 0:
		return false, nil
	default:
		return false, mysqlconn.Fault(err, "destination")
	}
}

// Error numbers that are no failure here.
const (
	errNoSchema      = 1046
	errUnknownSchema = 1049
	errTableExists   = 1050
	errNoTable       = 1146
)

// number reads one number, 0 when the server does not tell it.
func number(ctx context.Context, conn *sql.Conn, query string) int64 {
	var n sql.NullInt64
	if err := conn.QueryRowContext(ctx, query).Scan(&n); err != nil {
		return 0
	}
	return n.Int64
}

// hasRowAlias says whether INSERT … AS new works: MySQL 8.0.19 and later.
func hasRowAlias(version string) bool {
	var major, minor, patch int
	if n, _ := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); n < 3 {
		return false
	}
	return major > 8 || major == 8 && (minor > 0 || patch >= 19)
}
