package precheck

import (
	"context"
	"fmt"
	"strings"

	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/position"
)

func versionItems() []item {
	return []item{
		{code: "srcDbVersionSupport", group: groupVersion, title: "Source version is supported", needs: onSource, run: sourceVersion},
		{code: "dstDbVersionSupport", group: groupVersion, title: "Destination version is supported", needs: onDestination, run: destinationVersion},
		{code: "dbVersionMeetRequirement", group: groupVersion, title: "Destination is not older than the source", needs: onBoth, run: versionOrder},
	}
}

// Versions that the test servers stand for.
const (
	oldestMySQL   = 50500
	newestMySQL   = 99999
	oldestMariaDB = 100000
	newestMariaDB = 119999
)

func sourceVersion(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	c := s.capabilities
	oldest, newest := oldestMySQL, newestMySQL
	if c.Flavor == position.MariaDB {
		oldest, newest = oldestMariaDB, newestMariaDB
	}
	const supported = "use MySQL 5.5 to 9.x or MariaDB 10 to 11 as source"
	switch {
	case c.Number < oldest:
		return fail(fmt.Sprintf("%s %s is too old", c.Flavor, c.Version), supported), nil
	case c.Number > newest:
		return alarm(fmt.Sprintf("%s %s is newer than what this version was tested with", c.Flavor, c.Version), "migrate a copy of the source first, and compare by values"), nil
	default:
		return pass("%s %s", c.Flavor, c.Version), nil
	}
}

func destinationVersion(ctx context.Context, e *Env) (finding, error) {
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	info := d.Info()
	number := versionNumber(info.Version)
	switch info.Kind {
	case dialect.MySQL, dialect.MariaDB:
		if number < oldestMySQL {
			return fail(fmt.Sprintf("%s %s is too old", info.Kind, info.Version), "use MySQL 5.5 or later as destination"), nil
		}
	case dialect.DDM:
		return ddmVersion(ctx, d)
	case dialect.Vitess:
		return pass("Vitess %s; tested with 24.0", info.Version), nil
	default:
		return alarm(fmt.Sprintf("%s as destination is not tested yet", info.Kind), "migrate a copy first, and compare by values"), nil
	}
	return pass("%s %s", info.Kind, info.Version), nil
}

// ddmVersion: 3.0.4.1 has the statement for all sequences (PC-D18, drs.md S-01).
// Instances print a MySQL version, or their kernel's four numbers.
func ddmVersion(_ context.Context, d *destination.Destination) (finding, error) {
	version := d.Info().Version
	var a, b, c, patch int
	if n, _ := fmt.Sscanf(version, "%d.%d.%d.%d", &a, &b, &c, &patch); n < 4 {
		return pass("DDM, whose kernel does not tell its version (%s is a MySQL version); sequences are set one by one", version), nil
	}
	if a*1_000_000+b*10_000+c*100+patch < 3_00_04_01 {
		return alarm("DDM kernel "+version+" is older than 3.0.4.1 and may not let sequences be set",
			"update the instance, or be ready to run ALTER SEQUENCE <schema>.<table> START WITH <n> by hand after the stop"), nil
	}
	return pass("DDM kernel %s", version), nil
}

// versionOrder compares plain servers only: middlewares print fake versions.
func versionOrder(ctx context.Context, e *Env) (finding, error) {
	s, err := e.src(ctx)
	if err != nil {
		return finding{}, err
	}
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	info := d.Info()
	if !plain(d) {
		return e.nodeVersions(ctx, s, string(info.Kind))
	}
	from, to := s.capabilities.Number/100, versionNumber(info.Version)/100
	switch {
	case (s.capabilities.Flavor == position.MariaDB) != (info.Kind == dialect.MariaDB):
		return alarm(fmt.Sprintf("from %s to %s: types and collations differ in details", s.capabilities.Flavor, info.Kind), "compare by values after the full copy"), nil
	case from > to:
		return alarm(fmt.Sprintf("source %s is newer than destination %s", s.capabilities.Version, info.Version),
			"use a destination of at least the source's version, or compare by values after the full copy"), nil
	default:
		return pass("source %s, destination %s", s.capabilities.Version, info.Version), nil
	}
}

// nodeVersions compares the source with the data nodes, which store the rows.
func (e *Env) nodeVersions(ctx context.Context, s *server, kind string) (finding, error) {
	nodes, err := e.nodes(ctx)
	if err != nil {
		return finding{}, err
	}
	if nodes = answering(nodes); len(nodes) == 0 {
		return pass("%s does not tell its data nodes' version", kind), nil
	}
	var g graded
	for _, n := range nodes {
		if s.capabilities.Flavor == n.capabilities.Flavor && s.capabilities.Number/100 > n.capabilities.Number/100 {
			g.alarm("%s has %s, the source %s", n.name, n.capabilities.Version, s.capabilities.Version)
		}
	}
	return g.finding("data nodes are not older than the source", "", "data nodes are older than the source", "compare by values after the full copy, or update the data nodes"), nil
}

// versionNumber is 10000*major + 100*minor + patch, 0 for a text without them.
// "5.5.5-10.11.6-MariaDB" is what MariaDB tells old clients.
func versionNumber(text string) int {
	if rest, ok := strings.CutPrefix(text, "5.5.5-"); ok && strings.Contains(rest, "MariaDB") {
		text = rest
	}
	var major, minor, patch int
	if n, _ := fmt.Sscanf(text, "%d.%d.%d", &major, &minor, &patch); n < 2 {
		return 0
	}
	return 10000*major + 100*minor + patch
}
