package testdb

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// writeCertificates makes an authority, a server's and a client's certificate
// in dir, under the names that MySQL 5.7 and later give to theirs. Unlike those
// the server's names its host.
func writeCertificates(dir string) error {
	authority := &x509.Certificate{
		Subject: pkix.Name{CommonName: "shardlift test authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	authorityKey, err := writeCertificate(dir, "ca", authority, authority, nil)
	if err != nil {
		return err
	}
	for name, extended := range map[string]x509.ExtKeyUsage{
		"server": x509.ExtKeyUsageServerAuth, "client": x509.ExtKeyUsageClientAuth,
	} {
		leaf := &x509.Certificate{
			Subject:     pkix.Name{CommonName: "shardlift test " + name},
			KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
			ExtKeyUsage: []x509.ExtKeyUsage{extended},
			DNSNames:    []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		}
		if _, err := writeCertificate(dir, name, leaf, authority, authorityKey); err != nil {
			return err
		}
	}
	return nil
}

// writeCertificate signs template by the authority, or by itself when signer
// is nil, and writes <name>[-cert].pem and <name>-key.pem. The key has the old
// PKCS #1 form, which is all that the servers before 5.7 read.
func writeCertificate(dir, name string, template, authority *x509.Certificate, signer *rsa.PrivateKey) (*rsa.PrivateKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	certificateFile := name + "-cert.pem"
	if signer == nil {
		signer, certificateFile = key, name+".pem"
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().AddDate(10, 0, 0)
	der, err := x509.CreateCertificate(rand.Reader, template, authority, &key.PublicKey, signer)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	for file, block := range map[string]*pem.Block{
		certificateFile:   {Type: "CERTIFICATE", Bytes: der},
		name + "-key.pem": {Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)},
	} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			return nil, fmt.Errorf("write certificate: %w", err)
		}
	}
	return key, nil
}
