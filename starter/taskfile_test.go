package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/secret"
	"shardlift/internal/task"
	"shardlift/starter/grants"
)

func write(t *testing.T, folder, name, text string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func certificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)},
		&x509.Certificate{SerialNumber: big.NewInt(1)}, &key.PublicKey, key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

const minimal = `version: 1
name: shop-to-ddm
type: full
source:
  host: a
  user: u
  password_file: secrets/src
  tls: {mode: verify-ca, ca_file: ca.pem}
destination:
  host: b
  user: v
  password_env: DST
  data_nodes: [{host: n, port: 3306, user: w, password_file: secrets/node}]
objects: [{schema: Shop}]
`

func TestTaskFile_FilesAreRelativeToIt(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(folder, "secrets"), 0o700))
	write(t, folder, "secrets/src", " p w \r\n")
	write(t, folder, "secrets/node", "n\n\n")
	ca := certificate(t)
	write(t, folder, "ca.pem", ca)
	path := write(t, folder, "task.yaml", minimal)
	a := &app{env: environment("DST", "x")}
	_, sent, err := a.readTaskFile(path)
	require.NoError(t, err)
	require.Equal(t, " p w ", value(sent.Source.Password), "one line end is dropped, nothing else")
	require.Equal(t, "n\n", value((*sent.Destination.DataNodes)[0].Password))
	require.Equal(t, "x", value(sent.Destination.Password))
	require.Equal(t, ca, value(sent.Source.TLS.Ca))
	require.Equal(t, 3306, value(sent.Source.Port), "defaults are set")
}

func TestTaskFile_WrongOnesAreNamedByLine(t *testing.T) {
	for name, c := range map[string]struct{ from, to, want string }{
		"unknown key":          {"type: full", "type: full\nspeed: 3", `line 4: unknown key "speed"`},
		"password in the file": {"  password_env: DST", "  password: hunter2", `line 12: unknown key "password"; passwords do not stand in the file`},
		"wrong type":           {"version: 1", "version: one", "line 1: cannot unmarshal"},
		"wrong value":          {"name: shop-to-ddm", "name: x", "line 2, name: 4 to 50 characters"},
		"nested value":         {"{schema: Shop}", `{schema: mysql}`, "line 14, objects[0].schema: mysql is a system schema"},
		"missing value":        {"  host: a\n", "", "line 5, source.host: a host name"},
		"syntax":               {"objects: [", "objects: [[", "line 1"},
		"two passwords":        {"  password_env: DST", "  password_env: DST\n  password_file: x", "destination.password_env: password_file stands beside it"},
		"missing file":         {"", "", "secrets/src: no such file"},
		"missing variable":     {"", "", "the environment variable DST is empty or not set"},
		"no certificate":       {"", "", "source.tls.ca: is no PEM certificate"},
		"empty":                {minimal, "", "it is empty"},
	} {
		folder := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(folder, "secrets"), 0o700))
		env := environment("DST", "x")
		for _, file := range []string{"secrets/src", "secrets/node", "ca.pem"} {
			text := "x"
			if file == "ca.pem" && name != "no certificate" {
				text = certificate(t)
			}
			if name != "missing file" {
				write(t, folder, file, text)
			}
		}
		if name == "missing variable" {
			env = environment()
		}
		path := write(t, folder, "task.yaml", strings.Replace(minimal, c.from, c.to, 1))
		got := runApp(t.Context(), func(a *app) { a.env = env }, "create", "-f", path)
		require.Equal(t, exitUsage, got.status, "%s: %s", name, got.err)
		require.Contains(t, got.err, c.want, name)
		require.NotContains(t, got.err, "hunter2")
	}
}

func TestTaskFile_ComesFromStandardInputToo(t *testing.T) {
	f := newFake(t)
	got := f.run(func(a *app) { a.in = strings.NewReader(string(template)) }, "create", "-f", "-")
	require.Zero(t, got.status, got.err)
}

func TestInit_TemplateIsValidAndHasEveryField(t *testing.T) {
	f, err := task.ParseFile(template)
	require.NoError(t, err)
	require.Empty(t, f.Validate())
	for _, key := range yamlKeys(reflect.TypeFor[task.File]()) {
		require.Regexp(t, `(?m)(^|[ #{,-])`+key+`:`, string(template), "the template lacks %s", key)
	}
	// Every field that is commented out works once it is not.
	open := regexp.MustCompile(`(?m)^(\s*)# (ca_file|min_version|metadata_schema|rename|cert_file|key_file):`).ReplaceAllString(string(template), "$1$2:")
	open = regexp.MustCompile(`(?m)^  data_nodes: \[\].*\n  # - `).ReplaceAllString(open, "  data_nodes:\n  - ")
	require.NotEqual(t, string(template), open)
	f, err = task.ParseFile([]byte(open))
	require.NoError(t, err)
	require.Empty(t, f.Validate())
	require.Len(t, f.Destination.DataNodes, 1)
}

// TestInit_TemplateShowsTheDefaults: a value without "example" is what stands when the line is left out.
func TestInit_TemplateShowsTheDefaults(t *testing.T) {
	f, err := task.ParseFile(template)
	require.NoError(t, err)
	var d task.File
	d.Objects = f.Objects
	d.SetDefaults()
	require.Equal(t, d.WorkerGroup, f.WorkerGroup)
	require.Equal(t, d.Policy, f.Policy)
	require.Equal(t, d.Limits, f.Limits)
	require.Equal(t, d.ExpiredDays, f.ExpiredDays)
	require.Equal(t, d.Source.TLS, f.Source.TLS)
	require.Equal(t, d.Destination.TLS, f.Destination.TLS)
	require.Equal(t, d.Source.Port, f.Source.Port)
	require.Equal(t, d.Source.MaxConnections, f.Source.MaxConnections)
	require.Equal(t, d.Destination.MaxConnections, f.Destination.MaxConnections)
	require.Equal(t, d.Destination.Kind, f.Destination.Kind)
	require.Equal(t, d.Destination.MetadataSchema, f.Destination.MetadataSchema)
}

// yamlKeys are the keys of a task file, from its types.
func yamlKeys(of reflect.Type) []string {
	var keys []string
	switch of.Kind() {
	case reflect.Slice, reflect.Pointer:
		return yamlKeys(of.Elem())
	case reflect.Struct:
		for field := range of.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
			if name != "" && name != "-" {
				keys = append(append(keys, name), yamlKeys(field.Type)...)
			}
		}
	default:
	}
	return keys
}

func TestInit_NeverOverwrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "task.yaml")
	quiet := func(*app) {}
	require.Zero(t, runApp(t.Context(), quiet, "init", path).status)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.NoError(t, os.WriteFile(path, []byte("mine"), 0o600))
	got := runApp(t.Context(), quiet, "init", path)
	require.Equal(t, exitFailed, got.status)
	require.Contains(t, got.err, "SL-8209")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "mine", string(data))
	require.Equal(t, string(template), runApp(t.Context(), quiet, "init", "-").out)
}

func TestGrants_AreTheLeastOfEachKindOfTask(t *testing.T) {
	f, err := task.ParseFile([]byte(strings.Replace(minimal, "[{schema: Shop}]", "[{schema: Shop, to: shop_ddm}, {schema: b`s, to: other}]", 1)))
	require.NoError(t, err)
	f.Source.User, f.Destination.MetadataSchema = `o'br\ien`, "meta"
	f.Type = task.Full
	g := grants.For(f)
	require.Equal(t, []string{
		`CREATE USER 'o''br\\ien'@'%' IDENTIFIED BY '<password>';`,
		"GRANT SELECT, SHOW VIEW, EVENT ON `Shop`.* TO 'o''br\\\\ien'@'%';",
		"GRANT SELECT, SHOW VIEW, EVENT ON `b``s`.* TO 'o''br\\\\ien'@'%';",
		"FLUSH PRIVILEGES;",
	}, g.Source.Statements)
	require.Len(t, g.Source.Optional, 1)
	require.Equal(t, []string{
		"CREATE USER 'v'@'%' IDENTIFIED BY '<password>';",
		"GRANT CREATE, DROP, ALTER, INDEX, INSERT, DELETE, UPDATE, SELECT ON `shop_ddm`.* TO 'v'@'%';",
		"GRANT CREATE, DROP, ALTER, INDEX, INSERT, DELETE, UPDATE, SELECT ON `other`.* TO 'v'@'%';",
		"GRANT CREATE, DROP, ALTER, INDEX, INSERT, DELETE, UPDATE, SELECT ON `meta`.* TO 'v'@'%';",
		"FLUSH PRIVILEGES;",
	}, g.Destination.Statements)
	f.Type, f.Source.User = task.FullIncremental, "u"
	g = grants.For(f)
	require.Contains(t, g.Source.Statements, "GRANT SELECT, SHOW VIEW, EVENT, LOCK TABLES ON `Shop`.* TO 'u'@'%';")
	require.Contains(t, g.Source.Statements, "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'u'@'%';")
	require.Len(t, g.Source.Optional, 4)
}

func TestKeysRotate_PutsAFreshKeyInFront(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "keys.json")
	ring, err := secret.OpenKeyRing(path)
	require.NoError(t, err)
	got := runApp(t.Context(), func(a *app) { a.env = environment("SHARDLIFT_DATA", folder) }, "keys", "rotate", "-o", "json")
	require.Zero(t, got.status, got.err)
	public, err := secret.ReadPublicKey(secret.PublicPath(path))
	require.NoError(t, err)
	require.NotEqual(t, ring.Public().ID, public.ID)
	require.Contains(t, got.out, public.ID)
	require.Equal(t, exitFailed, runApp(t.Context(), func(*app) {}, "keys", "rotate", "--keys-file", filepath.Join(folder, "no.json")).status)
}
