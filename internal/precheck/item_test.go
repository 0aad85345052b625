package precheck

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/ddmsim/simtest"
	"shardlift/internal/fault"
	"shardlift/internal/task"
)

func TestItems_CodesAreUniqueAndNeedsStandBefore(t *testing.T) {
	seen := map[string]bool{}
	for _, i := range Items(task.FullIncremental) {
		require.False(t, seen[i.Code], i.Code)
		for _, n := range i.Needs {
			require.True(t, seen[n], "%s needs %s", i.Code, n)
		}
		require.NotEmpty(t, i.Title)
		require.NotEmpty(t, i.Group)
		seen[i.Code] = true
	}
}

// TestItems_EachHasItsPage: docs/precheck has a page for each item and for
// nothing else, whose first lines say what the item says of itself, and the
// README lists it in its group.
func TestItems_EachHasItsPage(t *testing.T) {
	files, err := filepath.Glob("../../docs/precheck/*.md")
	require.NoError(t, err)
	var pages []string
	for _, file := range files {
		if name := filepath.Base(file); name != "README.md" {
			pages = append(pages, "docs/precheck/"+name)
		}
	}
	index, err := os.ReadFile("../../docs/precheck/README.md")
	require.NoError(t, err)
	var wanted []string
	for _, ref := range Items(task.FullIncremental) {
		wanted = append(wanted, ref.Page)
		text, err := os.ReadFile("../../" + ref.Page)
		require.NoError(t, err, ref.Code)
		require.True(t, strings.HasPrefix(string(text), header(ref)), "%s does not begin with\n%s", ref.Page, header(ref))
		require.Contains(t, string(index), fmt.Sprintf("- [%s](%s.md)\n", ref.Title, ref.Code))
	}
	require.ElementsMatch(t, wanted, pages)
}

func header(ref contract.PrecheckItemRef) string {
	out := fmt.Sprintf("# %s\n\n`%s` · `%s` · %s", ref.Title, ref.Code, ref.Group, ref.Applies)
	if ref.Skippable {
		out += " · may be skipped with a reason"
	}
	for i, n := range ref.Needs {
		out += []string{", needs ", ", "}[min(i, 1)] + fmt.Sprintf("[%s](%s.md)", n, n)
	}
	return out + "\n\n"
}

func TestRun_UnknownItem(t *testing.T) {
	_, err := Run(t.Context(), NewEnv(Config{}), "nothing")
	require.ErrorIs(t, err, fault.UnknownCheck)
}

func TestJudge_ResultOrError(t *testing.T) {
	f, err := judge(fmt.Errorf("read: %w", fault.AccessDenied.New("t", "")))
	require.NoError(t, err)
	require.Equal(t, contract.Failed, f.verdict)
	require.Contains(t, f.reason, "insufficient user permissions")
	f, err = judge(fault.UnreadableDefinition.New("t", ""))
	require.NoError(t, err)
	require.Equal(t, contract.Failed, f.verdict)
	_, err = judge(fault.ConnectionLost.New("t", ""))
	require.ErrorIs(t, err, fault.ConnectionLost)
	_, err = judge(errors.New("x"))
	require.Error(t, err)
}

func TestClip_KeepsWithinTheLimits(t *testing.T) {
	var lines []string
	for i := range 12 {
		lines = append(lines, fmt.Sprint(i))
	}
	got := clip(lines)
	require.Len(t, got, 10)
	require.Equal(t, "… and 3 more", got[9])
	require.Len(t, clip(lines[:10]), 10)
	require.Equal(t, "9", clip(lines[:10])[9])
	long := clip([]string{strings.Repeat("ü", 300) + "\n"})
	require.Len(t, []rune(long[0]), 200)
	require.Equal(t, []string{"a b"}, clip([]string{"a\nb"}))
}

// TestItems_AccountsWithoutRights: every item says what is missing; none is an
// error, none passes because it sees nothing.
func TestItems_AccountsWithoutRights(t *testing.T) {
	for _, edition := range editions {
		t.Run(edition, func(t *testing.T) {
			f := plainFixture(t, edition)
			f.both("CREATE TABLE a (id INT PRIMARY KEY)")
			f.as("USAGE ON *.*")
			user, password := f.target.Account(t, "USAGE ON *.*")
			f.config.Destination = configOf(f.target, user, password)
			results := f.runsAll()
			for _, code := range []string{"srcDbPrivilegesIsEnough", "srcDbPrivilegesIsEnoughForIncre", "dstDbPrivilegesIsEnough", "userSelectObjectsCheck", "srcBinlogFilters", "dstSchemaExists"} {
				require.Equal(t, contract.Failed, results[code].Verdict, code)
			}
		})
	}
}

func TestItems_TaskThatMayStart(t *testing.T) {
	d := ddmFixture(t, simtest.On("mysql80"))
	d.onSource("CREATE TABLE a (id BIGINT AUTO_INCREMENT PRIMARY KEY, s VARCHAR(9))")
	d.onTarget("CREATE TABLE a (id BIGINT NOT NULL AUTO_INCREMENT, s VARCHAR(9), PRIMARY KEY (id)) DBPARTITION BY MOD_HASH(id)")
	for code, r := range d.runsAll() {
		require.NotEqual(t, contract.Failed, r.Verdict, "%s: %s: %v", code, r.Reason, r.Evidence)
	}
	for edition, f := range map[string]*fixture{"mysql55": plainFixture(t, "mysql55"), "mariadb": plainFixture(t, "mariadb")} {
		f.both("CREATE TABLE a (id BIGINT AUTO_INCREMENT PRIMARY KEY, s VARCHAR(9) COLLATE utf8mb4_bin) ENGINE=InnoDB")
		for code, r := range f.runsAll() {
			require.NotEqual(t, contract.Failed, r.Verdict, "%s: %s: %s: %v", edition, code, r.Reason, r.Evidence)
		}
	}
}

func TestGrants_HostStaysUnsaid(t *testing.T) {
	require.Equal(t, "%", hostPart("u@%"))
	require.Equal(t, "<host of the account>", hostPart("u@10.0.0.%"))
	require.Equal(t, "%", hostPart("ddmuser"))
}
