package fidelity

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/precheck"
	"shardlift/internal/task"
)

// refusal is a value, or a column, that a destination cannot hold.
type refusal struct {
	name   string
	source string
	to     product
	// column on both sides; there is empty when it is the same.
	column, there string
	value         string
	want          error
	// check is the pre-check item that fails for it.
	check string
}

func refusals() []refusal {
	return []refusal{
		{"ENUM error value", "mysql57", plain("mysql97"), "ENUM('a','b')", "", "0", fault.ValueRefused, "srcEnumErrorValue"},
		{"ENUM error value on DDM", "mysql97", simulator("mysql80"), "ENUM('a','b')", "", "0", fault.ValueRefused, "srcEnumErrorValue"},
		{"zero date on DDM", "mysql97", simulator("mysql80"), "DATETIME", "", "'0000-00-00 00:00:00'", fault.ServerError, "srcDateRange"},
		{"old date on DDM", "mysql56", simulator("mysql57"), "DATETIME(3)", "", "'1582-10-15 01:02:03.004'", fault.ServerError, "srcDateRange"},
		{"MariaDB's longest time", "mariadb", plain("mysql97"), "TIME(6)", "", "'-838:59:59.999999'", fault.ValueRefused, "srcTimeRange"},
		{"no character at all", "mysql57", simulator("mysql57"), "VARCHAR(9) CHARACTER SET sjis", "VARCHAR(9) CHARACTER SET utf8mb4", "_sjis x'85A0'", fault.ValueRefused, "srcUnrepresentableValues"},
		{"half a surrogate pair", "mysql57", plain("mysql97"), "VARCHAR(9) CHARACTER SET utf8", "", "_utf8 x'EDA080'", fault.ValueRefused, "srcUnrepresentableValues"},
		{"half a surrogate pair in ucs2", "mysql80", plain("mysql97"), "VARCHAR(9) CHARACTER SET ucs2", "VARCHAR(9) CHARACTER SET utf16", "_ucs2 x'D800'", fault.ValueRefused, "srcUnrepresentableValues"},
		{"half a surrogate pair in utf32", "mariadb", plain("mysql97"), "VARCHAR(9) CHARACTER SET utf32", "", "_utf32 x'0000D800'", fault.ValueRefused, "srcUnrepresentableValues"},
		{"four bytes into utf8", "mysql80", plain("mysql97"), "VARCHAR(9) CHARACTER SET utf8mb4", "VARCHAR(9) CHARACTER SET utf8", "_utf8mb4 x'F09F9880'", fault.ValueRefused, "srcUnrepresentableValues"},
		{"é into ascii", "mysql55", plain("mysql57"), "VARCHAR(9) CHARACTER SET latin1", "VARCHAR(9) CHARACTER SET ascii", "_latin1 x'E9'", fault.ValueRefused, "srcUnrepresentableValues"},
		{"too long", "mysql97", simulator("mysql80"), "VARCHAR(20)", "VARCHAR(5)", "'123456'", fault.ValueRefused, "dbTableStructureConsistency"},
		{"too large", "mysql55", plain("mysql97"), "INT UNSIGNED", "INT", "4000000000", fault.ValueRefused, "dbTableStructureConsistency"},
		{"too many bytes", "mysql57", plain("mysql57"), "VARBINARY(9)", "VARBINARY(3)", "0x00010203", fault.ValueRefused, "dbTableStructureConsistency"},
		{"NULL", "mysql56", plain("mysql97"), "INT NULL", "INT NOT NULL", "NULL", fault.ValueRefused, "dbTableStructureConsistency"},
		{"fewer fractions", "mysql97", plain("mysql57"), "DATETIME(6)", "DATETIME(3)", "'2024-01-01 00:00:00.123456'", fault.ColumnMismatch, "dbTableStructureConsistency"},
		{"fewer decimals", "mysql97", plain("mysql57"), "DECIMAL(9,4)", "DECIMAL(9,2)", "1.2345", fault.ColumnMismatch, "dbTableStructureConsistency"},
		{"double into float", "mysql97", plain("mysql57"), "DOUBLE", "FLOAT", "0.1", fault.ColumnMismatch, "dbTableStructureConsistency"},
		{"padded binary", "mysql97", plain("mysql57"), "BINARY(4)", "BINARY(8)", "0x01", fault.ColumnMismatch, "dbTableStructureConsistency"},
		{"narrow bits", "mysql97", plain("mysql57"), "BIT(9)", "BIT(8)", "b'1'", fault.ColumnMismatch, "dbTableStructureConsistency"},
		{"present time for NULL", "mysql55", plain("mysql57"), "TIMESTAMP NULL DEFAULT NULL", "TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP", "NULL", fault.ColumnMismatch, "dbTableStructureConsistency"},
		{"new number for NULL", "mysql97", plain("mysql57"), "INT NULL, UNIQUE KEY c (c)", "INT NOT NULL AUTO_INCREMENT, UNIQUE KEY c (c)", "NULL", fault.ColumnMismatch, "dbTableStructureConsistency"},
		{"trailing spaces", "mysql97", simulator("mysql80"), "VARCHAR(9)", "CHAR(9)", "'a  '", fault.ColumnMismatch, "dbTableStructureConsistency"},
		{"rounded floats", "mysql57", plain("mysql57"), "FLOAT", "FLOAT(7,2)", "0.125", fault.ColumnMismatch, "dbTableStructureConsistency"},
		{"MariaDB's JSON into JSON", "mariadb", plain("mysql97"), "JSON", "JSON", `'{"a": 1, "a": 2.00}'`, fault.ColumnMismatch, "dbTableStructureConsistency"},
		{"label is missing", "mysql97", plain("mysql57"), "ENUM('a','b')", "ENUM('a','B')", "'b'", fault.LabelMissing, "dbTableStructureConsistency"},
		{"VECTOR before 9", "mysql97", plain("mysql57"), "VECTOR(2)", "VARBINARY(8)", "STRING_TO_VECTOR('[1,2]')", fault.ColumnMismatch, "dbTableStructureConsistency"},
		{"GEOMETRY on DDM", "mysql97", simulator("mysql80"), "POINT", "VARBINARY(25)", geometry(0, 1, 1.0, 2.0), fault.ColumnMismatch, "srcTableColumnTypes"},
		{"UUID", "mariadb", plain("mysql97"), "UUID", "CHAR(36)", "UUID()", fault.ColumnMismatch, "srcTableColumnTypes"},
		{"INET6", "mariadb", simulator("mysql80"), "INET6", "VARCHAR(39)", "'::1'", fault.ColumnMismatch, "srcTableColumnTypes"},
		{"INET4", "mariadb", plain("mysql57"), "INET4", "VARCHAR(39)", "'127.0.0.1'", fault.ColumnMismatch, "srcTableColumnTypes"},
		// Its SELECT gives 00 for 0 and for 2000.
		{"YEAR(2)", "mysql55", plain("mysql97"), "YEAR(2)", "YEAR", "0", fault.ColumnMismatch, "srcTableColumnTypes"},
		{"compressed column", "mariadb", plain("mysql97"), "TEXT COMPRESSED", "TEXT", "REPEAT('x', 1000)", fault.ColumnMismatch, "srcTableColumnTypes"},
		{"lines of base64 in JSON", "mysql57", plain("mysql97"), "JSON", "", "CAST(CAST(REPEAT('z', 100) AS BINARY) AS JSON)", fault.ValueRefused, "srcJsonValueTypes"},
	}
}

// TestItem1_WhatADestinationCannotHoldIsRefused: by both paths, with a fault,
// and nothing of it is written; the pre-check knows before any row moves.
func TestItem1_WhatADestinationCannotHoldIsRefused(t *testing.T) {
	t.Parallel()
	for _, r := range refusals() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			m := newMove(t, r.source, r.to)
			there := r.there
			if there == "" {
				there = r.column
			}
			for _, name := range []string{"before", "after"} {
				m.create(name, "id INT NOT NULL PRIMARY KEY, c "+r.column, "id INT NOT NULL PRIMARY KEY, c "+there, "id")
			}
			m.exec("INSERT INTO `before` VALUES (1, " + r.value + ")")
			m.plan(10)
			require.ErrorIs(t, m.tryCopy(), r.want, "copy")
			m.exec("INSERT INTO `after` VALUES (1, " + r.value + ")")
			if err := m.drain(); !errors.Is(err, fault.DefinitionMismatch) { // the binlog's reader knows no such column
				require.ErrorIs(t, err, r.want, "binlog")
			}
			for _, db := range m.to.storage {
				require.Empty(t, readText(t, db, "SELECT id, 1 FROM `before` UNION SELECT id, 1 FROM `after`"))
			}
			require.Equal(t, contract.Failed, m.precheck(r.check).Verdict, r.check)
		})
	}
}

// precheck runs one item of the pre-check.
func (m *move) precheck(code string) contract.PrecheckItemResult {
	m.t.Helper()
	c := precheck.Config{TaskID: "task1", Source: m.conn, Destination: m.to.conn}
	c.Spec.Type = task.FullIncremental
	c.Spec.Objects = m.selection
	c.Spec.Destination.Kind = "auto"
	c.Spec.Destination.MetadataSchema = m.to.schema
	env := precheck.NewEnv(c)
	defer func() { require.NoError(m.t, env.Close()) }()
	result, err := precheck.Run(m.t.Context(), env, code)
	require.NoError(m.t, err)
	return result
}
