package position

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func set(t *testing.T, f Flavor, text string) Set {
	t.Helper()
	s, err := ParseSet(f, text)
	require.NoError(t, err)
	return s
}

const (
	u1 = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
	u2 = "4e11fa47-71ca-11e1-9e33-c80aa9429562"
)

func TestSet_MySQLContains(t *testing.T) {
	a := set(t, MySQL, u1+":1-10:12,\n"+u2+":1-3")
	require.True(t, a.Contains(set(t, MySQL, u1+":2-5")))
	require.True(t, a.Contains(set(t, MySQL, "")))
	require.False(t, a.Contains(set(t, MySQL, u1+":11")), "a hole is not contained")
	require.False(t, set(t, MySQL, "").Contains(a))
	require.NoError(t, a.Add(u1+":11"))
	require.True(t, a.Contains(set(t, MySQL, u1+":1-12")))
	require.Equal(t, u1+":1-12,"+u2+":1-3", a.String())
}

func TestSet_MySQLTags(t *testing.T) {
	a := set(t, MySQL, u1+":1-10:blue:1-3")
	require.False(t, a.Contains(set(t, MySQL, u1+":blue:4")))
	require.NoError(t, a.Add(u1+":blue:4"))
	require.True(t, a.Contains(set(t, MySQL, u1+":blue:1-4")))
	require.False(t, set(t, MySQL, u1+":1-10").Contains(a))
}

func TestSet_CloneIsIndependent(t *testing.T) {
	a := set(t, MySQL, u1+":1-2")
	b := a.Clone()
	require.NoError(t, b.Add(u1+":3"))
	require.False(t, a.Contains(b))
}

func TestSet_MariaDBKeepsOneGTIDPerDomain(t *testing.T) {
	a := set(t, MariaDB, "0-1-100,2-7-5")
	require.NoError(t, a.Add("0-9-101"))
	require.Equal(t, "0-9-101,2-7-5", a.String())
	require.True(t, a.Contains(set(t, MariaDB, "0-1-100")))
	require.False(t, a.Contains(set(t, MariaDB, "0-1-102")))
	require.False(t, a.Contains(set(t, MariaDB, "3-1-1")))
}

func TestParseSet_Refuses(t *testing.T) {
	for _, text := range []string{"0-1", "a-b-c", "0-1-2-3", "99999999999-1-1"} {
		_, err := ParseSet(MariaDB, text)
		require.Error(t, err, text)
	}
	_, err := ParseSet(MySQL, "xyz:1")
	require.Error(t, err)
	_, err = ParseSet("", "")
	require.Error(t, err)
}

func TestPosition_CoversByGTIDAcrossServers(t *testing.T) {
	p := Position{Flavor: MySQL, Server: "a", File: "bin.000001", Offset: 4}.WithSet(set(t, MySQL, u1+":1-10"))
	o := Position{Flavor: MySQL, Server: "b", File: "bin.000009", Offset: 4}.WithSet(set(t, MySQL, u1+":1-9"))
	ok, err := p.Covers(o)
	require.NoError(t, err)
	require.True(t, ok)
}

func TestPosition_FilesOfDifferentServersAreNotCompared(t *testing.T) {
	p := Position{Flavor: MySQL, Server: "a", File: "bin.000009", Offset: 4}
	_, err := p.Covers(Position{Flavor: MySQL, Server: "b", File: "bin.000001", Offset: 4})
	require.Error(t, err)
}

func TestCompareFile_RollsOverAtAMillion(t *testing.T) {
	require.Positive(t, CompareFile("bin.1000000", 4, "bin.999999", 4))
	require.Negative(t, CompareFile("bin.000001", 100, "bin.000001", 5_000_000_000))
	require.Zero(t, CompareFile("bin.000001", 4, "bin.000001", 4))
}

// A MariaDB server that went another way has higher numbers in the same domain.
func TestInHistory_MariaDBAsksEachServersNumbers(t *testing.T) {
	set := "0-1-5,7-2-9"
	p := Position{Flavor: MariaDB, GTID: &set}
	for state, want := range map[string]bool{
		"0-1-5,7-2-9": true, "0-1-4,0-2-14,7-2-9": false, "0-2-14,0-1-5, 7-2-10,7-1-3": true, "0-1-6": false, "": false,
	} {
		got, err := p.InHistory(state)
		require.NoError(t, err)
		require.Equal(t, want, got, state)
	}
	_, err := p.InHistory("0-1")
	require.Error(t, err)
	set = ""
	got, err := p.InHistory("")
	require.NoError(t, err)
	require.True(t, got)
}

func TestSet_HasOneTransaction(t *testing.T) {
	const server = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
	for _, c := range []struct {
		flavor    Flavor
		set, gtid string
		want      bool
	}{
		{MySQL, server + ":1-5:8", server + ":5", true},
		{MySQL, server + ":1-5:8", server + ":7", false},
		{MySQL, server + ":1-5", server + ":tag:3", false},
		{MySQL, "", server + ":1", false},
		{MySQL, server + ":1", "", false},
		{MariaDB, "0-1-5,7-2-9", "0-1-5", true},
		{MariaDB, "0-1-5,7-2-9", "0-1-6", false},
		{MariaDB, "0-1-5,7-2-9", "0-2-3", false}, // another server's number says nothing
		{MariaDB, "0-1-5,7-2-9", "8-1-1", false},
		{MariaDB, "0-1-5", "x", false},
	} {
		s, err := ParseSet(c.flavor, c.set)
		require.NoError(t, err)
		require.Equal(t, c.want, s.Has(c.gtid), "%s in %s", c.gtid, c.set)
	}
}
