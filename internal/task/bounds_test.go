package task

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
	"shardlift/internal/secret"
)

// wrong returns the fields of the example that an edit makes wrong.
func wrong(t *testing.T, edit func(*File)) (fields []string) {
	t.Helper()
	f, err := ParseFile([]byte(example))
	require.NoError(t, err)
	edit(&f)
	for _, e := range f.Validate() {
		fields = append(fields, e.Field)
	}
	return fields
}

// TestFile_BoundsAreThoseOfTheConsole: the first values that are too much, and
// the last that are not (drs.md W-03, W-04, W-22, 1.6, L-32, P-14).
func TestFile_BoundsAreThoseOfTheConsole(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	tags := func(n int) map[string]string {
		out := map[string]string{}
		for i := range n {
			out["k"+strconv.Itoa(i)] = ""
		}
		return out
	}
	good := map[string]func(*File){
		"name of 4":              func(f *File) { f.Name = "shop" },
		"name of 50":             func(f *File) { f.Name = x(50) },
		"name of every letter":   func(f *File) { f.Name = "aZ09-_" },
		"description of 256":     func(f *File) { f.Description = strings.Repeat("ä", 256) },
		"port 1":                 func(f *File) { f.Source.Port = 1 },
		"port 65535":             func(f *File) { f.Source.Port = 65535 },
		"20 tags":                func(f *File) { f.Tags = tags(20) },
		"tag of every letter":    func(f *File) { f.Tags = map[string]string{"a B_.:=+-@9": "a B_.:=+-@9"} },
		"tag of 128 and 255":     func(f *File) { f.Tags = map[string]string{x(128): x(255)} },
		"expired_days 14":        func(f *File) { f.ExpiredDays = 14 },
		"expired_days 100":       func(f *File) { f.ExpiredDays = 100 },
		"delay_seconds 3600":     func(f *File) { f.Alarms.DelaySeconds = 3600 },
		"9999 MB/s":              func(f *File) { f.Limits.MBPerSecond = 9999 },
		"a certificate of a CA":  func(f *File) { f.Source.TLS.CARef = x(80) },
		"a name with umlauts to": func(f *File) { f.Objects[0].Schema = "Gehälter" },
	}
	for name, edit := range good {
		require.Empty(t, wrong(t, edit), name)
	}
	bad := map[string][]func(*File){
		"name": {
			func(f *File) { f.Name = "sho" },
			func(f *File) { f.Name = x(51) },
			func(f *File) { f.Name = "-shop" },
			func(f *File) { f.Name = "shöp" },
			func(f *File) { f.Name = "shop ddm" },
			func(f *File) { f.Name = "shop\n" },
		},
		"description":                  {func(f *File) { f.Description = x(257) }},
		"source.port":                  {func(f *File) { f.Source.Port = -1 }, func(f *File) { f.Source.Port = 65536 }},
		"tags":                         {func(f *File) { f.Tags = tags(21) }},
		"tags.":                        {func(f *File) { f.Tags = map[string]string{"": "x"} }},
		"tags." + x(129):               {func(f *File) { f.Tags = map[string]string{x(129): ""} }},
		"tags.team":                    {func(f *File) { f.Tags = map[string]string{"team": x(256)} }, func(f *File) { f.Tags = map[string]string{"team": "a "} }, func(f *File) { f.Tags = map[string]string{"team": "a/b"} }},
		"tags. team":                   {func(f *File) { f.Tags = map[string]string{" team": ""} }},
		"tags._sys_enterprise":         {func(f *File) { f.Tags = map[string]string{"_sys_enterprise": ""} }},
		"expired_days":                 {func(f *File) { f.ExpiredDays = 13 }, func(f *File) { f.ExpiredDays = 101 }},
		"alarms.delay_seconds":         {func(f *File) { f.Alarms.DelaySeconds = 3601 }, func(f *File) { f.Alarms.DelaySeconds = -1 }},
		"alarms.capture_delay_seconds": {func(f *File) { f.Alarms.CaptureSeconds = 3601 }},
		"alarms.apply_delay_seconds":   {func(f *File) { f.Alarms.ApplySeconds = 3601 }},
		"alarms.for_seconds":           {func(f *File) { f.Alarms.ForSeconds = 86401 }},
	}
	for _, letter := range `!=<>'&"\` {
		bad["description"] = append(bad["description"], func(f *File) { f.Description = "a" + string(letter) })
	}
	for _, field := range slices.Sorted(maps.Keys(bad)) {
		for i, edit := range bad[field] {
			require.Equal(t, []string{field}, wrong(t, edit), "%s, %d", field, i)
		}
	}
}

// TestFile_CertificatesAreBounded: each by 500 KB, and all that a task keeps by
// what Temporal keeps, with the way out.
func TestFile_CertificatesAreBounded(t *testing.T) {
	large := strings.Repeat("x", maxCertificate+1)
	require.Equal(t, []string{"source.tls.ca"}, wrong(t, func(f *File) { f.Source.TLS.CA = large }))
	require.Equal(t, []string{"destination.tls.cert"}, wrong(t, func(f *File) { f.Destination.TLS.Cert, f.Destination.TLS.Key = large, "x" }))
	require.Equal(t, []string{"destination.tls.cert", "destination.tls.key"}, wrong(t, func(f *File) { f.Destination.TLS.Cert, f.Destination.TLS.Key = "x", large }))

	ring, err := secret.NewKeyRing()
	require.NoError(t, err)
	f, err := ParseFile([]byte(example))
	require.NoError(t, err)
	f.Source.TLS.CA = strings.Repeat("x", maxCertificate)
	_, err = f.Seal("t1", ring.Public(), ring.Public())
	require.NoError(t, err)
	f.Source.TLS.Cert, f.Destination.TLS.CA = f.Source.TLS.CA, f.Source.TLS.CA
	_, err = f.Seal("t1", ring.Public(), ring.Public())
	require.ErrorIs(t, err, fault.InvalidFile)
	require.ErrorContains(t, err, "ca_ref")
}
