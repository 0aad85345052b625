package activities

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
	"shardlift/internal/task"
)

func TestCertificates_AreReadByReference(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "prod-ca.pem"), []byte("the CA"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "huge.pem"), []byte(strings.Repeat("x", largestCertificate+1)), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "..", "outside.pem"), []byte("canary"), 0o600))
	r := &resolver{certificates: folder}
	tls := task.TLS{CARef: "prod-ca"}
	require.NoError(t, r.fill(task.SourceSide, &tls))
	require.Equal(t, "the CA", tls.CA)
	for _, ref := range []string{"missing", "huge", "../outside"} {
		tls := task.TLS{CARef: ref}
		require.ErrorIs(t, r.fill(task.SourceSide, &tls), fault.CertificateMissing, ref)
		require.Empty(t, tls.CA)
	}
}
