package task

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// FieldError names one wrong field by its path in the file.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Error prints field and message.
func (e FieldError) Error() string { return e.Field + ": " + e.Message }

var (
	namePattern    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{3,49}$`)
	groupPattern   = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)
	schemaPattern  = regexp.MustCompile("^[^`'\"<>/\\\\]{1,64}$")
	refPattern     = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)
	maxCertificate = 500 << 10 // drs.md W-24
)

// Kinds are the destinations that can be named in `destination.kind`.
var Kinds = []string{"auto", "ddm", "dble", "vitess", "shardingsphere", "tidb", "mysql", "mariadb"}

// Validate returns every wrong field of the file, none when it can be used.
func (f File) Validate() []FieldError {
	v := &validation{}
	v.check(f.Version == 1, "version", "must be 1")
	v.check(namePattern.MatchString(f.Name), "name", "4 to 50 characters: a letter first, then letters, digits, - and _")
	v.description(f.Description)
	v.check(f.Type == Full || f.Type == FullIncremental, "type", "must be full or full+incremental")
	v.check(groupPattern.MatchString(f.WorkerGroup), "worker_group", "at most 40 lower-case letters, digits, - and _")
	v.endpoint("source", f.Source)
	v.endpoint("destination", f.Destination)
	v.check(f.Source.MaxConnections >= 6 && f.Source.MaxConnections <= 200, "source.max_connections", "must be 6 to 200: binlog, watch and inspection take one each, comparison two, the copy the rest")
	v.check(f.Destination.MaxConnections >= 4 && f.Destination.MaxConnections <= 1000, "destination.max_connections", "must be 4 to 1000")
	v.check(slices.Contains(Kinds, f.Destination.Kind), "destination.kind", "must be one of "+strings.Join(Kinds, ", "))
	v.check(f.Destination.MetadataSchema == "" || schemaPattern.MatchString(f.Destination.MetadataSchema), "destination.metadata_schema", "is no schema name")
	for _, err := range f.Objects.Validate() {
		field, message, _ := strings.Cut(err.Error(), ": ")
		v.check(false, field, message)
	}
	v.policy(f.Policy)
	v.errors = append(v.errors, f.Limits.Validate()...)
	v.tags(f.Tags)
	v.check(f.ExpiredDays >= 14 && f.ExpiredDays <= 100, "expired_days", "must be 14 to 100")
	v.alarms(f.Alarms)
	return v.errors
}

type validation struct{ errors []FieldError }

func (v *validation) check(ok bool, field, message string) {
	if !ok {
		v.errors = append(v.errors, FieldError{field, message})
	}
}

// alarms follow drs.md P-14.
func (v *validation) alarms(a Alarms) {
	within := func(field string, n int) { v.check(n >= 0 && n <= 3600, "alarms."+field, "must be 0 (none) to 3600") }
	within("delay_seconds", a.DelaySeconds)
	within("capture_delay_seconds", a.CaptureSeconds)
	within("apply_delay_seconds", a.ApplySeconds)
	v.check(a.ForSeconds >= 0 && a.ForSeconds <= 86400, "alarms.for_seconds", "must be 0 to 86400")
}

// description follows drs.md W-04.
func (v *validation) description(text string) {
	v.check(utf8.RuneCountInString(text) <= 256, "description", "at most 256 characters")
	v.check(!strings.ContainsAny(text, "!=<>'&\"\\"), "description", `none of ! = < > ' & " \`)
}

func (v *validation) endpoint(at string, e Endpoint) {
	v.check(e.Host != "" && !strings.ContainsAny(e.Host, " /@()"), at+".host", "a host name or an IP address is needed")
	v.check(e.Port >= 1 && e.Port <= 65535, at+".port", "must be 1 to 65535")
	v.check(e.User != "", at+".user", "is missing")
	modes := []string{"disabled", "preferred", "required", "verify-ca", "verify-identity"}
	v.check(slices.Contains(modes, e.TLS.Mode), at+".tls.mode", "must be one of "+strings.Join(modes, ", "))
	v.check(slices.Contains([]string{"", "1.0", "1.1", "1.2", "1.3"}, e.TLS.MinVersion), at+".tls.min_version", "must be 1.0, 1.1, 1.2 or 1.3")
	v.check((e.TLS.CertFile == "") == (e.TLS.KeyFile == ""), at+".tls.key_file", "cert_file and key_file belong together")
	v.check((e.TLS.Cert == "") == (e.TLS.Key == ""), at+".tls.key", "certificate and key belong together")
	v.check(e.TLS.CARef == "" || e.TLS.CAFile == "" && e.TLS.CA == "", at+".tls.ca_ref", "ca_file stands beside it: name one of them")
	v.check((e.TLS.CertRef == "") == (e.TLS.KeyRef == ""), at+".tls.key_ref", "cert_ref and key_ref belong together")
	v.check(e.TLS.CertRef == "" || e.TLS.CertFile == "" && e.TLS.Cert == "", at+".tls.cert_ref", "cert_file stands beside it: name one of them")
	for field, ref := range map[string]string{"ca_ref": e.TLS.CARef, "cert_ref": e.TLS.CertRef, "key_ref": e.TLS.KeyRef} {
		v.check(ref == "" || refPattern.MatchString(ref), at+".tls."+field, "a name of at most 80 letters, digits, - and _")
	}
	v.pem(at+".tls.ca", e.TLS.CA)
	v.pem(at+".tls.cert", e.TLS.Cert)
	v.check(len(e.TLS.Key) <= maxCertificate, at+".tls.key", "is larger than 500 KB")
	for i, n := range e.DataNodes {
		v.check(n.Host != "" && n.Port >= 1 && n.Port <= 65535 && n.User != "", fmt.Sprintf("%s.data_nodes[%d]", at, i), "host, port and user are needed")
	}
}

func (v *validation) pem(field, text string) {
	if text == "" {
		return
	}
	if len(text) > maxCertificate {
		v.check(false, field, "is larger than 500 KB")
		return
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		v.check(false, field, "is no PEM certificate")
		return
	}
	_, err := x509.ParseCertificate(block.Bytes)
	v.check(err == nil, field, "is no PEM certificate")
}

func (v *validation) policy(p Policy) {
	one := func(field, value string, allowed ...string) {
		v.check(slices.Contains(allowed, value), "policy."+field, "must be "+strings.Join(allowed, " or "))
	}
	one("ddl", p.DDL, "stop")
	one("truncate", p.Truncate, "apply", "stop")
	one("divergence", p.Divergence, "stop", "report")
	one("sequences", p.Sequences, "selected", "all")
	one("apply", p.Apply, "after-copy", DuringCopy)
	one("table_error", p.TableError, "stop", ParkTable)
}

// tags follow drs.md 1.6.
func (v *validation) tags(tags map[string]string) {
	v.check(len(tags) <= 20, "tags", "at most 20")
	for key, value := range tags {
		at := "tags." + key
		v.check(key != "" && utf8.RuneCountInString(key) <= 128 && tagText(key), at, "a key has 1 to 128 letters, digits, spaces and _ . : = + - @, none of the spaces at an end")
		v.check(!strings.HasPrefix(key, "_sys_"), at, "keys that start with _sys_ are reserved")
		v.check(utf8.RuneCountInString(value) <= 255 && tagText(value), at, "a value has at most 255 letters, digits, spaces and _ . : = + - @, none of the spaces at an end")
	}
}

func tagText(s string) bool {
	if strings.TrimSpace(s) != s {
		return false
	}
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(" _.:=+-@", r) {
			return false
		}
	}
	return true
}
