//go:build unix

package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// TestAKilledApplyIsFinishedByTheNext kills the program at each request of an apply until it has read back, before and after
// Twilio took it. The same command then leaves one of each, no plan finds a change, and the audit file knows how every write
// ended.
func TestAKilledApplyIsFinishedByTheNext(t *testing.T) {
	t.Parallel()
	killEverywhere(t, 4, func(k *killing) { // two credentials, a Service and a webhook
		k.cutOff("env", "apply", "dev", "--yes")
		k.ok("env", "apply", "dev", "--yes")
		k.has("/v2/Services", 1)
		k.has("/v1/Credentials", 2)
	})
}

// TestAKilledRotationIsFinishedByTheNext does so at each request of a rotation: one new credential stands beside the old one
// and is attached.
func TestAKilledRotationIsFinishedByTheNext(t *testing.T) {
	t.Parallel()
	killEverywhere(t, 2, func(k *killing) { // a credential, and the Service that it is attached to
		k.ok("env", "apply", "dev", "--yes")
		k.write("apns.pem", killCertificatePEM(k.T))
		rotate := []string{"-e", "dev", "credentials", "rotate", "apn", "--file", filepath.Join(k.dir, "apns.pem"), "--watch", "0s", "--yes"}
		k.cutOff(rotate...)
		cmd, out := k.command(rotate...)
		if err := cmd.Run(); cmd.ProcessState.ExitCode() != 3 { // nobody was pushed, which proves nothing
			k.Errorf("%s: the next rotation: %v\n%s", k.at, err, out)
		}
		k.has("/v2/Services", 1)
		k.has("/v1/Credentials", 3)
	})
}

// TestAnApplyIsRememberedByTheTeam does so at two of the writes where the memory is in PostgreSQL. Another machine does not take what a run
// that may still live has begun for cut off. No secret is in any row.
func TestAnApplyIsRememberedByTheTeam(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("run without -short")
	}
	address, err := database()
	if err != nil {
		t.Fatal(err)
	}
	if address == "" {
		t.Skip("PostgreSQL is neither named in VERIFYCTL_TEST_POSTGRES nor installed: an apply with a team's store is not tested")
	}
	for _, n := range []int{1, 3} { // a credential and the Service; the other writes go the same way, and each run costs time
		k := newKilling(t, n, true)
		k.writesOnly = true
		k.env = []string{"VERIFYCTL_STORE=" + address, "VERIFYCTL_STORE_KEY=0123456789abcdef0123456789abcdef"}
		k.cutOff("env", "apply", "dev", "--yes")
		if cmd, out := k.command("env", "apply", "dev", "--yes"); n == 1 {
			cmd.Env = append(cmd.Env, "VERIFYCTL_STATE_DIR="+t.TempDir())
			if err := cmd.Run(); err == nil || !strings.Contains(out.String(), "another run of the team is changing the set-up of dev") {
				t.Errorf("another machine: %v\n%s", err, out)
			}
		}
		if out := k.ok("env", "apply", "dev", "--yes"); !k.killed || !strings.Contains(out, "was made by an earlier apply, which did not see the reply: ") {
			t.Errorf("%s: %s", k.at, out)
		}
		k.has("/v2/Services", 1)
		k.has("/v1/Credentials", 2)
		k.ok("env", "drift", "dev")
		if n == 1 {
			k.holdsNoSecret(address)
		}
		k.ok("-e", "dev", "state", "purge", "--yes") // the next world has the same SIDs
	}
}

// holdsNoSecret makes sure that no secret of these tests is in the team's memory of dev, not even after a rotation.
func (k *killing) holdsNoSecret(address string) {
	k.Helper()
	k.write("apns.pem", killCertificatePEM(k.T))
	cmd, out := k.command("-e", "dev", "credentials", "rotate", "apn", "--watch", "0s", "--yes")
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != 3 {
		k.Errorf("rotate: %v\n%s", err, out)
	}
	var services []struct{ SID string }
	if err := json.Unmarshal([]byte(k.ok("-e", "dev", "services", "list", "-o", "json")), &services); err != nil || len(services) != 1 {
		k.Fatal(err, services)
	}
	schema := "verifyctl_" + strings.ToLower(services[0].SID)
	db, err := pgx.Connect(k.Context(), address)
	if err != nil {
		k.Fatal(err)
	}
	defer db.Close(k.Context())
	collect := func(rows pgx.Rows, err error) (content []string) {
		for err == nil && rows.Next() {
			for _, value := range must(rows.Values()) {
				if raw, ok := value.([]byte); ok {
					value = string(raw)
				}
				content = append(content, fmt.Sprint(value))
			}
		}
		if err != nil || rows.Err() != nil {
			k.Fatal(err, rows.Err())
		}
		return content
	}
	var memory strings.Builder
	for _, table := range collect(db.Query(k.Context(), `SELECT table_name::text FROM information_schema.tables WHERE table_schema = $1`, schema)) {
		memory.WriteString(strings.Join(collect(db.Query(k.Context(), `SELECT * FROM `+pgx.Identifier{schema, table}.Sanitize())), "\n"))
	}
	if !strings.Contains(memory.String(), "com.example.app") {
		k.Errorf("the rows say nothing of the certificate: %d bytes", memory.Len())
	}
	key := killPrivateKey()
	secrets := []string{killSecret, string(key.D.Bytes()), string(key.Primes[0].Bytes())}
	for _, file := range []string{killCertificatePEM(k.T), strings.ReplaceAll(killAccountJSON(), `\n`, "\n")} {
		_, private, _ := strings.Cut(file, "PRIVATE KEY-----")
		secrets = append(secrets, strings.Split(private, "\n")[3])
	}
	for i, secret := range secrets {
		if strings.Contains(memory.String(), secret) {
			k.Errorf("secret %d stands in a row", i)
		}
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// killEverywhere has the program killed at one request after the other until all the writes were taken, before and after
// Twilio took it.
func killEverywhere(t *testing.T, writes int, do func(*killing)) {
	if testing.Short() {
		t.Skip("run without -short")
	}
	runs := 0
	for _, after := range []bool{false, true} {
		for n, taken := 1, 0; taken < writes; n++ {
			runs++
			k := newKilling(t, n, after)
			do(k)
			k.ok("env", "drift", "dev")
			if out := k.ok("audit", "verify", "-o", "json"); !strings.Contains(out, `"unfinished": []`) {
				t.Errorf("%s: %s", k.at, out)
			}
			if !k.killed {
				t.Fatalf("there are only %d requests", n-1)
			}
			taken = k.taken
		}
	}
	t.Logf("%d runs were killed", runs)
}

// killing is a world in which the program is killed at one request.
type killing struct {
	*testing.T
	sim *simulator.Simulator
	url string
	dir string
	at  string   // for messages
	env []string // beside what every command gets

	service string // the path of the Service, in a world of deletes

	mu         sync.Mutex
	n          int // of the request at which it is killed
	after      bool
	writesOnly bool   // only writes are counted
	kill       func() // nil while nobody is to be killed
	requests   int
	taken      int                  // writes, by the time it was killed
	look       func(deletes string) // is shown the path of each DELETE before it is handed on; may be nil
	killed     bool
}

func newKilling(t *testing.T, n int, after bool) *killing {
	t.Helper()
	sim, err := simulator.Open(t.Context(), simulator.Options{Clock: simulator.Clock{Mode: simulator.ClockWall}})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.PutKey(t.Context(), simulator.Key{SID: killKey, Kind: "main", Account: simulator.DefaultAccountSID, Secret: killSecret}); err != nil {
		t.Fatal(err)
	}
	k := &killing{T: t, sim: sim, dir: t.TempDir(), at: fmt.Sprintf("killed at request %d (after: %v)", n, after), n: n, after: after}
	server := httptest.NewServer(k.between(sim))
	t.Cleanup(func() {
		server.Close()
		sim.Close()
	})
	k.url = server.URL
	k.write("fcm.json", killAccountJSON())
	k.write("apns.pem", killCertificatePEM(t))
	k.write("config.yaml", fmt.Sprintf("environments:\n  dev:\n    account_sid: %s\n    api_key: %s\n    secret_env: KILL_SECRET\n    base_url: %s\n    kind: development\n    ios_build: debug\n"+
		"    platforms: [apn, fcm]\n    app_ids: [com.example.app]\n    service:\n      friendly_name: Bank\n      push:\n        apn: {name: iOS, certificate_file: apns.pem}\n"+
		"        fcm: {name: Android, service_account_file: fcm.json}\n      webhooks: [{name: answers, url: 'https://ops.example', events: ['*'], version: v2}]\n",
		simulator.DefaultAccountSID, killKey, server.URL))
	return k
}

const killKey, killSecret = "SK00000000000000000000000000000001", "secret0of0the0keys"

// between hands requests on, and kills at one of them.
func (k *killing) between(sim http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.look != nil && r.Method == http.MethodDelete {
			k.look(r.URL.Path)
		}
		ends := false
		if k.kill != nil && (!k.writesOnly || r.Method == http.MethodPost) {
			k.requests++
			ends = k.requests == k.n
		}
		if !ends || k.after {
			if k.kill != nil && r.Method == http.MethodPost {
				k.taken++
			}
			sim.ServeHTTP(w, r)
		}
		if ends {
			k.kill()
			k.kill, k.killed = nil, true
			panic(http.ErrAbortHandler)
		}
	}
}

func (k *killing) write(name, text string) {
	k.Helper()
	if err := os.WriteFile(filepath.Join(k.dir, name), []byte(text), 0o600); err != nil {
		k.Fatal(err)
	}
}

func (k *killing) command(args ...string) (*exec.Cmd, *bytes.Buffer) {
	k.Helper()
	path, err := exec.LookPath("verifyctl")
	if err != nil {
		k.Fatal(err)
	}
	cmd := exec.CommandContext(k.Context(), path, append([]string{"--config", filepath.Join(k.dir, "config.yaml")}, args...)...)
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+k.dir, "VERIFYCTL_STATE_DIR="+filepath.Join(k.dir, "state"), "VERIFYCTL_KEYCHAIN=off", "KILL_SECRET="+killSecret, coverageDir(k.dir))
	cmd.Env = append(cmd.Env, k.env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	return cmd, &out
}

// cutOff runs a command that is killed.
func (k *killing) cutOff(args ...string) {
	k.Helper()
	cmd, _ := k.command(args...)
	k.mu.Lock()
	k.kill = func() { _ = cmd.Process.Kill() }
	k.mu.Unlock()
	_ = cmd.Run() // it is killed
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kill = nil
}

// ok runs a command that must end with status 0, and gives what it said.
func (k *killing) ok(args ...string) string {
	k.Helper()
	cmd, out := k.command(args...)
	if err := cmd.Run(); err != nil {
		k.Errorf("%s: %s: %v\n%s", k.at, args, err, out)
	}
	return out.String()
}

// has makes sure that Twilio has so many in a list.
func (k *killing) has(list string, want int) {
	k.Helper()
	if got := k.count(list); got != want {
		k.Errorf("%s: %d of %s, want %d", k.at, got, list, want)
	}
}

// count gives how many Twilio has in a list of one page.
func (k *killing) count(list string) int {
	k.Helper()
	request, reply := httptest.NewRequestWithContext(k.Context(), http.MethodGet, list, nil), httptest.NewRecorder()
	request.SetBasicAuth(killKey, killSecret)
	k.sim.ServeHTTP(reply, request)
	var page map[string]json.RawMessage
	var rows []json.RawMessage
	if err := json.Unmarshal(reply.Body.Bytes(), &page); err != nil {
		k.Fatalf("%s: %v: %s", list, err, reply.Body)
	}
	if err := json.Unmarshal(page[strings.ToLower(path.Base(list))], &rows); err != nil {
		k.Fatalf("%s: %v: %s", list, err, reply.Body)
	}
	return len(rows)
}

var killAccountJSON = sync.OnceValue(func() string {
	key := killPrivateKey()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	text, _ := json.Marshal(map[string]string{"type": "service_account", "project_id": "bank", "private_key_id": "key-1", "client_email": "push@bank.iam.gserviceaccount.com",
		"token_uri": "https://oauth2.googleapis.com/token", "private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))})
	return string(text)
})

var killPrivateKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// killCertificatePEM makes another certificate of the app each time, with its key. It serves Apple's sandbox and production.
func killCertificatePEM(t *testing.T) string {
	t.Helper()
	var serves []pkix.Extension
	for _, environment := range []int{1, 2} { // see pushfile
		serves = append(serves, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 3, environment}, Value: []byte{5, 0}})
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().AddDate(0, -1, 0), NotAfter: time.Now().AddDate(1, 0, 0), ExtraExtensions: serves,
		Subject: pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}, Value: "com.example.app"},
			{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "Apple Push Services: com.example.app"}}}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, killPrivateKey().Public(), killPrivateKey())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(killPrivateKey())}))
}
