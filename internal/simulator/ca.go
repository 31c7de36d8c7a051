package simulator

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// hosts are the Twilio hosts that the simulator stands for.
func hosts() []string {
	return []string{"verify.twilio.com", "notify.twilio.com", "conversations.twilio.com", "monitor.twilio.com",
		"chat.twilio.com", "events.twilio.com", "iam.twilio.com", "api.twilio.com"}
}

// localNames are the other names a client on this machine, or in an Android emulator on it (10.0.2.2), may use.
var (
	localNames     = []string{"localhost"}
	localAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback, net.IPv4(10, 0, 2, 2)}
)

const (
	caLife   = 10 * 365 * 24 * time.Hour
	certLife = 397 * 24 * time.Hour // what phones accept at most
	backdate = time.Hour            // for clients whose clock is behind
)

// Authority is a local certificate authority: clients that trust its certificate take the simulator for Twilio. Its key
// never leaves the folder it was made in.
type Authority struct {
	// File is the PEM file with the certificate to trust.
	File string

	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// OpenAuthority reads the authority of a folder, and makes it the first time or when it has run out: simulator-ca.pem
// and, readable by its owner only, simulator-ca.key.
func OpenAuthority(dir string, now time.Time) (*Authority, error) {
	a := &Authority{File: filepath.Join(dir, "simulator-ca.pem")}
	keyFile := filepath.Join(dir, "simulator-ca.key")
	err := a.read(keyFile)
	if err == nil && now.Before(a.cert.NotAfter.Add(-certLife)) {
		return a, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the simulator's certificate authority in %s cannot be read (delete both files to make a new one): %w", dir, err)
	}
	return a, a.create(dir, keyFile, now)
}

func (a *Authority) read(keyFile string) error {
	pair, err := tls.LoadX509KeyPair(a.File, keyFile)
	if err != nil {
		return err
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || pair.Leaf == nil || !pair.Leaf.IsCA {
		return errors.New("it is not one that the simulator made")
	}
	a.cert, a.key = pair.Leaf, key
	return nil
}

func (a *Authority) create(dir, keyFile string, now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "verifyctl simulator, this machine only"},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(caLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	a.key = key
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.Remove(keyFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}), 0o600); err != nil {
		return err
	}
	return os.WriteFile(a.File, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}

// TLS gives a configuration for a server that stands for the Twilio hosts, this machine's names, and the extra addresses
// it listens on. It speaks HTTP/1.1 only, as the mobile SDKs are used to.
func (a *Authority) TLS(now time.Time, extra ...net.IP) (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: hosts()[0]},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(certLife),
		DNSNames: slices.Concat(hosts(), localNames), IPAddresses: slices.Concat(localAddresses, extra),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key}},
		MinVersion:   tls.VersionTLS12, NextProtos: []string{"http/1.1"},
	}, nil
}

func serial() *big.Int {
	n, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)) // the reader never fails
	return n
}
