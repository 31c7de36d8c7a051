package rotation_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"iter"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/rotation"
	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/store"
	_ "github.com/verifyctl/verifyctl/internal/tmpdir" // for temporary folders
	"github.com/verifyctl/verifyctl/internal/twilio"
	"github.com/verifyctl/verifyctl/internal/verify"
)

const (
	service = verify.ServiceSID("VA00000000000000000000000000000001")
	old     = verify.CredentialSID("CR00000000000000000000000000000001")
	app     = "com.bank.example"
)

var (
	monday = time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	live   = verify.Environment{Name: "live", AccountSID: simulator.DefaultAccountSID, ServiceSID: service, IOSBuild: verify.IOSDistribution, AppIDs: []string{app}}
)

// bank is an account whose phones are pushed every second while anybody waits, and a machine that rotates.
type bank struct {
	*simulator.Simulator
	client  *twilio.Client
	memory  *store.Store
	pushing bool
	answers bool // the phones answer what they get

	killAt    int // the number of a write that ends the run; 0: none
	afterSent bool
	calls     int
	refuses   bool // Apple refuses the new credential
}

var errKilled = errors.New("killed")

func newBank(t *testing.T) *bank {
	t.Helper()
	no := "False"
	world := simulator.World{
		Credentials: []simulator.WorldCredential{{SID: string(old), Name: "iOS live", Type: "apn", Sandbox: &no, Contents: simulator.CredentialContents{Topic: app}}},
		Services: []simulator.WorldService{{SID: string(service), Name: "Bank", APN: string(old), Entities: []simulator.WorldEntity{
			{Identity: "user-0001", Factors: []simulator.WorldFactor{{SID: phone, AppID: app, DeviceState: simulator.DeviceState{Build: simulator.BuildDistribution}}}}}}},
	}
	sim, err := simulator.Open(t.Context(), simulator.Options{World: world, Clock: simulator.Clock{Mode: simulator.ClockFrozen, At: monday}})
	if err != nil {
		t.Fatal(err)
	}
	network := simulator.NewPipeListener()
	server := &http.Server{Handler: sim}
	go server.Serve(network)
	b := &bank{Simulator: sim, pushing: true}
	b.client, err = twilio.New(twilio.Options{Username: simulator.DefaultAccountSID, Password: simulator.DefaultAuthToken, BaseURL: "http://simulator",
		Dial: network.DialContext, Now: b.Now, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
	if err != nil {
		t.Fatal(err)
	}
	if b.memory, err = store.Open(t.Context(), t.TempDir(), "live"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.client.Close()
		server.Close()
		network.Close()
		sim.Close()
		b.memory.Close()
	})
	return b
}

const phone = "YF00000000000000000000000000000001"

func (b *bank) Now() time.Time {
	now, err := b.Simulator.Now(context.Background())
	if err != nil {
		panic(err)
	}
	return now
}

// Sleep lets the time go by, a login a second.
func (b *bank) Sleep(ctx context.Context, d time.Duration) error {
	for ; d > 0 && ctx.Err() == nil; d -= time.Second {
		if err := b.Advance(ctx, time.Second); err != nil {
			return err
		}
		if b.pushing {
			b.login(ctx)
		}
	}
	return ctx.Err()
}

func (b *bank) login(ctx context.Context) {
	ch, err := b.client.Writer().CreateChallenge(ctx, service, "user-0001", verify.NewChallenge{FactorSID: phone, Message: "Log in?"})
	if err != nil {
		panic(err)
	}
	if b.answers {
		if _, err := b.Answer(ctx, phone, string(ch.SID), true); err != nil {
			panic(err)
		}
	}
}

// killer ends the run at one of its writes, before or after it was sent.
type killer struct {
	*bank
	twilio.Writer
}

func (k killer) at(send func() error) error {
	k.calls++
	if k.killAt == k.calls && !k.afterSent {
		return errKilled
	}
	err := send()
	if k.killAt == k.calls {
		return errKilled
	}
	return err
}

func (k killer) CreateCredential(ctx context.Context, n verify.CredentialWrite) (made verify.Credential, err error) {
	err = k.at(func() error {
		if made, err = k.Writer.CreateCredential(ctx, n); err == nil && k.refuses {
			return k.SetCredentialContents(ctx, string(made.SID), simulator.CredentialContents{Topic: app, Revoked: true})
		}
		return err
	})
	return made, err
}

func (k killer) UpdateCredential(ctx context.Context, sid verify.CredentialSID, n verify.CredentialWrite) (made verify.Credential, err error) {
	err = k.at(func() error { made, err = k.Writer.UpdateCredential(ctx, sid, n); return err })
	return made, err
}

func (k killer) SetServiceCredential(ctx context.Context, service verify.ServiceSID, platform verify.Platform, credential, _ verify.CredentialSID) error {
	return k.at(func() error {
		_, err := k.Writer.SetServiceCredential(ctx, service, platform, credential)
		return err
	})
}

func (b *bank) rotator() *rotation.Rotator {
	return &rotation.Rotator{Twilio: b.client, Writer: killer{b, b.client.Writer()}, Memory: b.memory, Feed: alerts{b.client}, Clock: b, Notice: func(string, ...any) {},
		Answered: func(ctx context.Context, since time.Time) (answered int, err error) {
			for ch, err := range b.client.Challenges(ctx, service, "user-0001", verify.ChallengeFilter{}) {
				if err != nil {
					return 0, err
				}
				if !ch.DateCreated.Before(since) && ch.Status == verify.ChallengeApproved {
					answered++
				}
			}
			return answered, nil
		}}
}

// alerts is the account's debugger, decoded.
type alerts struct{ client *twilio.Client }

func (a alerts) Events(ctx context.Context, span event.Span) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for alert, err := range a.client.Alerts(ctx, verify.AlertFilter{Start: span.From, End: span.Until}) {
			if !yield(event.FromAlert(alert), err) || err != nil {
				return
			}
		}
	}
}

// certificateText is the new certificate and its key.
var certificateText = sync.OnceValues(func() (certificate, key []byte) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	name := pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}, Value: app}}}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: name, NotBefore: monday.AddDate(0, 0, -1), NotAfter: monday.AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)})
})

func renewed(sandbox verify.Sandbox) rotation.Job {
	certificate, key := certificateText()
	return rotation.Job{Environment: live, Platform: verify.PlatformAPN, Watch: 20 * time.Second, File: verify.CredentialFile{Platform: verify.PlatformAPN, Fingerprint: "file-2"},
		Write: verify.CredentialWrite{Type: "apn", Sandbox: sandbox, Certificate: string(certificate), PrivateKey: verify.Secret(key)}}
}

func (b *bank) rotate(t *testing.T, job rotation.Job) (rotation.Report, error) {
	t.Helper()
	r := b.rotator()
	plan, err := r.Prepare(t.Context(), job)
	if err != nil || plan.Done {
		return rotation.Report{}, err
	}
	return r.Run(t.Context(), plan)
}

// refused gives how many pushes were refused.
func (b *bank) refused(t *testing.T) (n int) {
	t.Helper()
	for push, err := range pushesOf(t, b) {
		if err == nil && push.Outcome == simulator.Refused {
			n++
		}
	}
	return n
}

func pushesOf(t *testing.T, b *bank) iter.Seq2[simulator.Push, error] {
	t.Helper()
	pushes, err := b.Pushes(t.Context(), simulator.PushFilter{})
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(simulator.Push, error) bool) {
		for _, p := range pushes {
			if !yield(p, nil) {
				return
			}
		}
	}
}

// attached gives the credential that the Service has, and how many there are in all.
func (b *bank) attached(t *testing.T) (verify.CredentialSID, int) {
	t.Helper()
	s, err := b.client.Service(t.Context(), service)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range b.client.Credentials(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return s.CredentialSID(verify.PlatformAPN), n
}

func TestARightFileIsKeptAndNoPushFails(t *testing.T) {
	b := newBank(t)
	b.answers = true
	report, err := b.rotate(t, renewed(verify.SandboxFalse))
	if err != nil || report.Outcome != verify.RotationKept || report.Refused != 0 || report.Answered == 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	if now, _ := b.attached(t); now == old || now != report.New || b.refused(t) != 0 {
		t.Errorf("attached %s, %d refused", now, b.refused(t))
	}
	plan, err := b.rotator().Prepare(t.Context(), renewed(verify.SandboxFalse))
	if err != nil || !plan.Done {
		t.Errorf("the same file again: %+v, %v", plan, err)
	}
}

// TestSilenceProvesNothing: pushes that nobody answers, and that nobody refuses, leave the outcome unknown.
func TestSilenceProvesNothing(t *testing.T) {
	for _, pushing := range []bool{false, true} {
		b := newBank(t)
		b.pushing = pushing
		report, err := b.rotate(t, renewed(verify.SandboxFalse))
		if verify.KindOf(err) != verify.KindPartial || report.Outcome == verify.RotationKept {
			t.Errorf("%+v, %v", report, err)
		}
		b.pushing, b.answers = true, true
		if err := b.Sleep(t.Context(), time.Second); err != nil {
			t.Fatal(err)
		}
		if report, err := b.rotate(t, renewed(verify.SandboxFalse)); err != nil || report.Outcome != verify.RotationKept {
			t.Errorf("after a login: %+v, %v", report, err)
		}
		if _, n := b.attached(t); n != 2 {
			t.Errorf("%d credentials", n)
		}
	}
}

func TestWhatAppleRefusesIsPutBack(t *testing.T) {
	b := newBank(t)
	b.refuses = true
	job := renewed(verify.SandboxFalse)
	job.RollbackOn = 3
	report, err := b.rotate(t, job)
	if verify.KindOf(err) != verify.KindFailed || report.Outcome != verify.RotationRolledBack || report.Refused < 3 || time.Duration(report.Watched) >= job.Watch {
		t.Fatalf("%+v, %v", report, err)
	}
	if now, _ := b.attached(t); now != old {
		t.Errorf("attached %s", now)
	}
	before := b.refused(t)
	if err := b.Sleep(t.Context(), 10*time.Second); err != nil || b.refused(t) != before {
		t.Errorf("%d more refused, %v", b.refused(t)-before, err)
	}
}

// TestTheCanaryIsWaitedForWhilePushesAreWatched: an answer proves the new credential whenever it comes, and one that does not come
// keeps a refused credential no longer in its place.
func TestTheCanaryIsWaitedForWhilePushesAreWatched(t *testing.T) {
	for _, c := range []struct {
		name    string
		refuses bool
		watch   time.Duration
		says    []verify.ChallengeStatus // the last one again and again
		want    verify.RotationOutcome
	}{
		{"answered after the watch", false, 0, []verify.ChallengeStatus{verify.ChallengePending, verify.ChallengePending, verify.ChallengeApproved}, verify.RotationKept},
		{"answered in the watch", false, time.Minute, []verify.ChallengeStatus{verify.ChallengePending, verify.ChallengeDenied}, verify.RotationKept},
		{"never answered", false, 0, []verify.ChallengeStatus{verify.ChallengePending, verify.ChallengeExpired}, "unknown"},
		{"never answered, and others refused", true, time.Minute, []verify.ChallengeStatus{verify.ChallengePending}, verify.RotationRolledBack},
	} {
		b := newBank(t)
		b.refuses, b.pushing = c.refuses, c.refuses
		job := renewed(verify.SandboxFalse)
		job.Watch, job.RollbackOn = c.watch, 3
		r, looks := b.rotator(), 0
		r.Canary = func(context.Context, verify.CredentialSID) (func(context.Context) (verify.ChallengeStatus, error), error) {
			return func(context.Context) (verify.ChallengeStatus, error) {
				looks++
				return c.says[min(looks, len(c.says))-1], nil
			}, nil
		}
		plan, err := r.Prepare(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		if report, err := r.Run(t.Context(), plan); report.Outcome != c.want || report.Canary != (c.want == verify.RotationKept) || time.Duration(report.Watched) > time.Minute {
			t.Errorf("%s: %+v, %v", c.name, report, err)
		}
	}
}

// TestNothingIsPutBackUnasked, and it is said how.
func TestNothingIsPutBackUnasked(t *testing.T) {
	b := newBank(t)
	b.refuses = true
	report, err := b.rotate(t, renewed(verify.SandboxFalse))
	var failed *verify.Error
	if report.Outcome != verify.RotationFailing || !errors.As(err, &failed) || failed.Hint != "put the old one back: verifyctl -e live doctor undo apn="+string(old) {
		t.Errorf("%+v, %v", report, err)
	}
	if now, _ := b.attached(t); now != report.New {
		t.Errorf("attached %s", now)
	}
}

// TestTroubleOfBeforeIsNotBlamedOnTheNewCredential: an old one that had expired was refused all the time.
func TestTroubleOfBeforeIsNotBlamedOnTheNewCredential(t *testing.T) {
	b := newBank(t)
	if err := b.SetCredentialContents(t.Context(), string(old), simulator.CredentialContents{Topic: app, Expires: monday.Add(-time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if err := b.Sleep(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	b.answers = true
	job := renewed(verify.SandboxFalse)
	job.RollbackOn = 1
	if report, err := b.rotate(t, job); err != nil || report.Outcome != verify.RotationKept {
		t.Errorf("%+v, %v", report, err)
	}
}

// TestKilledAtEveryWrite: whatever a run was killed at, the next one ends with one new credential, attached.
func TestKilledAtEveryWrite(t *testing.T) {
	for _, inPlace := range []bool{false, true} {
		for _, afterSent := range []bool{false, true} {
			for killAt := 1; ; killAt++ {
				b := newBank(t)
				b.answers, b.killAt, b.afterSent = true, killAt, afterSent
				job := renewed(verify.SandboxFalse)
				job.InPlace = inPlace
				_, err := b.rotate(t, job)
				killed := errors.Is(err, errKilled)
				b.killAt = 0
				report, err := b.rotate(t, job)
				if killed && (err != nil || report.Outcome != verify.RotationKept) {
					t.Errorf("in place %v, killed at write %d, after it was sent %v: %+v, %v", inPlace, killAt, afterSent, report, err)
				}
				now, n := b.attached(t)
				if wantN := map[bool]int{true: 1, false: 2}[inPlace]; n != wantN || (now == old) != inPlace || b.refused(t) != 0 {
					t.Errorf("in place %v, killed at write %d, after it was sent %v: %s is attached, of %d; %d refused", inPlace, killAt, afterSent, now, n, b.refused(t))
				}
				if !killed {
					break
				}
			}
		}
	}
}

// TestAKilledReturnIsFinished: the run after one that was killed while it put the old credential back does not attach the new one
// again, which is known to be refused.
func TestAKilledReturnIsFinished(t *testing.T) {
	for _, afterSent := range []bool{false, true} {
		b := newBank(t)
		b.refuses, b.killAt, b.afterSent = true, 3, afterSent // the writes are the create, the attachment and the return
		job := renewed(verify.SandboxFalse)
		job.RollbackOn = 3
		if _, err := b.rotate(t, job); !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		b.killAt, b.calls = 0, 0
		report, err := b.rotate(t, job)
		if verify.KindOf(err) != verify.KindFailed || report.Outcome != verify.RotationRolledBack || b.calls != 1 {
			t.Errorf("killed after it was sent %v: %d writes, %+v, %v", afterSent, b.calls, report, err)
		}
		if now, n := b.attached(t); now != old || n != 2 {
			t.Errorf("killed after it was sent %v: %s is attached, of %d", afterSent, now, n)
		}
	}
}

// TestNoMismatchIsEverAttached goes through builds, kinds, the sandboxes of the old and the new one, and both ways.
func TestNoMismatchIsEverAttached(t *testing.T) {
	b := newBank(t)
	n := 0
	for _, build := range []verify.IOSBuild{verify.IOSDebug, verify.IOSDistribution, verify.IOSNone, verify.IOSUndeclared} {
		for _, kind := range []verify.EnvironmentKind{verify.Development, verify.Staging, verify.Production, ""} {
			for _, was := range []verify.Sandbox{verify.SandboxTrue, verify.SandboxFalse} {
				for _, sandbox := range []verify.Sandbox{verify.SandboxTrue, verify.SandboxFalse, verify.SandboxUnknown} {
					for _, inPlace := range []bool{false, true} {
						b.restore(t, was)
						job := renewed(sandbox)
						job.Environment.IOSBuild, job.Environment.Kind, job.InPlace, job.Watch = build, kind, inPlace, 0
						n++
						job.File.Fingerprint, b.calls = fmt.Sprint("file-", n), 0
						_, err := b.rotate(t, job)
						now, _ := b.attached(t)
						credential, readErr := b.client.Credential(t.Context(), now)
						if readErr != nil {
							t.Fatal(readErr)
						}
						want := build.WantedSandbox()
						if changed := b.calls > 0; changed != (want != verify.SandboxUnknown && sandbox == want && (!inPlace || was == want)) || changed && credential.Sandbox != want {
							t.Errorf("build %q, kind %q, sandbox %s and then %s, in place %v: %d writes, %s with sandbox %s is attached, %v",
								build, kind, was, sandbox, inPlace, b.calls, now, credential.Sandbox, err)
						}
					}
				}
			}
		}
	}
}

// restore attaches the old credential with a sandbox, by other hands.
func (b *bank) restore(t *testing.T, sandbox verify.Sandbox) {
	t.Helper()
	_, err := b.client.Writer().UpdateCredential(t.Context(), old, verify.CredentialWrite{Sandbox: sandbox})
	if err == nil {
		_, err = b.client.Writer().SetServiceCredential(t.Context(), service, verify.PlatformAPN, old)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestAnotherHandIsNoticed: a Service that somebody else changed meanwhile is left alone.
func TestAnotherHandIsNoticed(t *testing.T) {
	b := newBank(t)
	b.killAt = 2
	if _, err := b.rotate(t, renewed(verify.SandboxFalse)); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	other, err := b.client.Writer().CreateCredential(t.Context(), verify.CredentialWrite{Type: "apn", FriendlyName: "other", Sandbox: verify.SandboxFalse,
		Certificate: renewed(verify.SandboxFalse).Write.Certificate, PrivateKey: renewed(verify.SandboxFalse).Write.PrivateKey})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.client.Writer().SetServiceCredential(t.Context(), service, verify.PlatformAPN, other.SID); err != nil {
		t.Fatal(err)
	}
	b.killAt = 0
	if _, err := b.rotate(t, renewed(verify.SandboxFalse)); verify.KindOf(err) != verify.KindRefused || !strings.Contains(err.Error(), string(other.SID)) {
		t.Error(err)
	}
	if now, _ := b.attached(t); now != other.SID {
		t.Errorf("attached %s", now)
	}
}
