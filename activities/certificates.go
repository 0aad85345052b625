package activities

import (
	"os"
	"path/filepath"

	"shardlift/internal/fault"
	"shardlift/internal/task"
)

// Certificates names the folder of certificates that tasks refer to by name.
// Call it before the activities are registered.
func (a *Activities) Certificates(folder string) { a.tasks.certificates = folder }

// largestCertificate is drs.md W-24's.
const largestCertificate = 500 << 10

// fill reads the certificates that an endpoint names. A name has no slash and no
// dot (task.File.Validate), so it never leaves the folder.
func (r *resolver) fill(side task.Side, tls *task.TLS) error {
	for _, f := range []struct {
		ref  string
		into *string
	}{{tls.CARef, &tls.CA}, {tls.CertRef, &tls.Cert}, {tls.KeyRef, &tls.Key}} {
		if f.ref == "" {
			continue
		}
		object := string(side) + " certificate " + f.ref
		path := filepath.Join(r.certificates, filepath.Base(f.ref)+".pem")
		found, err := os.Stat(path)
		if err != nil || !found.Mode().IsRegular() {
			return fault.CertificateMissing.New(object, "")
		}
		if found.Size() > largestCertificate {
			return fault.CertificateMissing.New(object, "the file is larger than 500 KB")
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return fault.CertificateMissing.New(object, "the file cannot be read")
		}
		*f.into = string(data)
	}
	return nil
}
