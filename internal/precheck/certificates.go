package precheck

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	"shardlift/internal/mysqlconn"
)

// expirySoon is how long a certificate should be good for at least: a migration
// takes weeks.
const expirySoon = 30 * 24 * time.Hour

// certificates looks at the certificates of the task file (PC-05); bad is false
// when there is nothing to say of them.
func certificates(t mysqlconn.TLS, side string) (f finding, bad bool) {
	for _, c := range []struct{ field, text string }{{"ca_file", t.CA}, {"cert_file", t.Cert}} {
		if c.text == "" {
			continue
		}
		field := side + ".tls." + c.field
		remedy := "give a PEM file with a valid certificate in " + field
		rest, found := []byte(c.text), 0
		for {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				break
			}
			if block.Type != "CERTIFICATE" {
				continue
			}
			found++
			parsed, err := x509.ParseCertificate(block.Bytes)
			switch {
			case err != nil:
				return fail(field+" has a certificate that cannot be read", remedy), true
			case time.Now().After(parsed.NotAfter):
				return fail(fmt.Sprintf("a certificate of %s has expired on %s", field, parsed.NotAfter.UTC().Format(time.DateOnly)), remedy), true
			case time.Until(parsed.NotAfter) < expirySoon:
				return alarm(fmt.Sprintf("a certificate of %s expires on %s", field, parsed.NotAfter.UTC().Format(time.DateOnly)), remedy), true
			}
		}
		if found == 0 {
			return fail(field+" has no certificate", remedy), true
		}
	}
	return finding{}, false
}
