package precheck

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/task"
	"shardlift/internal/testdb"
)

// What the DRS documentation asks for (drs.md 1.7).
var (
	leastFull        = []string{"SELECT, SHOW VIEW, EVENT ON `SCHEMA`.*"}
	leastIncremental = []string{"SELECT, SHOW VIEW, EVENT, LOCK TABLES ON `SCHEMA`.*", "REPLICATION SLAVE, REPLICATION CLIENT ON *.*"}
	leastDestination = "CREATE, DROP, ALTER, INDEX, INSERT, DELETE, UPDATE, SELECT ON `SCHEMA`.*"
)

// noneFails runs every item; alarms can be confirmed, so that the task reaches
// 100 %. It returns the alarms' codes.
func (f *fixture) noneFails() []string {
	f.t.Helper()
	alarms := map[string]bool{}
	for code, r := range f.runsAll() {
		require.NotEqual(f.t, contract.Failed, r.Verdict, "%s: %s: %v", code, r.Reason, r.Evidence)
		if r.Verdict == contract.Alarm {
			alarms[code] = true
		}
	}
	return slices.Sorted(maps.Keys(alarms))
}

func (f *fixture) asDestination(grants string) {
	f.t.Helper()
	user, password := f.target.Account(f.t, strings.ReplaceAll(grants, "SCHEMA", f.to))
	f.config.Destination = configOf(f.target, user, password)
}

// TestAccounts_OfTheDocumentationReach100Percent: on every edition, for both
// types of task; what needs more is an alarm that names what stays unseen.
func TestAccounts_OfTheDocumentationReach100Percent(t *testing.T) {
	for _, edition := range editions {
		t.Run(edition, func(t *testing.T) {
			f := plainFixture(t, edition)
			f.both("CREATE TABLE a (id BIGINT AUTO_INCREMENT PRIMARY KEY, e ENUM('x'), s VARCHAR(9) COLLATE utf8mb4_bin) ENGINE=InnoDB")
			f.asDestination(leastDestination)
			f.as(leastIncremental...)
			alarms := f.noneFails()
			require.Subset(t, alarms, []string{"srcDbPrivilegesForInsight", "srcLongTransactions"})
			insight := f.check("srcDbPrivilegesForInsight")
			require.Contains(t, strings.Join(insight.Evidence, "\n"), "without PROCESS: open transactions")
			if edition == "mysql80" || edition == "mysql97" {
				require.Contains(t, strings.Join(insight.Evidence, "\n"), "without XA_RECOVER_ADMIN: XA transactions that were prepared before the start")
			}
			if edition == "mysql57" {
				f.config.Spec.Type = task.Full
				f.as(leastFull...)
				f.noneFails()
			}
		})
	}
}

func TestAccounts_OfTheDocumentationOnDDM(t *testing.T) {
	d := ddmFixture(t)
	old := plainFixture(t, "mysql57") // the source must not be the data nodes' server
	d.source, d.from, d.src = old.source, old.from, old.src
	d.setUp()
	d.onSource("CREATE TABLE a (id BIGINT AUTO_INCREMENT PRIMARY KEY, c INT NOT NULL) ENGINE=InnoDB")
	d.onTarget("CREATE TABLE a (id BIGINT NOT NULL AUTO_INCREMENT, c INT NOT NULL, PRIMARY KEY (id)) DBPARTITION BY MOD_HASH(id)")
	d.as(leastIncremental...)
	require.Contains(t, d.noneFails(), "dstDataNodeStatus")
}

// rdsMaster is what Amazon RDS for MySQL 5.7 gives its master account.
const rdsMaster = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, SHOW DATABASES, CREATE TEMPORARY TABLES, " +
	"LOCK TABLES, EXECUTE, REPLICATION SLAVE, REPLICATION CLIENT, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, CREATE USER, EVENT, TRIGGER ON *.*"

// TestAccounts_AsRDSGivesThem: direct grants before 8.0, a role from then on;
// the retention of binlogs is RDS's own.
func TestAccounts_AsRDSGivesThem(t *testing.T) {
	for _, edition := range []string{"mysql57", "mysql80"} {
		t.Run(edition, func(t *testing.T) {
			f := serverFixture(t, testdb.Own(t, edition), testdb.Get(t, "mysql97"))
			f.both("CREATE TABLE a (id BIGINT AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB")
			f.onSource("CREATE TABLE mysql.rds_configuration (name VARCHAR(100), value VARCHAR(100), description VARCHAR(300))",
				"INSERT INTO mysql.rds_configuration VALUES ('binlog retention hours', '120', '')")
			if edition == "mysql57" {
				f.as(rdsMaster)
			} else {
				f.as("USAGE ON *.*")
				user := f.config.Source.User
				f.onSource("CREATE ROLE rds_superuser_role", "GRANT "+rdsMaster+" TO rds_superuser_role",
					"GRANT APPLICATION_PASSWORD_ADMIN, ROLE_ADMIN, XA_RECOVER_ADMIN ON *.* TO rds_superuser_role",
					"GRANT rds_superuser_role TO '"+user+"'@'%'", "SET DEFAULT ROLE ALL TO '"+user+"'@'%'")
			}
			alarms := f.noneFails()
			for _, code := range []string{"srcDbPrivilegesIsEnough", "srcDbPrivilegesIsEnoughForIncre", "srcDbPrivilegesForInsight", "srcDbBinlogExpireLogsDays", "srcLongTransactions"} {
				require.NotContains(t, alarms, code)
			}
			f.passes("srcDbBinlogExpireLogsDays", "120 hours")
			f.onSource("UPDATE mysql.rds_configuration SET value = NULL")
			f.fails("srcDbBinlogExpireLogsDays", "CALL mysql.rds_set_configuration('binlog retention hours', 72);")
			f.alarms("srcBinlogPurgeHorizon")
		})
	}
}

// TestAccounts_AsAuroraGivesThem: its own privileges are not known elsewhere, so
// that what it prints is read.
func TestAccounts_AsAuroraGivesThem(t *testing.T) {
	two := parseGrants([]string{"GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, SHOW DATABASES, CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION SLAVE, REPLICATION CLIENT, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, CREATE USER, EVENT, TRIGGER, LOAD FROM S3, SELECT INTO S3, INVOKE LAMBDA, INVOKE SAGEMAKER, INVOKE COMPREHEND ON *.* TO 'admin'@'%' WITH GRANT OPTION"})
	three := parseGrants([]string{
		"GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, SHOW DATABASES, CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION SLAVE, REPLICATION CLIENT, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, CREATE USER, EVENT, TRIGGER, CREATE ROLE, DROP ROLE ON *.* TO `rds_superuser_role`@`%` WITH GRANT OPTION",
		"GRANT APPLICATION_PASSWORD_ADMIN,CONNECTION_ADMIN,FLUSH_OPTIMIZER_COSTS,FLUSH_STATUS,FLUSH_TABLES,FLUSH_USER_RESOURCES,REPLICATION_APPLIER,ROLE_ADMIN,SENSITIVE_VARIABLES_OBSERVER,SESSION_VARIABLES_ADMIN,SET_USER_ID,SHOW_ROUTINE,XA_RECOVER_ADMIN ON *.* TO `rds_superuser_role`@`%` WITH GRANT OPTION",
		"GRANT `rds_superuser_role`@`%`,`AWS_LOAD_S3_ACCESS`@`%` TO `admin`@`%`",
	})
	for _, g := range []grants{two, three} {
		require.True(t, g.readable)
		for _, p := range []string{"REPLICATION SLAVE", "REPLICATION CLIENT", "PROCESS", "RELOAD", "LOCK TABLES"} {
			require.True(t, g.onServer(p), p)
		}
		require.True(t, g.onSchema("TRIGGER", "shop"))
		require.False(t, g.onServer("SUPER"))
	}
	require.True(t, three.onServer("XA_RECOVER_ADMIN"))
	require.False(t, two.onServer("XA_RECOVER_ADMIN"))
}
