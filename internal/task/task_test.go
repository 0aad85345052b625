package task

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
	"shardlift/internal/secret"
)

const example = `
version: 1
name: shop-to-ddm
description: shop cutover
type: full+incremental
source: {host: 10.0.0.5, port: 3306, user: shardlift, password_file: /run/secrets/src, tls: {mode: disabled}}
destination: {kind: ddm, host: ddm.internal, port: 5066, user: shardlift, password_env: DST_PW}
objects:
  - {schema: Shop, to: shop_ddm, tables: ["*"], exclude: ["tmp_*"]}
tags: {team: payments}
`

func TestParseFile_DefaultsAndValid(t *testing.T) {
	f, err := ParseFile([]byte(example))
	require.NoError(t, err)
	require.Empty(t, f.Validate())
	require.Equal(t, "shop_ddm", f.Destination.MetadataSchema)
	require.Equal(t, 10, f.Source.MaxConnections)
	require.Equal(t, "stop", f.Policy.Divergence)
	require.Equal(t, 14, f.ExpiredDays)
}

func TestParseFile_RefusesUnknownKeys(t *testing.T) {
	_, err := ParseFile([]byte(example + "pasword: x\n"))
	require.ErrorIs(t, err, fault.InvalidFile)
	require.ErrorContains(t, err, "pasword")
	_, err = ParseFile(nil)
	require.ErrorIs(t, err, fault.InvalidFile)
}

func TestFile_ValidateNamesEachField(t *testing.T) {
	for field, edit := range map[string]func(*File){
		"version":                func(f *File) { f.Version = 2 },
		"name":                   func(f *File) { f.Name = "1abc" },
		"description":            func(f *File) { f.Description = "a=b" },
		"type":                   func(f *File) { f.Type = "incremental" },
		"worker_group":           func(f *File) { f.WorkerGroup = "A B" },
		"source.host":            func(f *File) { f.Source.Host = "" },
		"source.port":            func(f *File) { f.Source.Port = 70000 },
		"source.user":            func(f *File) { f.Source.User = "" },
		"source.tls.mode":        func(f *File) { f.Source.TLS.Mode = "on" },
		"source.tls.ca":          func(f *File) { f.Source.TLS.CA = "no pem" },
		"source.max_connections": func(f *File) { f.Source.MaxConnections = 2 },
		"destination.kind":       func(f *File) { f.Destination.Kind = "oracle" },
		"objects":                func(f *File) { f.Objects = nil },
		"policy.ddl":             func(f *File) { f.Policy.DDL = "apply" },
		"limits.mb_per_second":   func(f *File) { f.Limits.MBPerSecond = 10000 },
		"tags._sys_x":            func(f *File) { f.Tags = map[string]string{"_sys_x": ""} },
		"expired_days":           func(f *File) { f.ExpiredDays = 7 },
	} {
		f, err := ParseFile([]byte(example))
		require.NoError(t, err)
		edit(&f)
		errs := f.Validate()
		require.Len(t, errs, 1, field)
		require.Equal(t, field, errs[0].Field)
	}
}

func TestFile_SealHidesHostUserAndPassword(t *testing.T) {
	ring, err := secret.NewKeyRing()
	require.NoError(t, err)
	web, err := secret.NewKeyRing()
	require.NoError(t, err)
	f, err := ParseFile([]byte(example))
	require.NoError(t, err)
	f.Source.Password, f.Source.Host, f.Source.User = "canary-password", "canary-host", "canary-user"

	spec, err := f.Seal("t1", ring.Public(), web.Public())
	require.NoError(t, err)
	data, err := json.Marshal(spec)
	require.NoError(t, err)
	require.NotContains(t, string(data), "canary")
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", f, spec, f.Source), "canary")

	e, err := OpenEndpoint("t1", SourceSide, spec.Source, ring)
	require.NoError(t, err)
	require.Equal(t, f.Source.Password, e.Password)
	_, err = OpenEndpoint("t2", SourceSide, spec.Source, ring)
	require.Error(t, err)
	require.NotContains(t, fmt.Sprint(err), "canary")
	var shown Shown
	require.NoError(t, web.OpenJSON(ShownUse("t1", SourceSide), spec.Source.Shown, &shown))
	require.Equal(t, Shown{"canary-host", 3306, "canary-user"}, shown)

	side, err := spec.Source.WithCredentials("t1", SourceSide, Credentials{"canary-new", "canary-secret"}, shown, ring.Public(), web.Public())
	require.NoError(t, err)
	data, err = json.Marshal(side)
	require.NoError(t, err)
	require.NotContains(t, string(data)+fmt.Sprintf("%+v", Credentials{"canary-new", "canary-secret"}), "canary")
	e, err = OpenEndpoint("t1", SourceSide, side, ring)
	require.NoError(t, err)
	require.Equal(t, []string{"canary-host", "canary-new", "canary-secret"}, []string{e.Host, e.User, e.Password})
}
