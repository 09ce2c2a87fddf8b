// Package pki makes authorities and certificates for tests.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Authority signs certificates.
type Authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	// File has its certificate.
	File string
}

// Identity is a certificate with its key, and the files of both.
type Identity struct {
	tls.Certificate
	CertFile, KeyFile string
}

// NewAuthority makes one that ends an hour from now.
func NewAuthority(t *testing.T) *Authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: serial(t), Subject: pkix.Name{CommonName: "authority of the test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	a := &Authority{certificate: certificate, key: key, File: filepath.Join(t.TempDir(), "ca.crt")}
	writePEM(t, a.File, "CERTIFICATE", der)
	return a
}

// Issue signs a certificate for this machine, as a server and as a client.
func (a *Authority) Issue(t *testing.T) Identity {
	t.Helper()
	return a.IssueFor(t, "localhost", time.Now().Add(time.Hour))
}

// IssueExpired signs one that ended an hour ago.
func (a *Authority) IssueExpired(t *testing.T) Identity {
	t.Helper()
	return a.IssueFor(t, "localhost", time.Now().Add(-time.Hour))
}

// IssueFor signs a certificate for a host, by name or by address, which ends then. This machine has both.
func (a *Authority) IssueFor(t *testing.T, host string, ends time.Time) Identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: serial(t), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: ends.Add(-24 * time.Hour), NotAfter: ends,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if host == "localhost" {
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	} else if address := net.ParseIP(host); address != nil {
		template.DNSNames, template.IPAddresses = nil, []net.IP{address}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	dir := t.TempDir()
	id := Identity{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")}
	writePEM(t, id.CertFile, "CERTIFICATE", der)
	writePEM(t, id.KeyFile, "EC PRIVATE KEY", keyDER)
	id.Certificate, err = tls.LoadX509KeyPair(id.CertFile, id.KeyFile)
	require.NoError(t, err)
	return id
}

// Trust is the configuration of a client that trusts the authority, and shows certificates if there are any.
func (a *Authority) Trust(show ...Identity) *tls.Config {
	config := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost", MinVersion: tls.VersionTLS12}
	config.RootCAs.AddCert(a.certificate)
	for _, id := range show {
		// Not Certificates, of which a client leaves out those that the server does not ask for.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &id.Certificate, nil }
	}
	return config
}

func serial(t *testing.T) *big.Int {
	t.Helper()
	n, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	require.NoError(t, err)
	return n
}

func writePEM(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}
