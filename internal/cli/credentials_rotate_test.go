package cli

import (
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// anotherCertificate makes another push certificate of dev's app, and its key.
func anotherCertificate(t *testing.T) string {
	return certificatePEM(apnsCertificate(t, "Apple Push Services: new", "com.example.app.dev", time.Now().AddDate(1, 0, 0), servesSandbox)) + keyPEM()
}

// TestTheFileSaysWhatIsAttached: a rotation writes the SID of what it attached where the file declares it, a second time when a
// run before was cut off there, and says which file the declaration still names.
func TestTheFileSaysWhatIsAttached(t *testing.T) {
	a := newAccount(t, "", threeEnvironments)
	a.ok("env", "apply", "dev", "--yes")
	applied := a.read("config.yaml")
	a.write("config.yaml", regexp.MustCompile(`credential_sid: CR\w+, certificate_file`).ReplaceAllString(applied, "credential_sid: CR00000000000000000000000000000009, certificate_file"))
	if status, _, stderr := a.run("-e", "dev", "credentials", "rotate", "apn", "--yes"); status != 0 || !strings.Contains(stderr, "nothing to do") || a.read("config.yaml") != applied {
		t.Errorf("what is attached already: status %d\n%s%s", status, stderr, a.read("config.yaml"))
	}
	a.write("new.pem", anotherCertificate(t))
	rotate := []string{"-e", "dev", "credentials", "rotate", "apn", "--file", filepath.Join(a.dir, "new.pem"), "--watch", "0s", "--yes"}
	if status, _, stderr := a.run(rotate...); status != 3 || !strings.Contains(stderr, "still names the file of before") {
		t.Errorf("status %d\n%s", status, stderr)
	}
	rotated := a.read("config.yaml")
	if rotated == applied || strings.Count(rotated, "credential_sid") != 2 {
		t.Errorf("the file:\n%s", rotated)
	}
	a.write("apns-dev.pem", a.read("new.pem"))
	if status, _, stderr := a.run(rotate...); status != 3 || strings.Contains(stderr, "still names") {
		t.Errorf("with the file in its place: status %d\n%s", status, stderr)
	}
	if report := a.plan("env", "plan", "dev"); report.Changes != 0 {
		t.Errorf("%+v", report)
	}

	// What the file does not declare is not put into it, and where it cannot be written the line is told.
	push := regexp.MustCompile(`(?m)^        apn: \{name: iOS dev.*\n`)
	a.write("config.yaml", push.ReplaceAllString(rotated, ""))
	a.run(rotate...)
	if file := a.read("config.yaml"); push.MatchString(file) || strings.Contains(file, "apn:\n") {
		t.Errorf("an undeclared credential:\n%s", file)
	}
	a.write("config.yaml", rotated)
	a.write("new.pem", anotherCertificate(t))
	a.setFault(func(_ http.ResponseWriter, r *http.Request, _ int) bool {
		if r.Method == http.MethodPost {
			a.write("config.yaml", "environments: {")
		}
		return false
	})
	if status, _, stderr := a.run(rotate...); status != 3 || !strings.Contains(stderr, "the SIDs of dev were not written") || !strings.Contains(stderr, "add to dev: service.push.apn.credential_sid: CR") {
		t.Errorf("a file that cannot be written: status %d\n%s", status, stderr)
	}
}
