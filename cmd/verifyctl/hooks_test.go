//go:build unix

package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// TestPreCommitHooks runs each hook as pre-commit does, its entry with the names of files behind it: on files that are in
// order, on files that are not, and without a network.
func TestPreCommitHooks(t *testing.T) {
	t.Parallel()
	var hooks []struct{ ID, Name, Entry, Language, Files string }
	readYAML(t, "../../.pre-commit-hooks.yaml", &hooks)
	const environments = "environments:\n  prod:\n    account_sid: AC00000000000000000000000000000001\n    service_sid: VA00000000000000000000000000000001\n"
	samples := map[string]struct{ name, good, bad string }{
		"verifyctl-env-check":        {"verifyctl.yaml", environments, environments + "    knd: staging\n"},
		"verifyctl-templates-lint":   {"texts.yaml", "texts: {a: {locales: {default: {message: Hi}}}}\n", "texts: {a: {locales: {default: {message: '{b}'}}}}\n"},
		"verifyctl-credentials-lint": {"apns-live.pem", pushCertificate(t), "no certificate\n"},
	}
	if len(hooks) != len(samples) {
		t.Fatalf("%d hooks, and samples for %d", len(hooks), len(samples))
	}
	for _, hook := range hooks {
		sample, known := samples[hook.ID]
		if !known || hook.Language != "golang" || hook.Entry != hook.Name {
			t.Errorf("the hook %+v", hook)
			continue
		}
		if !regexp.MustCompile(hook.Files).MatchString("config/" + sample.name) {
			t.Errorf("%s does not look at %s", hook.ID, sample.name)
		}
		words := strings.Fields(strings.TrimPrefix(hook.Entry, "verifyctl "))
		for text, status := range map[string]int{sample.good: 0, sample.bad: 1} {
			h := newHome(t)
			for _, dir := range []string{"ios", "android"} { // several files at once
				if err := os.MkdirAll(h.path(dir), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(h.path(filepath.Join(dir, sample.name)), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			h.run(t, status, []string{"HTTPS_PROXY=http://127.0.0.1:1"}, append(words, "ios/"+sample.name, "android/"+sample.name)...)
		}
	}
}

// pushCertificate makes the APNs certificate of an app, as its authority would give it.
func pushCertificate(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	production := pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 3, 2}, Value: []byte{5, 0}} // Apple's
	app := pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}, Value: "com.example.app"}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		Subject: pkix.Name{CommonName: "Apple Push Services: com.example.app", ExtraNames: []pkix.AttributeTypeAndValue{app}}, ExtraExtensions: []pkix.Extension{production}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// readYAML reads a file of the repository.
func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
