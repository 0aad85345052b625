package secret

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRedactor_TakesWordsOut(t *testing.T) {
	var r Redactor
	r.Add("", "<nothing>")
	r.Add("canary", "<password>")
	r.Add("canary-and-more", "<password>")
	r.Add("10.0.0.5", "<host>")
	r.Add("app", "<user>")
	r.Add("app", "<user>")
	require.Equal(t, "Access denied for '<user>'@'<host>' (<password>, <password>)",
		r.Redact("Access denied for 'app'@'10.0.0.5' (canary-and-more, canary)"))
	require.Equal(t, "apply <user> on app_1: <user>", r.Redact("apply app on app_1: app"))
}

func TestRedactor_WithoutWordsChangesNothing(t *testing.T) {
	var r Redactor
	require.Equal(t, "as it is", r.Redact("as it is"))
}
