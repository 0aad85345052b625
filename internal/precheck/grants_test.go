package precheck

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/table"
)

func TestGrants_Parse(t *testing.T) {
	g := parseGrants([]string{
		"GRANT PROCESS, BINLOG MONITOR ON *.* TO 'u'@'%' IDENTIFIED BY PASSWORD '*0123'",
		"GRANT BACKUP_ADMIN,XA_RECOVER_ADMIN ON *.* TO `u`@`%`",
		"GRANT SELECT, SHOW VIEW ON `shop\\_a`.* TO 'u'@'%'",
		"GRANT ALL PRIVILEGES ON `we``ird`.* TO 'u'@'%' WITH GRANT OPTION",
		"GRANT SELECT (a, b), INSERT ON `crm`.`people` TO 'u'@'%'",
		"GRANT EXECUTE ON FUNCTION `crm`.`f` TO 'u'@'%'",
		"GRANT `role`@`%` TO `u`@`%`",
		"GRANT ALL PRIVILEGES ON sim.* TO 'ddm'",
		"REVOKE SELECT ON `mysql`.* FROM `u`@`%`",
		"SET DEFAULT ROLE `role` FOR `u`@`%`",
	})
	require.True(t, g.readable)
	require.True(t, g.onServer("REPLICATION CLIENT"))
	require.True(t, g.onServer("XA_RECOVER_ADMIN"))
	require.False(t, g.onServer("SELECT"))
	require.True(t, g.onSchema("SHOW VIEW", "shop_a"))
	require.False(t, g.onSchema("SHOW VIEW", "shopXa"), "an escaped _ is no wildcard")
	require.True(t, g.onSchema("EVENT", "we`ird"))
	require.False(t, g.onTable("SELECT", table.Name{Schema: "crm", Table: "people"}), "a privilege on columns is none on the table")
	require.True(t, g.onTable("INSERT", table.Name{Schema: "crm", Table: "people"}))
	require.True(t, g.onSchema("DROP", "sim"))
	require.False(t, parseGrants([]string{"Grants are a secret"}).readable)
}

func TestGrants_MostSpecificSchemaDecides(t *testing.T) {
	g := parseGrants([]string{"GRANT SELECT, INSERT ON `shop%`.* TO u", "GRANT SELECT ON `shop_eu`.* TO u", "GRANT EVENT ON `shop\\_eu`.* TO u"})
	require.True(t, g.onSchema("EVENT", "shop_eu"))
	require.False(t, g.onSchema("SELECT", "shop_eu"), "servers use one schema grant only")
	require.True(t, g.onSchema("SELECT", "shopXeu"))
	require.False(t, g.onSchema("INSERT", "shopXeu"))
	require.True(t, g.onSchema("INSERT", "shops"))
}

func TestGrants_PartialRevoke(t *testing.T) {
	g := parseGrants([]string{"GRANT SELECT ON *.* TO u", "REVOKE SELECT ON `hr`.* FROM u"})
	require.True(t, g.onSchema("SELECT", "shop"))
	require.False(t, g.onSchema("SELECT", "hr"))
}
