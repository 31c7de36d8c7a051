package simulator_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	twilio "github.com/twilio/twilio-go/client"
	verify "github.com/twilio/twilio-go/rest/verify/v2"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// overPipe sends what Twilio's library addresses to https hosts to the simulator.
type overPipe struct{ next http.RoundTripper }

func (o overPipe) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.URL.Scheme = "http"
	return o.next.RoundTrip(req)
}

// backend is Twilio's own Go library talking to the simulator.
func (c *client) backend() *verify.ApiService {
	base := &twilio.Client{Credentials: twilio.NewCredentials(c.user, c.pass), HTTPClient: &http.Client{Transport: overPipe{c.http.Transport}}}
	base.SetAccountSid(c.user)
	return verify.NewApiService(&twilio.RequestHandler{Client: base})
}

func ptr[T any](v T) *T { return &v }

// wantCode checks an error of Twilio's library.
func wantCode(t *testing.T, err error, status, code int) {
	t.Helper()
	rest, isRest := err.(*twilio.TwilioRestError)
	if !isRest || rest.Status != status || rest.Code != code {
		t.Errorf("got %v, want %d with code %d", err, status, code)
	}
}

// TestDeviceProtocol is a phone's life from enrolment to deletion, with Twilio's library as the backend.
func TestDeviceProtocol(t *testing.T) {
	c := open(t, simulator.Options{Clock: simulator.Clock{Mode: simulator.ClockFrozen, At: start}})
	api := c.backend()
	service, err := api.CreateService(&verify.CreateServiceParams{FriendlyName: ptr("Example Bank")})
	if err != nil {
		t.Fatal(err)
	}
	h := newHandset(t, c, *service.Sid, "user-1001-amara")

	// 1 to 3: enrolment.
	token, err := api.CreateAccessToken(h.service, &verify.CreateAccessTokenParams{Identity: &h.identity, FactorType: ptr("push")})
	if err != nil {
		t.Fatal(err)
	}
	made := c.as("token", *token.Token).ok("POST", h.entity()+"/Factors", h.enrolmentForm("fcm")...)
	h.account, h.factor = made.text("account_sid"), made.text("sid")
	h.kid = made.body["config"].(map[string]any)["credential_sid"].(string)
	if made.status != 201 || made.text("status") != "unverified" || made.body["binding"] == nil {
		t.Fatalf("enrolment: %d %s", made.status, made.raw)
	}

	// 4: an unverified factor gets no challenge.
	challenge := func(form verify.CreateChallengeParams) (*verify.VerifyV2Challenge, error) {
		form.FactorSid = &h.factor
		return api.CreateChallenge(h.service, h.identity, &form)
	}
	_, err = challenge(verify.CreateChallengeParams{DetailsMessage: ptr("Sign in?")})
	wantCode(t, err, 403, 60318)

	// 5: the proof of possession, first over the wrong text.
	h.signed().refused(403, 60311, "POST", h.entity()+"/Factors/"+h.factor, "AuthPayload", h.proof("YF"+strings.Repeat("0", 32)))
	h.verify()
	factor, err := api.FetchFactor(h.service, h.identity, h.factor)
	if err != nil || *factor.Status != "verified" {
		t.Fatalf("after its verification: %v, %v", factor, err)
	}

	// 6: a challenge with everything.
	fields := []interface{}{map[string]string{"label": "Location", "value": "São Paulo/BR"}, map[string]string{"label": "Device", "value": "a=b;c&d"}}
	details := verify.CreateChallengeParams{DetailsMessage: ptr("Sign in to Example Bank?"), DetailsFields: &fields}
	details.SetHiddenDetails(map[string]string{"ip": "192.0.2.1"})
	first, err := challenge(details)
	if err != nil {
		t.Fatal(err)
	}
	if *first.Status != "pending" {
		t.Fatalf("a new challenge is %s", *first.Status)
	}
	pushes, err := c.sim.Pushes(t.Context(), simulator.PushFilter{Challenge: *first.Sid})
	if err != nil || len(pushes) != 1 || pushes[0].Data["type"] != "verify_push_challenge" || pushes[0].Data["message"] != "Sign in to Example Bank?" {
		t.Fatalf("pushes: %+v, %v", pushes, err)
	}

	// 7: the list, page by page, with both spellings of the token.
	second, err := challenge(verify.CreateChallengeParams{DetailsMessage: ptr("Again?")})
	if err != nil {
		t.Fatal(err)
	}
	list := h.signed().ok("GET", h.entity()+"/Challenges?FactorSid="+h.factor+"&PageSize=1&Order=asc&Status=pending")
	meta := list.body["meta"].(map[string]any)
	if got := column(list.items("challenges"), "sid"); len(got) != 1 || got[0] != *first.Sid || meta["previous_page_url"] != nil {
		t.Fatalf("first page: %s", list.raw)
	}
	next, err := url.Parse(meta["next_page_url"].(string))
	if err != nil {
		t.Fatal(err)
	}
	for _, spelling := range []string{"PageToken", "pageToken"} {
		page := h.signed().ok("GET", h.entity()+"/Challenges?FactorSid="+h.factor+"&PageSize=1&Order=asc&Status=pending&"+spelling+"="+next.Query().Get("PageToken"))
		if got := column(page.items("challenges"), "sid"); len(got) != 1 || got[0] != *second.Sid || page.body["meta"].(map[string]any)["next_page_url"] != nil {
			t.Errorf("%s: %s", spelling, page.raw)
		}
	}

	// 8: what has to be signed.
	seen := h.fetch(*first.Sid)
	names := seen.header.Get("Twilio-Verify-Signature-Fields")
	if names == "" || strings.Contains(names, " ") {
		t.Errorf("signature fields %q", names)
	}
	for _, name := range []string{"date_created", "date_updated", "expiration_date"} {
		if !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`).MatchString(seen.text(name)) {
			t.Errorf("%s is %q", name, seen.text(name))
		}
	}
	if _, present := seen.body["details"].(map[string]any)["date"]; present {
		t.Errorf("details hold a date though the Service does not include it: %s", seen.raw)
	}

	// 9: answers that prove nothing.
	answer := h.entity() + "/Challenges/" + *first.Sid
	stranger := newHandset(t, c, h.service, h.identity)
	altered := func(claims jwt.MapClaims) { claims["identity"] = "user-1002-bilal" }
	for what, payload := range map[string]string{
		"an altered field":      h.challengePayload(seen, "approved", altered),
		"a missing field":       h.challengePayload(seen, "approved", func(claims jwt.MapClaims) { delete(claims, "details") }),
		"another key":           stranger.challengePayload(seen, "approved", nil),
		"another status":        h.challengePayload(seen, "maybe", nil),
		"a text that is no JWT": "not-a-jwt",
	} {
		t.Run(what, func(t *testing.T) {
			h.signed().refused(403, 60324, "POST", answer, "AuthPayload", payload)
		})
	}
	if got := h.fetch(*first.Sid).text("status"); got != "pending" {
		t.Fatalf("after bad answers the challenge is %s", got)
	}

	// 10: the answer, with Android's JSON.
	h.signed().ok("POST", answer, "AuthPayload", h.androidPayload(seen, "approved"), "Metadata", `{"os":"Android"}`)
	if got := h.fetch(*first.Sid); got.text("status") != "approved" || got.text("date_responded") == "" {
		t.Fatalf("after the answer: %s", got.raw)
	}
	if fetched, err := api.FetchChallenge(h.service, h.identity, *first.Sid); err != nil || *fetched.Status != "approved" {
		t.Fatalf("the backend sees %v, %v", fetched, err)
	}

	// 11: answered and expired challenges.
	h.signed().refused(403, 60322, "POST", answer, "AuthPayload", h.challengePayload(seen, "approved", nil))
	h.signed().ok("POST", h.entity()+"/Challenges/"+*second.Sid, "AuthPayload", h.challengePayload(h.fetch(*second.Sid), "denied", nil))
	third, err := challenge(verify.CreateChallengeParams{DetailsMessage: ptr("Too late?")})
	if err != nil {
		t.Fatal(err)
	}
	late := h.fetch(*third.Sid)
	stale := h.jwt(start)
	if err := c.sim.Advance(t.Context(), 11*time.Minute); err != nil {
		t.Fatal(err)
	}
	h.signed().refused(403, 60323, "POST", h.entity()+"/Challenges/"+*third.Sid, "AuthPayload", h.challengePayload(late, "approved", nil))
	if got := h.fetch(*third.Sid).text("status"); got != "expired" {
		t.Errorf("past its end the challenge is %s", got)
	}

	// 12: a token of a phone whose clock is behind, which the Date of the reply mends.
	old := c.as("token", stale).refused(401, 20003, "GET", h.entity()+"/Challenges/"+*third.Sid)
	date, err := http.ParseTime(old.header.Get("Date"))
	if err != nil || !date.Equal(start.Add(11*time.Minute)) {
		t.Errorf("Date is %q, want the simulated time", old.header.Get("Date"))
	}
	c.as("token", h.jwt(date)).ok("GET", h.entity()+"/Challenges/"+*third.Sid)

	// 13: a new push token, in a raw iOS body, then none.
	raw := "FriendlyName=Bob's iPhone; work&Config.SdkVersion=3.0.2&Config.AppId=com.example.app&Config.NotificationPlatform=apn&Config.NotificationToken=" + strings.Repeat("b2", 32) + "=="
	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+c.host+h.entity()+"/Factors/"+h.factor, strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	updated := h.signed().send(req)
	config := updated.body["config"].(map[string]any)
	if updated.text("friendly_name") != "Bob's iPhone; work" || config["credential_sid"] != h.kid || !strings.HasSuffix(config["notification_token"].(string), "==") {
		t.Errorf("after the update: %s", updated.raw)
	}
	none := h.signed().ok("POST", h.entity()+"/Factors/"+h.factor, "Config.NotificationPlatform", "none")
	if config := none.body["config"].(map[string]any); config["notification_token"] != nil || config["notification_platform"] != "none" {
		t.Errorf("without a platform: %s", none.raw)
	}

	// 14: the end.
	if gone := h.signed().do("DELETE", h.entity()+"/Factors/"+h.factor); gone.status != 204 || gone.raw != "" {
		t.Errorf("deletion: %d %s", gone.status, gone.raw)
	}
	h.signed().refused(401, 20003, "DELETE", h.entity()+"/Factors/"+h.factor)
	wantCode(t, api.DeleteFactor(h.service, h.identity, h.factor), 404, 20404)
}

// TestDeviceReach is what a phone's token opens: its own factor and its own challenges.
func TestDeviceReach(t *testing.T) {
	c := frozen(t)
	service := c.newService()
	mine, other := newHandset(t, c, service, "user-1001-amara"), newHandset(t, c, service, "user-1001-amara")
	mine.enrol("fcm")
	mine.verify()
	other.enrol("fcm")
	other.verify()
	stranger := newHandset(t, c, service, "user-1002-bilal")
	stranger.enrol("fcm")

	foreign := other.newChallenge().text("sid")
	own := mine.newChallenge().text("sid")
	mine.signed().refused(404, 20404, "GET", mine.entity()+"/Challenges/"+foreign)
	mine.signed().refused(404, 20404, "DELETE", mine.entity()+"/Factors/"+other.factor)
	mine.signed().refused(403, 20006, "GET", stranger.entity()+"/Challenges")
	mine.signed().refused(401, 20003, "GET", mine.entity()+"/Factors")
	mine.signed().refused(401, 20003, "POST", mine.entity()+"/Challenges", "FactorSid", mine.factor)
	stranger.signed().refused(403, 60318, "GET", stranger.entity()+"/Challenges")
	if got := column(mine.signed().ok("GET", mine.entity()+"/Challenges").items("challenges"), "sid"); len(got) != 1 || got[0] != own {
		t.Errorf("a phone sees the challenges %v, want only %s", got, own)
	}
	mine.signed().ok("GET", "/v2/Services/"+service)

	token := c.ok("POST", "/v2/Services/"+service+"/AccessTokens", "Identity", "user-1002-bilal", "FactorType", "push", "Ttl", "60").text("token")
	c.as("token", token).refused(403, 60313, "POST", mine.entity()+"/Factors", newHandset(t, c, service, mine.identity).enrolmentForm("fcm")...)
	if err := c.sim.Advance(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	c.as("token", token).refused(401, 20003, "POST", stranger.entity()+"/Factors", newHandset(t, c, service, stranger.identity).enrolmentForm("fcm")...)
}

// TestBuiltInDevices enrols a phone of the simulator's own and lets it live.
func TestBuiltInDevices(t *testing.T) {
	c, ctx := frozen(t), t.Context()
	service := c.newService()
	d, err := c.sim.Enroll(ctx, simulator.Enrolment{Service: service, Identity: "user-1001-amara", Platform: "fcm", Name: "Pixel"})
	if err != nil {
		t.Fatal(err)
	}
	if d.Status != "verified" || !d.HasKey {
		t.Fatalf("enrolled: %+v", d)
	}
	entity := "/v2/Services/" + service + "/Entities/user-1001-amara"
	sid := c.ok("POST", entity+"/Challenges", "FactorSid", d.Factor, "Details.Message", "Sign in?", "Details.Fields", "").text("sid")
	answered, err := c.sim.Answer(ctx, d.Factor, "", false)
	if err != nil || answered != sid {
		t.Fatalf("answered %q, %v", answered, err)
	}
	if got := c.ok("GET", entity+"/Challenges/"+sid).text("status"); got != "denied" {
		t.Errorf("after the denial: %s", got)
	}
	if _, err := c.sim.Answer(ctx, d.Factor, sid, true); err == nil {
		t.Error("an answered challenge was answered again")
	}
	if _, err := c.sim.ChangeDevice(ctx, d.Factor, func(s *simulator.DeviceState) { s.Uninstalled = true }); err != nil {
		t.Fatal(err)
	}
	if _, err := c.sim.Answer(ctx, d.Factor, "", true); err == nil {
		t.Error("an uninstalled app answered")
	}
}
