package activities

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/task"
)

func TestRedactor_HidesWhatWasOpened(t *testing.T) {
	r := &Redactor{}
	require.Equal(t, "db.internal", r.Redact("db.internal"))
	r.Learn(task.Endpoint{
		Host: "db.internal", User: "app", Password: "app-Secret1",
		DataNodes: []task.NodeRef{{Host: "10.0.0.9", User: "n", Password: "n-pw"}},
	})
	r.Learn(task.Endpoint{Host: "db.internal", User: "app", Password: "app-Secret1"})
	require.Equal(t, "access denied for '<user>'@'<host>' (<password>), table shop.apples in app_1",
		r.Redact("access denied for 'app'@'db.internal' (app-Secret1), table shop.apples in app_1"))
	require.Equal(t, "node <host>: <user>: <password>", r.Redact("node 10.0.0.9: n: n-pw"))
}
