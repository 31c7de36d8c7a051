package doctor_test

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/doctor"
	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/twilio"
	"github.com/verifyctl/verifyctl/internal/verify"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func sid(prefix string, n int) string { return fmt.Sprintf("%s%032x", prefix, n) }

const day = 24 * time.Hour

// stage is one simulated account, the environment that looks at it, and how.
type stage struct {
	world    simulator.World
	env      verify.Environment
	more     []verify.Environment
	username string
	secret   string
	opts     doctor.Options
	streams  bool // error events are streamed to an active sink
	faults   []simulator.Fault
}

func (s *stage) service() *simulator.WorldService     { return &s.world.Services[0] }
func (s *stage) apn() *simulator.WorldCredential      { return &s.world.Credentials[0] }
func (s *stage) fcm() *simulator.WorldCredential      { return &s.world.Credentials[1] }
func (s *stage) hook() *simulator.WorldWebhook        { return &s.service().Webhooks[0] }
func (s *stage) user() *simulator.WorldEntity         { return &s.service().Entities[0] }
func (s *stage) factor() *simulator.WorldFactor       { return &s.user().Factors[0] }
func (s *stage) challenge() *simulator.WorldChallenge { return &s.user().Challenges[0] }
func (s *stage) android()                             { s.factor().Platform, s.factor().SDKVersion = "fcm", "0.9.0" }
func (s *stage) key(kind string, allow ...string) {
	s.world.Keys[0].Kind, s.world.Keys[0].Allow = kind, allow
}
func (s *stage) fault(operation string, status int) {
	s.faults = append(s.faults, simulator.Fault{Kind: simulator.FaultError, Operation: operation, Status: status})
}
func (s *stage) addFactor(f simulator.WorldFactor) { s.user().Factors = append(s.user().Factors, f) }
func (s *stage) addChallenge(c simulator.WorldChallenge) {
	s.user().Challenges = append(s.user().Challenges, c)
}

// past adds challenges of an hour ago and more, one each minute.
func (s *stage) past(n int, every time.Duration, status string, answered time.Duration) {
	for i := range n {
		c := *s.challenge()
		c.Created, c.Status, c.Answered = simulator.Moment((-time.Hour - time.Duration(i+1)*every).String()), status, simulator.Duration(answered)
		s.addChallenge(c)
	}
}

// twin adds a second environment with a Service of its own that has the same settings.
func (s *stage) twin() {
	service := *s.service()
	service.SID, service.Name, service.Entities = sid("VA", 2), "Bank staging", nil
	service.Webhooks = []simulator.WorldWebhook{{SID: sid("YW", 2), URL: s.hook().URL}}
	s.world.Services = append(s.world.Services, service)
	env := s.env
	env.Name, env.ServiceSID, env.Kind = "staging", verify.ServiceSID(service.SID), verify.Staging
	s.more = append(s.more, env)
}

// inOrder is an account in which every check that the API answers passes.
func inOrder() *stage {
	sandbox := "False"
	old := simulator.Moment("-1440h")
	return &stage{
		username: sid("SK", 1), secret: "secret", streams: true,
		world: simulator.World{
			Keys: []simulator.Key{{SID: sid("SK", 1), Secret: "secret", Account: simulator.DefaultAccountSID, Kind: "main", Created: noon.Add(-60 * day)}},
			Credentials: []simulator.WorldCredential{
				{SID: sid("CR", 1), Name: "ios", Type: "apn", Sandbox: &sandbox, Created: old},
				{SID: sid("CR", 2), Name: "android", Type: "fcm", Created: old},
			},
			Services: []simulator.WorldService{{SID: sid("VA", 1), Name: "Bank live", APN: sid("CR", 1), FCM: sid("CR", 2), Created: old,
				Webhooks: []simulator.WorldWebhook{{SID: sid("YW", 1), URL: "https://hooks.bank.example/verify"}},
				Entities: []simulator.WorldEntity{{Identity: "user-0001-a", Created: old,
					Factors: []simulator.WorldFactor{{SID: sid("YF", 1), Name: "iPhone 16", AppID: "com.bank.example", SDKVersion: "3.0.2",
						Metadata: map[string]string{"app_version": "4.2"}, Created: old,
						DeviceState: simulator.DeviceState{Build: simulator.BuildDistribution}}},
					Challenges: []simulator.WorldChallenge{{Message: "Log in?", Fields: map[string]string{"Place": "Lisbon"}, Hidden: map[string]string{"action_id": "a1"},
						Status: "approved", Created: "-90m", Answered: simulator.Duration(8 * time.Second)}}}}}},
		},
		env: verify.Environment{Name: "live", AccountSID: simulator.DefaultAccountSID, ServiceSID: verify.ServiceSID(sid("VA", 1)), Kind: verify.Production,
			IOSBuild: verify.IOSDistribution, Platforms: []verify.Platform{verify.PlatformAPN, verify.PlatformFCM}, AppIDs: []string{"com.bank.example"},
			MaxFactors: 3, MetadataKeys: []string{"app_version"}, WebhookURL: "https://hooks.bank.example/verify"},
		opts: doctor.Options{Sample: 20},
	}
}

// nothing is a machine that has captured nothing.
type nothing struct{}

func (nothing) Capture(context.Context) (doctor.Capture, error) { return doctor.Capture{}, nil }
func (nothing) CredentialFiles(context.Context) iter.Seq2[verify.CredentialFile, error] {
	return func(func(verify.CredentialFile, error) bool) {}
}

// alertFeed reads the simulated debugger.
type alertFeed struct{ client *twilio.Client }

func (f alertFeed) Events(ctx context.Context, since, until time.Time) (events []event.Event, missing []event.Span, err error) {
	for alert, err := range f.client.Alerts(ctx, verify.AlertFilter{Start: since, End: until}) {
		if err != nil {
			return nil, nil, err
		}
		events = append(events, event.FromAlert(alert))
	}
	return events, nil, nil
}

// examine plays the stage: a simulator on an in-memory network, a real client, and doctor.
func (s *stage) examine(t *testing.T) doctor.Report {
	t.Helper()
	sim, err := simulator.Open(t.Context(), simulator.Options{World: s.world, Clock: simulator.Clock{Mode: simulator.ClockFrozen, At: noon}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	network := simulator.NewPipeListener()
	go sim.Serve(network)
	t.Cleanup(func() { network.Close() })
	client := func(username, secret string) *twilio.Client {
		c, err := twilio.New(twilio.Options{Username: username, Password: secret, BaseURL: "http://simulator", Dial: network.DialContext,
			Now: func() time.Time { return noon }, Sleep: func(context.Context, time.Duration) error { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	if s.streams {
		subscribe(t, network)
	}
	for _, fault := range s.faults {
		if _, err := sim.AddFault(t.Context(), fault); err != nil {
			t.Fatal(err)
		}
	}
	c := client(s.username, s.secret)
	var targets []doctor.Target
	envs := append([]verify.Environment{s.env}, s.more...)
	for _, env := range envs {
		targets = append(targets, doctor.Target{Env: env, Now: noon, Connection: doctor.Connection{KeySID: s.username, Hosts: []string{"simulator"}},
			Twilio: c, Feed: alertFeed{c}, Memory: nothing{}})
	}
	s.opts.Declared = envs
	report, err := doctor.Run(t.Context(), targets, s.opts)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// subscribe sets Event Streams up as a person would, by requests.
func subscribe(t *testing.T, network *simulator.PipeListener) {
	t.Helper()
	http := &http.Client{Transport: &http.Transport{DialContext: network.DialContext}}
	t.Cleanup(http.CloseIdleConnections)
	post := func(path string, form url.Values) string {
		req, err := newForm(t.Context(), "http://simulator/v1/"+path, form)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != 201 {
			t.Fatalf("POST %s: %s", path, resp.Status)
		}
		return decodeSID(t, resp.Body)
	}
	sink := post("Sinks", url.Values{"Description": {"errors"}, "SinkType": {"webhook"}, "SinkConfiguration": {`{"destination":"https://events.bank.example","method":"POST","batch_events":false}`}})
	post("Subscriptions", url.Values{"Description": {"errors"}, "SinkSid": {sink}, "Types": {`{"type":"` + verify.EventErrorLogged + `"}`}})
}

// notOfTheAPI are the checks whose worlds no API makes: what they look at is this machine, the connection, or somebody's
// word. The other tests break them.
var notOfTheAPI = map[string]string{
	"AUTH-03": "the name of the key", "AUTH-09": "the region of the connection", "AUTH-10": "this machine's clock",
	"INT-01": "the declaration", "PUSH-APN-11": "an attestation", "EVT-01": "an attestation", "EVT-03": "this machine's store",
	"EVT-04": "ten thousand alerts", "NET-01": "real time", "NET-02": "real time", "NET-03": "other hosts", "NET-04": "the connection", "NET-05": "the connection",
	"NET-06": "the connection", "NET-07": "the connection", "BUILD-01": "an app", "BUILD-02": "an app", "BUILD-03": "an app",
}

func TestEachCheckAgainstTheSimulatedAPI(t *testing.T) {
	t.Parallel()
	healthy := inOrder().examine(t)
	for _, r := range healthy.Results {
		if _, local := notOfTheAPI[r.Check]; !local && r.Status != doctor.Pass && r.Status != doctor.Skipped {
			t.Errorf("where all is in order, %s is %s: %s", r.Check, r.Status, r.Reason)
		}
	}
	cases := []struct {
		id, name string
		edit     func(*stage)
		want     doctor.Status
		note     bool
	}{
		{"AUTH-01", "wrong secret", func(s *stage) { s.secret = "wrong" }, doctor.Fail, false},
		{"AUTH-01", "no such Service", func(s *stage) { s.env.ServiceSID = verify.ServiceSID(sid("VA", 9)) }, doctor.Fail, false},
		{"AUTH-01", "Twilio fails", func(s *stage) { s.fault("FetchService", 503) }, doctor.Unknown, false},
		{"AUTH-02", "", func(s *stage) {
			s.world.Accounts = []simulator.Account{{SID: sid("AC", 5), AuthToken: "token5", Test: true}}
			s.username, s.secret = sid("AC", 5), "token5"
		}, doctor.Fail, false},
		{"AUTH-04", "", func(*stage) {}, doctor.Pass, true},
		{"AUTH-04", "standard key", func(s *stage) { s.key("standard") }, doctor.Pass, false},
		{"AUTH-05", "", func(s *stage) { s.env.AccountSID = verify.AccountSID(sid("AC", 5)) }, doctor.Fail, false},
		{"AUTH-06", "trial", func(s *stage) {
			s.world.Accounts = []simulator.Account{{SID: simulator.DefaultAccountSID, AuthToken: simulator.DefaultAuthToken, Type: "Trial"}}
		}, doctor.Warn, false},
		{"AUTH-06", "standard key", func(s *stage) { s.key("standard") }, doctor.Unknown, false},
		{"AUTH-07", "", func(s *stage) { s.world.Keys[0].Created = noon.Add(-500 * day) }, doctor.Warn, false},
		{"AUTH-08", "", func(s *stage) { s.key("restricted", "/twilio/verify/*", "/twilio/monitor/alerts/*") }, doctor.Warn, false},

		{"SVC-01", "", func(s *stage) { s.service().APN, s.service().FCM = "", "" }, doctor.Fail, false},
		{"SVC-02", "", func(s *stage) { s.service().Name = "Bank dev" }, doctor.Warn, false},
		{"SVC-03", "", func(s *stage) { s.twin(); s.more = nil }, doctor.Pass, true},
		{"SVC-04", "", func(s *stage) { s.twin(); s.more[0].ServiceSID = s.env.ServiceSID }, doctor.Warn, false},
		{"SVC-05", "", func(s *stage) { s.service().IncludeDate = true }, doctor.Warn, false},
		{"SVC-06", "", func(s *stage) { s.opts.Sample = 0 }, doctor.Skipped, false},
		{"SVC-07", "", func(s *stage) { s.service().Updated = "-2h" }, doctor.Warn, false},

		{"PUSH-APN-00", "", func(s *stage) { s.service().APN = "" }, doctor.Fail, false},
		{"PUSH-APN-01", "", func(s *stage) { *s.apn().Sandbox = "True" }, doctor.Fail, false},
		{"PUSH-APN-01", "empty", func(s *stage) { *s.apn().Sandbox = "" }, doctor.Unknown, false},
		{"PUSH-APN-01", "null", func(s *stage) { s.apn().Sandbox = nil }, doctor.Unknown, false},
		{"PUSH-APN-01", "missing", func(s *stage) { s.apn().OmitSandbox = true }, doctor.Unknown, false},
		{"PUSH-APN-01", "a restricted key may not read credentials", func(s *stage) { s.key("restricted", "/twilio/verify/*", "/twilio/monitor/*") }, doctor.Unknown, false},
		{"PUSH-APN-02", "", func(s *stage) { s.env.IOSBuild = verify.IOSDebug }, doctor.Fail, false},
		{"PUSH-APN-03", "", func(s *stage) { *s.apn().Sandbox = "yes" }, doctor.Unknown, false},
		{"PUSH-APN-04", "", func(s *stage) { s.service().APN = sid("CR", 2) }, doctor.Fail, false},
		{"PUSH-APN-05", "", func(s *stage) { s.service().APN = sid("CR", 9) }, doctor.Fail, false},
		{"PUSH-APN-06", "", func(s *stage) { s.twin() }, doctor.Warn, false},
		{"PUSH-APN-07", "", func(s *stage) { s.apn().Created = "-8500h" }, doctor.Warn, false},
		{"PUSH-APN-08", "", func(s *stage) { s.apn().Contents.Expires = noon.Add(-3 * time.Hour) }, doctor.Fail, false},
		{"PUSH-APN-09", "", func(s *stage) { s.factor().Build = simulator.BuildDebug }, doctor.Warn, false},
		{"PUSH-APN-10", "", func(s *stage) { s.apn().Contents.Topic = "com.other.example" }, doctor.Fail, false},
		{"PUSH-FCM-00", "", func(s *stage) { s.service().FCM = "" }, doctor.Fail, false},
		{"PUSH-FCM-01", "", func(s *stage) { s.fcm().Type = "gcm" }, doctor.Fail, false},
		{"PUSH-FCM-02", "", func(s *stage) { s.fcm().Created = "2022-01-01T00:00:00Z" }, doctor.Warn, false},
		{"PUSH-FCM-03", "", func(s *stage) { s.android(); s.fcm().Contents.Legacy = true }, doctor.Fail, false},
		{"PUSH-FCM-04", "", func(s *stage) {
			s.android()
			s.fcm().Contents.Project, s.factor().Project = "bank-live", "bank-dev"
			second := *s.factor()
			second.SID, second.Token = sid("YF", 2), "fcm-token-of-the-second-phone-0123456789"
			s.addFactor(second)
			c := *s.challenge()
			c.Factor = 1
			s.addChallenge(c)
		}, doctor.Warn, false},
		{"PUSH-FCM-05", "", func(s *stage) { s.service().FCM = sid("CR", 9) }, doctor.Fail, false},
		{"PUSH-FCM-06", "", func(s *stage) { s.twin() }, doctor.Warn, false},
		{"PUSH-CR-01", "", func(s *stage) {
			s.world.Credentials = append(s.world.Credentials, simulator.WorldCredential{Type: "fcm"})
		}, doctor.Pass, true},

		{"HOOK-01", "", func(s *stage) { s.hook().Status = "disabled" }, doctor.Fail, false},
		{"HOOK-02", "", func(s *stage) { s.hook().Events = []string{"challenge.approved"} }, doctor.Fail, false},
		{"HOOK-03", "", func(s *stage) { s.hook().Events = []string{"challenge.approved", "challenge.denied"} }, doctor.Warn, false},
		{"HOOK-04", "", func(s *stage) { s.hook().Version = "v1" }, doctor.Warn, false},
		{"HOOK-05", "", func(s *stage) { s.hook().URL = "http://hooks.bank.example" }, doctor.Fail, false},
		{"HOOK-06", "", func(s *stage) { s.twin() }, doctor.Warn, false},
		{"HOOK-07", "", func(s *stage) {
			s.world.Alerts = []simulator.WorldAlert{{Code: "60330", Service: sid("VA", 1), Resource: sid("YW", 1), Created: "-1h", Text: "Msg=Webhook+failed&ErrorCode=60330&LogLevel=ERROR"}}
		}, doctor.Fail, false},
		{"HOOK-08", "", func(s *stage) {
			s.service().Webhooks = append(s.service().Webhooks, simulator.WorldWebhook{URL: "https://old.bank.example", Status: "disabled"})
		}, doctor.Warn, false},
		{"EVT-02", "", func(s *stage) { s.streams = false }, doctor.Warn, false},
		{"EVT-05", "", func(s *stage) {
			s.world.Alerts = []simulator.WorldAlert{{Code: "52103", Created: "-1h", Text: "bindingType=fcm&description=FCM+failure='NotRegistered'"}}
		}, doctor.Pass, true},

		{"FAC-01", "", func(s *stage) {
			for i := range 3 {
				f := *s.factor()
				f.SID = sid("YF", 10+i)
				s.addFactor(f)
			}
		}, doctor.Warn, false},
		{"FAC-02", "", func(s *stage) { s.factor().Status = "unverified"; s.user().Challenges = nil }, doctor.Warn, false},
		{"FAC-03", "", func(s *stage) { s.factor().Platform = "none" }, doctor.Pass, true},
		{"FAC-04", "", func(s *stage) { s.factor().AppID = "com.bank.example.dev" }, doctor.Warn, false},
		{"FAC-05", "", func(s *stage) { s.factor().SDKVersion = "3.0.0" }, doctor.Warn, false},
		{"FAC-06", "", func(s *stage) { s.android(); s.factor().Created = "-7200h" }, doctor.Warn, false},
		{"FAC-07", "", func(s *stage) { s.challenge().Status = ""; s.past(2, time.Hour, "", 0) }, doctor.Warn, false},
		{"FAC-08", "", func(s *stage) { s.android(); s.factor().Uninstalled = true }, doctor.Warn, false},
		{"FAC-09", "", func(s *stage) { s.factor().Metadata = nil }, doctor.Warn, false},
		{"FAC-10", "", func(s *stage) { s.factor().Name = "Jane's iPhone" }, doctor.Warn, false},
		{"FAC-11", "", func(s *stage) {
			s.factor().Token = strings.Repeat("ab", 32)
			f := *s.factor()
			f.SID = sid("YF", 2)
			s.addFactor(f)
		}, doctor.Warn, false},
		{"DATA-01", "", func(s *stage) { s.user().Identity = "4915112345678" }, doctor.Fail, false},
		{"DATA-02", "", func(s *stage) { s.user().Identity = strings.Repeat("0a", 32) }, doctor.Pass, true},
		{"DATA-03", "", func(s *stage) {
			s.service().Entities = append(s.service().Entities, simulator.WorldEntity{Identity: "user-0002-b"})
		}, doctor.Warn, false},
		{"DATA-04", "", func(s *stage) { s.challenge().Hidden["card"] = "4111111111111111" }, doctor.Warn, false},
		{"CHL-01", "", func(s *stage) { s.past(12, 20*time.Minute, "", 0) }, doctor.Warn, false},
		{"CHL-02", "", func(s *stage) { s.past(6, time.Minute, "denied", 5*time.Second) }, doctor.Fail, false},
		{"CHL-03", "", func(s *stage) {
			s.challenge().Created = "-60m"
			s.past(3, 5*time.Minute, "denied", 5*time.Second)
		}, doctor.Fail, false},
		{"CHL-04", "", func(s *stage) {
			for range 2 {
				c := *s.challenge()
				c.Created, c.Status = "-1m", ""
				s.addChallenge(c)
			}
		}, doctor.Warn, false},
		{"CHL-05", "", func(s *stage) { s.challenge().Hidden = nil }, doctor.Warn, false},
		{"CHL-06", "", func(s *stage) { s.challenge().Lasts = simulator.Duration(time.Hour) }, doctor.Warn, false},
		{"CHL-07", "", func(s *stage) { s.challenge().Fields = nil }, doctor.Warn, false},
		{"CHL-08", "", func(s *stage) { s.past(12, 20*time.Minute, "approved", 300*time.Millisecond) }, doctor.Warn, false},
		{"COST-01", "a Service nobody looked at", func(s *stage) { s.twin(); s.more = nil }, doctor.Unknown, false},
		{"COST-01", "deleted users", func(s *stage) { s.past(5, time.Hour, "approved", 5*time.Second); s.opts.Sample = 1; s.twinUser() }, doctor.Unknown, false},
		{"COST-02", "", func(s *stage) { s.past(12, 20*time.Minute, "denied", 5*time.Second) }, doctor.Warn, false},
	}
	tested := map[string]bool{}
	for _, c := range cases {
		tested[c.id] = true
		t.Run(c.id+"/"+c.name, func(t *testing.T) {
			t.Parallel()
			s := inOrder()
			c.edit(s)
			report := s.examine(t)
			i := slices.IndexFunc(report.Results, func(r doctor.Result) bool {
				return r.Check == c.id && (r.Environment == "live" || r.Environment == "")
			})
			if got := report.Results[i]; got.Status != c.want || got.Note != c.note {
				t.Errorf("%s is %s (note %v): %s, want %s (note %v)", c.id, got.Status, got.Note, got.Reason, c.want, c.note)
			}
		})
	}
	for _, c := range doctor.Catalogue() {
		if _, local := notOfTheAPI[c.ID]; tested[c.ID] == local {
			t.Errorf("%s: broken against the API %v, called local %v", c.ID, tested[c.ID], local)
		}
	}
}

// twinUser adds a second user.
func (s *stage) twinUser() {
	s.service().Entities = append(s.service().Entities, simulator.WorldEntity{Identity: "user-0002-b"})
}
