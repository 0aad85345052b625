package mysqlconn

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"shardlift/internal/fault"
)

// TLSConfig returns what the TLS settings mean for crypto/tls, nil when the
// mode is disabled. Go offers TLS 1.2 and no RSA key exchange by itself, and
// servers up to MySQL 5.7.27 know nothing else: both are offered on request only.
func (c Config) TLSConfig() (*tls.Config, error) {
	mode := c.TLS.Mode
	if mode == "" || mode == TLSDisabled {
		return nil, nil
	}
	out := &tls.Config{ServerName: c.Host}
	version, err := minVersion(c.TLS.MinVersion)
	if err != nil {
		return nil, err
	}
	out.MinVersion = version
	if c.TLS.LegacyCiphers {
		out.CipherSuites = allSuites()
	}
	if c.TLS.Cert != "" {
		pair, err := tls.X509KeyPair([]byte(c.TLS.Cert), []byte(c.TLS.Key.Reveal()))
		if err != nil {
			return nil, fault.InvalidField.New("tls.cert", "certificate and key do not belong together or are no PEM")
		}
		out.Certificates = []tls.Certificate{pair}
	}
	if c.TLS.CA != "" {
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM([]byte(c.TLS.CA)) {
			return nil, fault.InvalidField.New("tls.ca", "holds no PEM certificate")
		}
	}
	switch mode {
	case TLSPreferred, TLSRequired:
		out.InsecureSkipVerify = true // encrypts, trusts anybody: what these modes mean in MySQL
	case TLSVerifyCA:
		out.InsecureSkipVerify = true // the chain is verified below, the name is not
		out.VerifyConnection = verifyChain(out.RootCAs)
	case TLSVerifyIdentity:
	default:
		return nil, fault.InvalidField.New("tls.mode", "must be disabled, preferred, required, verify-ca or verify-identity")
	}
	return out, nil
}

func minVersion(text string) (uint16, error) {
	switch text {
	case "1.0":
		return tls.VersionTLS10, nil
	case "1.1":
		return tls.VersionTLS11, nil
	case "", "1.2":
		return tls.VersionTLS12, nil
	case "1.3":
		return tls.VersionTLS13, nil
	default:
		return 0, fault.InvalidField.New("tls.min_version", "must be 1.0, 1.1, 1.2 or 1.3")
	}
}

func allSuites() []uint16 {
	var out []uint16
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		out = append(out, suite.ID)
	}
	return out
}

// verifyChain checks the server's certificate against the roots whatever name
// it bears: self-made server certificates of MySQL name no host.
func verifyChain(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return errors.New("the server shows no certificate")
		}
		intermediates := x509.NewCertPool()
		for _, c := range state.PeerCertificates[1:] {
			intermediates.AddCert(c)
		}
		if _, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates}); err != nil {
			return fmt.Errorf("verify the server's certificate: %w", err)
		}
		return nil
	}
}
