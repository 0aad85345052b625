package precheck

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/mysqlconn"
	"shardlift/internal/secret"
	"shardlift/internal/testdb"
)

// editions that the tests of accounts run on: each prints its grants otherwise.
var editions = []string{"mysql55", "mysql56", "mysql57", "mysql80", "mysql97", "mariadb"}

func TestSourcePrivileges_AccountOfTheDocumentation(t *testing.T) {
	for _, edition := range editions {
		t.Run(edition, func(t *testing.T) {
			f := plainFixture(t, edition)
			f.onSource("CREATE TABLE t (id INT PRIMARY KEY)")
			f.as("SELECT, SHOW VIEW, EVENT, LOCK TABLES ON `SCHEMA`.*", "REPLICATION SLAVE, REPLICATION CLIENT ON *.*")
			f.passes("srcDbPrivilegesIsEnough")
			f.passes("srcDbPrivilegesIsEnoughForIncre")
			f.alarms("srcDbPrivilegesForInsight", "without PROCESS", "PROCESS", "'<source-user>'@'%';")
			for _, i := range binlogItems() {
				f.check(i.code) // whatever it finds, the account may ask
			}
		})
	}
}

func TestSourcePrivileges_MissingOnesAreNamedWithTheirGrant(t *testing.T) {
	for _, edition := range editions {
		t.Run(edition, func(t *testing.T) {
			f := plainFixture(t, edition)
			f.onSource("CREATE TABLE t (id INT PRIMARY KEY)")
			f.as("INSERT ON `SCHEMA`.*")
			f.fails("srcDbPrivilegesIsEnough", "insufficient user permissions", "GRANT SELECT, SHOW VIEW, EVENT ON `"+f.from+"`.* TO '<source-user>'@'%';")
			f.fails("srcDbPrivilegesIsEnoughForIncre", "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO '<source-user>'@'%';")
			f.as("SELECT ON `SCHEMA`.*", "REPLICATION CLIENT ON *.*")
			f.alarms("srcDbPrivilegesIsEnough", "SHOW VIEW, EVENT")
			f.fails("srcDbPrivilegesIsEnoughForIncre", "REPLICATION SLAVE on *.*")
		})
	}
}

func TestSourcePrivileges_AllRights(t *testing.T) {
	for _, edition := range editions {
		t.Run(edition, func(t *testing.T) {
			f := plainFixture(t, edition)
			f.onSource("CREATE TABLE t (id INT PRIMARY KEY)")
			for _, code := range []string{"srcDbPrivilegesIsEnough", "srcDbPrivilegesIsEnoughForIncre", "srcDbPrivilegesForInsight", "dstDbPrivilegesIsEnough"} {
				f.passes(code)
			}
		})
	}
}

func TestSourcePrivileges_TablesUnderAWildcardMustNotHide(t *testing.T) {
	f := plainFixture(t, "mysql97")
	f.onSource("CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE b (id INT PRIMARY KEY)")
	f.as("SELECT ON `SCHEMA`.a", "SHOW VIEW, EVENT ON `SCHEMA`.*")
	f.fails("srcDbPrivilegesIsEnough", "SELECT on `"+f.from+"`.*")
	f.config.Spec.Objects[0].Tables = []string{"a"}
	f.passes("srcDbPrivilegesIsEnough")
	f.config.Spec.Objects[0].Tables = []string{"a", "b"}
	f.fails("srcDbPrivilegesIsEnough")
}

func TestSourcePrivileges_ByRole(t *testing.T) {
	for _, edition := range []string{"mysql80", "mysql97", "mariadb"} {
		t.Run(edition, func(t *testing.T) {
			f := plainFixture(t, edition)
			f.onSource("CREATE TABLE t (id INT PRIMARY KEY)")
			f.as("USAGE ON *.*")
			f.fails("srcDbPrivilegesIsEnough")
			role, user := "r_"+f.from[len(f.from)-8:], f.config.Source.User
			admin := f.source.DB(t, "")
			t.Cleanup(func() {
				_, err := admin.ExecContext(context.Background(), "DROP ROLE "+role)
				require.NoError(t, err)
			})
			f.onSource("CREATE ROLE "+role, "GRANT SELECT, SHOW VIEW, EVENT ON `"+f.from+"`.* TO "+role, "GRANT "+role+" TO '"+user+"'@'%'")
			f.fails("srcDbPrivilegesIsEnough") // not active
			if edition == "mariadb" {
				f.onSource("SET DEFAULT ROLE " + role + " FOR '" + user + "'@'%'")
			} else {
				f.onSource("SET DEFAULT ROLE " + role + " TO '" + user + "'@'%'")
			}
			f.passes("srcDbPrivilegesIsEnough")
		})
	}
}

func TestDestinationPrivileges(t *testing.T) {
	f := plainFixture(t, "mysql97")
	as := func(grants ...string) {
		user, password := f.target.Account(t, grants...)
		f.config.Destination = configOf(f.target, user, password)
	}
	as("SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX ON `" + f.to + "`.*")
	f.passes("dstDbPrivilegesIsEnough")
	as("SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER ON `" + f.to + "`.*")
	f.alarms("dstDbPrivilegesIsEnough", "GRANT INDEX ON `"+f.to+"`.* TO '<destination-user>'@'%';")
	as("SELECT, INSERT ON `" + f.to + "`.*")
	f.fails("dstDbPrivilegesIsEnough", "GRANT CREATE, DROP, ALTER, DELETE, UPDATE, INDEX ON")

	// The metadata schema belongs to it.
	as("ALL ON `" + f.to + "`.*")
	f.config.Spec.Destination.MetadataSchema = "shardlift_elsewhere"
	f.fails("dstDbPrivilegesIsEnough", "`shardlift_elsewhere`.*")

	d := ddmFixture(t)
	d.passes("dstDbPrivilegesIsEnough")
}

func TestConnections(t *testing.T) {
	f := plainFixture(t, "mysql97")
	r := f.check(codeSource)
	if r.Facts == nil || r.Facts.Kind != "mysql" || r.Facts.Side != "source" {
		t.Fatalf("facts: %+v", r.Facts)
	}
	f.passes(codeDestination, "mysql 9.7")
	ddmFixture(t).passes(codeDestination, "ddm")

	wrong := f.config
	f.config.Source.Password = secret.NewText("Wrong1!")
	f.fails(codeSource, "access was denied")
	f.config = wrong
	f.config.Destination.Port = 1
	f.fails(codeDestination, "cannot be reached")
	f.config = wrong
	f.config.Source.TLS = mysqlconn.TLS{Mode: mysqlconn.TLSVerifyCA}
	f.fails(codeSource, "certificate")

	own := testdb.Own(t, "mysql97")
	f = serverFixture(t, own, testdb.Get(t, "mysql97"))
	own.Stop(t)
	f.fails(codeSource)
	own.Start(t)
	f.passes(codeSource)
}

func TestVersions(t *testing.T) {
	for _, edition := range editions {
		t.Run(edition, func(t *testing.T) {
			f := plainFixture(t, edition)
			f.passes("srcDbVersionSupport")
			f.passes("dstDbVersionSupport")
			if edition == "mariadb" {
				f.alarms("dbVersionMeetRequirement")
			} else {
				f.passes("dbVersionMeetRequirement")
			}
		})
	}
	f := serverFixture(t, testdb.Get(t, "mysql97"), testdb.Get(t, "mysql57"))
	f.alarms("dbVersionMeetRequirement", "is newer than destination")
	d := ddmFixture(t)
	d.passes("dstDbVersionSupport")
	d.passes("dbVersionMeetRequirement")
	f = plainFixture(t, "mysql97")
	f.config.Spec.Destination.Kind = "dble"
	f.alarms("dstDbVersionSupport", "not tested yet")
	f = serverFixture(t, testdb.Own(t, "mariadb", "--version=12.3.1-MariaDB"), testdb.Get(t, "mysql97"))
	f.alarms("srcDbVersionSupport", "newer than what this version was tested with")
}
