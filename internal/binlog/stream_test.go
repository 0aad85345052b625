package binlog

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// Vitess' parser brings glog, which flushes as long as the process lives.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

func TestStream_GivesRowsThenTheirCommit(t *testing.T) {
	onAll(t, nil, func(t *testing.T, r *rig) {
		r.exec("CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(20)) ENGINE=InnoDB", "CREATE TABLE z (id INT PRIMARY KEY) ENGINE=InnoDB")
		r.learn()
		start, startFile := r.head(), r.filePosition()
		r.exec("INSERT INTO a VALUES (1, 'x'), (2, 'y'), (3, NULL)", "UPDATE a SET v = 'w' WHERE id = 2", "DELETE FROM a WHERE id = 3")
		end, endFile := r.head(), r.filePosition()

		events := tidy(r.readTo(r.open(start), end))
		require.Equal(t, []Kind{Rows, Commit, Rows, Commit, Rows, Commit}, kinds(events))
		require.True(t, events[0].Begin)
		require.Positive(t, events[1].Transactions)
		require.False(t, events[1].SourceTime.IsZero())
		require.Equal(t, r.selectAll("a"), play(t, events)["a"])

		events = r.readTo(r.open(startFile), endFile)
		require.Equal(t, []Kind{Rows, Commit, Rows, Commit, Rows, Commit}, kinds(events))
		last := events[len(events)-1].Position
		covered, err := last.Covers(endFile)
		require.NoError(t, err)
		require.True(t, covered)
		require.NotZero(t, last.Created)
	})
}
