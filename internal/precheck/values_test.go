package precheck

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/checkpoint"
	"shardlift/internal/contract"
	"shardlift/internal/destination"
)

// samplesOf reads what an item has kept in the metadata.
func (f *fixture) samplesOf(code string) []checkpoint.Sample {
	f.t.Helper()
	d, err := destination.Open(f.t.Context(), f.config.Destination, f.config.Spec.Destination.Kind)
	require.NoError(f.t, err)
	defer func() { require.NoError(f.t, d.Close()) }()
	out, err := checkpoint.Samples(f.t.Context(), d, f.config.Spec.Destination.MetadataSchema, f.config.TaskID, code)
	require.NoError(f.t, err)
	return out
}

func TestValues_SampleKeysStandInTheMetadataOnly(t *testing.T) {
	d := ddmFixture(t)
	d.both("CREATE TABLE a (who VARCHAR(20) NOT NULL, no VARBINARY(4) NOT NULL, at DATETIME, PRIMARY KEY (who, no))")
	d.onSource("SET SESSION sql_mode = ''; INSERT INTO a VALUES ('secret-name', 'ab', '0000-00-00'), ('b', 'c', '1999-01-01')")
	r := d.verdict(contract.Failed, "srcDateRange", ".a.at: 1 rows before 1583", keptLine)
	require.NotContains(t, fmt.Sprint(r), "secret-name")
	require.Equal(t, []checkpoint.Sample{{Object: d.from + ".a.at", Keys: []string{"who=secret-name, no=0x6162"}}}, d.samplesOf("srcDateRange"))
	require.Contains(t, r.Remedy, "SELECT * FROM `"+d.from+"`.`a` WHERE `at` < '1583-01-01';")
	d.onSource("DELETE FROM a WHERE who = 'secret-name'")
	d.passes("srcDateRange")
	require.Empty(t, d.samplesOf("srcDateRange"))
}

func TestValues_NoMetadataSchemaHidesNothing(t *testing.T) {
	f := plainFixture(t, "mysql57")
	f.config.Spec.Destination.MetadataSchema = "made_at_the_start"
	f.both("CREATE TABLE a (id INT PRIMARY KEY, e ENUM('x'))")
	f.onSource("SET SESSION sql_mode = ''; INSERT INTO a VALUES (1, 'y')")
	r := f.verdict(contract.Failed, "srcEnumErrorValue", ".a.e: 1 rows")
	require.NotContains(t, strings.Join(r.Evidence, "\n"), keptLine)
	require.Empty(t, f.samplesOf("srcEnumErrorValue"))
}

func TestValues_ErrorValuesOfEnums(t *testing.T) {
	for _, edition := range editions {
		t.Run(edition, func(t *testing.T) {
			f := plainFixture(t, edition)
			f.both("CREATE TABLE a (id INT PRIMARY KEY, e ENUM('', 'x'), s SET('x'))")
			f.onSource("INSERT INTO a VALUES (1, '', ''), (2, 'x', 'x'), (3, NULL, NULL)")
			f.passes("srcEnumErrorValue")
			f.onSource("SET SESSION sql_mode = ''; INSERT INTO a VALUES (4, 'y', ''), (5, 0, '')")
			f.fails("srcEnumErrorValue", ".a.e: 2 rows have the error value")
			require.Equal(t, []checkpoint.Sample{{Object: f.from + ".a.e", Keys: []string{"id=4", "id=5"}}}, f.samplesOf("srcEnumErrorValue"))
		})
	}
}

// TestValues_ErrorValueIsRefusedByStrictSessions is why it fails: the copy's
// INSERT of such a row gets an error.
func TestValues_ErrorValueIsRefusedByStrictSessions(t *testing.T) {
	f := plainFixture(t, "mysql97")
	f.onTarget("CREATE TABLE a (id INT PRIMARY KEY, e ENUM('x'))")
	_, err := f.dst.ExecContext(t.Context(), "INSERT INTO a VALUES (1, 0)")
	require.ErrorContains(t, err, "Data truncated")
}

func TestValues_CharactersThatTheDestinationLacks(t *testing.T) {
	for _, edition := range editions {
		t.Run(edition, func(t *testing.T) {
			f := plainFixture(t, edition)
			f.onSource("CREATE TABLE a (id INT PRIMARY KEY, s VARCHAR(20) CHARACTER SET utf8mb4, same VARCHAR(20) CHARACTER SET utf8mb4, g VARCHAR(20) CHARACTER SET gbk)")
			f.onTarget("CREATE TABLE a (id INT PRIMARY KEY, s VARCHAR(20) CHARACTER SET latin1, same VARCHAR(20) CHARACTER SET utf8mb4, g VARCHAR(20) CHARACTER SET utf8mb4)")
			f.onSource("INSERT INTO a VALUES (1, 'größe', '漢', '漢'), (2, NULL, NULL, NULL), (3, '', '', '')")
			f.alarms("srcUnrepresentableValues", ".a.s: latin1 has not all characters of utf8mb4; no row needs them now")
			f.onSource("INSERT INTO a VALUES (4, '漢字', '', ''), (5, 'Ω', '', '')")
			f.fails("srcUnrepresentableValues", ".a.s: 2 rows have characters that latin1 does not hold")
			require.Equal(t, []string{"id=4", "id=5"}, f.samplesOf("srcUnrepresentableValues")[0].Keys)
			f.onTarget("ALTER TABLE a MODIFY s VARCHAR(20) CHARACTER SET utf8mb4")
			f.passes("srcUnrepresentableValues")
			f.onSource("INSERT INTO a VALUES (6, '', '', _gbk 0xAAA1), (7, '??', '?', '?')") // a code that is no character
			f.fails("srcUnrepresentableValues", ".a.g: 1 rows have characters that utf8mb4 does not hold")
		})
	}
}

// TestValues_HalvesOfSurrogatePairs: what servers of old store, and MySQL 8.0
// refuses; Korean, whose characters begin with the same byte, is none of it.
func TestValues_HalvesOfSurrogatePairs(t *testing.T) {
	for _, edition := range editions {
		t.Run(edition, func(t *testing.T) {
			f := plainFixture(t, edition)
			f.both("CREATE TABLE a (id INT PRIMARY KEY, u VARCHAR(20) CHARACTER SET utf8, w VARCHAR(20) CHARACTER SET ucs2, b VARCHAR(20) CHARACTER SET ucs2)")
			f.onTarget("ALTER TABLE a MODIFY w VARCHAR(20) CHARACTER SET utf16")
			f.onSource("SET SESSION sql_mode = ''; INSERT INTO a VALUES (1, _utf8 x'ED959CEAB5AD', _ucs2 x'D55C', '?'), (2, NULL, NULL, NULL), (3, '??', '?', '')")
			f.passes("srcUnrepresentableValues")
			f.onSource("INSERT INTO a VALUES (4, '', _ucs2 x'D83DDE00', _ucs2 x'D800')")
			f.fails("srcUnrepresentableValues", ".a.w: 1 rows have characters that utf16 does not hold")
			f.onSource("UPDATE a SET w = ''")
			if edition == "mysql80" || edition == "mysql97" {
				f.passes("srcUnrepresentableValues")
				return
			}
			f.onSource("INSERT INTO a VALUES (5, _utf8 x'EDA0BDEDB880', '', '')")
			f.fails("srcUnrepresentableValues", ".a.u: 1 rows have characters that utf8 does not hold")
			require.Equal(t, []string{"id=5"}, f.samplesOf("srcUnrepresentableValues")[0].Keys)
			f.onTarget("ALTER TABLE a MODIFY u VARCHAR(20) CHARACTER SET latin1") // another question by then
			f.fails("srcUnrepresentableValues", ".a.u: 2 rows have characters that latin1 does not hold")
		})
	}
	d := ddmFixtureFrom(t, "mysql57")
	d.both("CREATE TABLE a (id INT PRIMARY KEY, u VARCHAR(20) CHARACTER SET utf8)")
	d.onSource("INSERT INTO a VALUES (5, _utf8 x'EDA0BD')")
	d.alarms("srcUnrepresentableValues", ".a.u: 1 rows have halves of surrogate pairs")
}

// TestValues_ManyTablesInFewStatements: small tables are asked together, and
// each gets its own counts.
func TestValues_ManyTablesInFewStatements(t *testing.T) {
	f := plainFixture(t, "mysql97")
	for i := range 60 {
		f.both(fmt.Sprintf("CREATE TABLE t%02d (id INT PRIMARY KEY, e ENUM('x'), f ENUM('x'))", i))
	}
	f.onSource("SET SESSION sql_mode = ''; INSERT INTO t07 VALUES (1, 'y', 'x'), (2, 'x', 'y'), (3, 'x', 'z'); INSERT INTO t59 VALUES (9, 'y', 'x')")
	r := f.verdict(contract.Failed, "srcEnumErrorValue")
	require.ElementsMatch(t, []string{f.from + ".t07.e: 1 rows have the error value (index 0)", f.from + ".t07.f: 2 rows have the error value (index 0)", f.from + ".t59.e: 1 rows have the error value (index 0)", keptLine}, r.Evidence)
}

func TestValues_TimesThatOnlyMariaDBHas(t *testing.T) {
	f := plainFixture(t, "mariadb")
	f.both("CREATE TABLE a (id INT PRIMARY KEY, t TIME(6), u TIME)")
	f.onSource("INSERT INTO a VALUES (1, '838:59:59', '838:59:59'), (2, '-838:59:59', '-838:59:59'), (3, NULL, NULL)")
	f.passes("srcTimeRange")
	f.onSource("INSERT INTO a VALUES (4, '838:59:59.000001', NULL), (5, '-838:59:59.9', NULL)")
	f.fails("srcTimeRange", ".a.t: 2 rows beyond 838:59:59")
	require.Equal(t, []string{"id=4", "id=5"}, f.samplesOf("srcTimeRange")[0].Keys)
}

func TestValues_TypesOfDocuments(t *testing.T) {
	for edition, rows := range map[string]int{"mysql57": 6, "mysql80": 4, "mysql97": 4, "mysql56": 0, "mariadb": 0} {
		t.Run(edition, func(t *testing.T) {
			f := plainFixture(t, edition)
			if rows == 0 {
				f.both("CREATE TABLE a (id INT PRIMARY KEY, c LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin)")
				f.passes("srcJsonValueTypes")
				return
			}
			f.both("CREATE TABLE a (id INT PRIMARY KEY, c JSON)")
			f.onSource(`INSERT INTO a VALUES (1, '{"a": [1, 2.5, "x", null, true, 18446744073709551615]}'), (2, NULL), (3, '1.25'), (4, '"2024-01-01"')`)
			f.passes("srcJsonValueTypes")
			f.onSource("INSERT INTO a VALUES (5, '[1.0]'), (6, '1.0'), (7, CAST(CAST('2024-01-01' AS DATE) AS JSON)), (8, JSON_ARRAY(1.10)), (9, CAST(x'00' AS JSON)), (10, CAST(CAST(REPEAT('z', 100) AS BINARY) AS JSON))")
			if edition == "mysql57" {
				f.fails("srcJsonValueTypes", ".a.c: 1 documents have a binary of more than 57 bytes")
				require.Equal(t, []string{"id=10"}, f.samplesOf("srcJsonValueTypes")[0].Keys)
				f.onSource("DELETE FROM a WHERE id = 10")
				rows--
			}
			f.alarms("srcJsonValueTypes", fmt.Sprintf(".a.c: %d documents", rows))
		})
	}
}
