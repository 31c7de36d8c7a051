package simulator_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// TestAuthentication is who gets in and with which refusal.
func TestAuthentication(t *testing.T) {
	c := frozen(t)
	other := "AC" + strings.Repeat("1", 32)
	for _, a := range []simulator.Account{
		{SID: other, AuthToken: "othertoken", Name: "Another company"},
		{SID: "AC" + strings.Repeat("2", 32), AuthToken: "testtoken", Test: true},
		{SID: "AC" + strings.Repeat("3", 32), AuthToken: "suspendedtoken", Status: "suspended"},
		{SID: "AC" + strings.Repeat("4", 32), AuthToken: "subtoken", Owner: simulator.DefaultAccountSID},
	} {
		if err := c.sim.PutAccount(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	standard, restricted := "SK"+strings.Repeat("1", 32), "SK"+strings.Repeat("2", 32)
	for _, k := range []simulator.Key{
		{SID: standard, Secret: "s1", Name: "standard"},
		{SID: restricted, Secret: "s2", Kind: "restricted", Allow: []string{"/twilio/verify/services/list", "/twilio/monitor/*"}},
	} {
		if err := c.sim.PutKey(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	service := c.newService()
	account := "/2010-04-01/Accounts/" + simulator.DefaultAccountSID + ".json"

	for _, tt := range []struct {
		name, user, pass, path string
		status, code           int
	}{
		{"no credentials", "", "", "/v2/Services", 401, 20003},
		{"a wrong token", simulator.DefaultAccountSID, "x", "/v2/Services", 401, 20003},
		{"an unknown account", "AC" + strings.Repeat("9", 32), "x", "/v2/Services", 401, 20003},
		{"an unknown key", "SK" + strings.Repeat("9", 32), "x", "/v2/Services", 401, 20003},
		{"a key's wrong secret", standard, "x", "/v2/Services", 401, 20003},
		{"test credentials", "AC" + strings.Repeat("2", 32), "testtoken", "/v2/Services", 403, 20008},
		{"a suspended account", "AC" + strings.Repeat("3", 32), "suspendedtoken", "/v2/Services", 403, 20005},
		{"another account's Service", other, "othertoken", "/v2/Services/" + service, 404, 20404},
		{"another account's account", other, "othertoken", account, 404, 20404},
		{"a standard key at accounts", standard, "s1", account, 401, 20003},
		{"a standard key at keys", standard, "s1", "/v1/Keys?AccountSid=" + simulator.DefaultAccountSID, 401, 20003},
		{"a restricted key at what it may not read", restricted, "s2", "/v2/Services/" + service, 403, 20006},
		{"a restricted key at push credentials", restricted, "s2", "/v1/Credentials", 403, 20006},
		{"a phone's token that is none", "token", "x", "/v2/Services/" + service, 401, 20003},
	} {
		t.Run(tt.name, func(t *testing.T) { c.as(tt.user, tt.pass).refused(tt.status, tt.code, "GET", tt.path) })
	}
	c.as(standard, "s1").ok("GET", "/v2/Services/"+service)
	c.as(restricted, "s2").ok("GET", "/v2/Services")
	c.as(restricted, "s2").ok("GET", "/v1/Alerts")
	c.ok("GET", "/2010-04-01/Accounts/AC"+strings.Repeat("4", 32)+".json")
	if got := c.as(other, "othertoken").ok("GET", "/v2/Services").items("services"); len(got) != 0 {
		t.Errorf("another account sees %v", got)
	}
}

// TestOddPaths get Twilio's JSON, never a redirect or plain text.
func TestOddPaths(t *testing.T) {
	c := frozen(t)
	service := c.newService()
	for _, path := range []string{
		"/", "//", "/v2", "/v2/", "/v2/Services/", "//v2/Services", "/v2//Services", "/v2/../v2/Services", "/v2/Services/..", "/v2/Services/.",
		"/v2/Services/" + service + "/Entities/..", "/v2/Services/" + service + "/Entities/%2e%2e", "/v2/Services/" + service + "/Entities/a%2Fb",
		"/v2/Services/" + service + "/Entities//Factors", "/v2/Services/%00", "/v3/Services", "/v1/Nothing", "/conversations", "/verify", "/v2/Forms/other",
		"/v2/Credentials", "/2010-04-01/Accounts/.json", "/__simulator", "/__simulator/v1/nothing",
	} {
		a := c.refused(404, 20404, "GET", path)
		if !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") || a.text("more_info") != "https://www.twilio.com/docs/errors/20404" {
			t.Errorf("%s: %v %s", path, a.header, a.raw)
		}
	}
	if a := c.refused(405, 20004, "PUT", "/v2/Services"); a.header.Get("Allow") != "GET, POST" {
		t.Errorf("Allow is %q", a.header.Get("Allow"))
	}
	c.refused(405, 20004, "DELETE", "/v1/Alerts")
	c.at("lookups.twilio.com").refused(404, 20404, "GET", "/v2/Services")
	c.at("notify.twilio.com").refused(404, 20404, "GET", "/v2/Services")
	c.at("verify.dublin.ie1.twilio.com").ok("GET", "/v2/Services/"+service)

	// Identities reach exactly their operation.
	long, upper := strings.Repeat("aB3-", 15)+"aB34", "USER-1001-AMARA"
	for _, identity := range []string{long, upper} {
		at := "/v2/Services/" + service + "/Entities/" + identity
		c.ok("POST", "/v2/Services/"+service+"/Entities", "Identity", identity)
		if got := c.ok("GET", at).text("identity"); got != identity {
			t.Errorf("the identity %q came back as %q", identity, got)
		}
	}
	c.refused(404, 20404, "GET", "/v2/Services/"+service+"/Entities/"+strings.ToLower(upper))
}

// TestPaging follows pages through a list that changes, and the links that a proxy's client needs.
func TestPaging(t *testing.T) {
	c := frozen(t)
	service := c.newService()
	entities := "/v2/Services/" + service + "/Entities"
	for i := range 7 {
		c.ok("POST", entities, "Identity", fmt.Sprintf("user-%04d", i))
	}
	var got []string
	path, pages := entities+"?PageSize=3", 0
	for path != "" {
		a := c.ok("GET", path)
		got = append(got, column(a.items("entities"), "identity")...)
		meta := a.body["meta"].(map[string]any)
		if pages++; pages == 2 {
			previous := strings.TrimPrefix(meta["previous_page_url"].(string), "http://simulator.test")
			if back := column(c.ok("GET", previous).items("entities"), "identity"); strings.Join(back, " ") != "user-0000 user-0001 user-0002" {
				t.Errorf("the page before holds %v", back)
			}
			c.ok("DELETE", entities+"/user-0001") // already read, and must not shift what follows
			c.ok("POST", entities, "Identity", "user-9999")
		}
		next, _ := meta["next_page_url"].(string)
		path = strings.TrimPrefix(next, "http://simulator.test")
	}
	if want := "user-0000 user-0001 user-0002 user-0003 user-0004 user-0005 user-0006 user-9999"; strings.Join(got, " ") != want {
		t.Errorf("read %v, want %s", got, want)
	}

	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://127.0.0.1:8281"+entities+"?PageSize=2", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Forwarded-Host", "verify.proxy.example:8443, inner.example")
	req.Header.Set("X-Forwarded-Proto", "https")
	a := c.send(req)
	next, _ := a.body["meta"].(map[string]any)["next_page_url"].(string)
	if !strings.HasPrefix(next, "https://verify.proxy.example:8443/v2/Services/") || !strings.HasPrefix(a.items("entities")[0]["url"].(string), "https://verify.proxy.example:8443/") {
		t.Errorf("behind a proxy the links are %s", a.raw)
	}

	c.refused(400, 60373, "GET", entities+"?PageSize=0")
	c.refused(400, 60373, "GET", entities+"?PageSize=x")
	c.refused(400, 20007, "GET", entities+"?PageSize=1001")
	c.refused(400, 60374, "GET", entities+"?PageToken=PTx")
	other, err := http.NewRequest("GET", next, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.refused(400, 60374, "GET", "/v2/Services?PageToken="+other.URL.Query().Get("PageToken"))
	c.refused(400, 60306, "GET", entities+"?Page=-1")
}

// TestFactorRules are the refusals around factors.
func TestFactorRules(t *testing.T) {
	c := frozen(t)
	service := c.newService()
	h := newHandset(t, c, service, "user-1001-amara")
	factors := h.entity() + "/Factors"
	good := h.enrolmentForm("fcm")
	with := func(name, value string) []string {
		form := append([]string{}, good...)
		for i := 0; i < len(form); i += 2 {
			if form[i] == name {
				form[i+1] = value
				return form
			}
		}
		return append(form, name, value)
	}
	for _, tt := range []struct {
		name, value  string
		status, code int
	}{
		{"FactorType", "sms", 400, 60369},
		{"FriendlyName", "", 400, 60306},
		{"FriendlyName", strings.Repeat("é", 65), 400, 60306},
		{"Binding.Alg", "RS256", 400, 60314},
		{"Binding.PublicKey", "AAAA", 400, 60314},
		{"Binding.PublicKey", "not base64!", 400, 60314},
		{"Config.NotificationPlatform", "gcm", 400, 60370},
		{"Config.NotificationToken", "short", 400, 60370},
		{"Config.NotificationToken", strings.Repeat("a", 256), 400, 60370},
		{"Config.AppId", strings.Repeat("a", 101), 400, 60370},
		{"Metadata", `{"n":1}`, 400, 60306},
		{"Metadata", `[]`, 400, 60306},
		{"Metadata", `{"k":"` + strings.Repeat("ö", 1024) + `"}`, 400, 60306},
	} {
		t.Run(tt.name+"="+tt.value[:min(len(tt.value), 12)], func(t *testing.T) {
			c.refused(tt.status, tt.code, "POST", factors, with(tt.name, tt.value)...)
		})
	}
	c.refused(400, 20001, "POST", factors, "FactorType", "push")
	c.refused(400, 60367, "POST", "/v2/Services/"+service+"/Entities/short/Factors", good...)
	c.refused(400, 60367, "POST", "/v2/Services/"+service+"/Entities/jane%40bank.example/Factors", good...)
	c.refused(404, 20404, "GET", h.entity()) // nothing of the above made the entity

	c.ok("POST", factors, with("FriendlyName", strings.Repeat("é", 64))...)
	c.refused(409, 60317, "POST", factors, good...)
	for range 19 {
		c.ok("POST", factors, newHandset(t, c, service, h.identity).enrolmentForm("none")...)
	}
	c.refused(400, 60315, "POST", factors, newHandset(t, c, service, h.identity).enrolmentForm("none")...)
	first := column(c.ok("GET", factors).items("factors"), "sid")[0]
	c.ok("DELETE", factors+"/"+first)
	c.refused(404, 20404, "DELETE", factors+"/"+first)
	c.ok("POST", factors, good...) // its binding is free again

	c.refused(409, 60301, "POST", "/v2/Services/"+service+"/Entities", "Identity", h.identity)

	busy := newHandset(t, c, service, "user-1002-bilal")
	for range 100 {
		made := c.ok("POST", busy.entity()+"/Factors", newHandset(t, c, service, busy.identity).enrolmentForm("none")...)
		c.ok("DELETE", busy.entity()+"/Factors/"+made.text("sid"))
	}
	c.refused(429, 60326, "POST", busy.entity()+"/Factors", busy.enrolmentForm("none")...)
	if err := c.sim.Advance(t.Context(), 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	c.ok("POST", busy.entity()+"/Factors", busy.enrolmentForm("none")...)
}

// TestChallengeRules are the refusals around challenges and resends.
func TestChallengeRules(t *testing.T) {
	c := frozen(t)
	service := c.newService()
	h := newHandset(t, c, service, "user-1001-amara")
	h.enrol("fcm")
	h.verify()
	challenges := h.entity() + "/Challenges"
	with := func(more ...string) []string {
		return append([]string{"FactorSid", h.factor, "Details.Message", "Sign in?"}, more...)
	}
	many := func(n int) (form []string) {
		for i := range n {
			form = append(form, "Details.Fields", fmt.Sprintf(`{"label":"L%d","value":"v"}`, i))
		}
		return with(form...)
	}
	for _, tt := range []struct {
		name         string
		form         []string
		status, code int
	}{
		{"no factor", []string{"Details.Message", "x"}, 400, 20001},
		{"a malformed factor", []string{"FactorSid", "YF1", "Details.Message", "x"}, 400, 60362},
		{"an unknown factor", []string{"FactorSid", "YF" + strings.Repeat("0", 32), "Details.Message", "x"}, 404, 20404},
		{"no message", []string{"FactorSid", h.factor}, 400, 60368},
		{"a message of 257 runes", []string{"FactorSid", h.factor, "Details.Message", strings.Repeat("ü", 257)}, 400, 60368},
		{"21 fields", many(21), 400, 60368},
		{"a field that is no object", with("Details.Fields", "Location"), 400, 60368},
		{"a field without a value", with("Details.Fields", `{"label":"Location"}`), 400, 60368},
		{"a label of 37 runes", with("Details.Fields", `{"label":"`+strings.Repeat("ü", 37)+`","value":"v"}`), 400, 60368},
		{"a value of 129 runes", with("Details.Fields", `{"label":"l","value":"`+strings.Repeat("ü", 129)+`"}`), 400, 60368},
		{"hidden details with a number", with("HiddenDetails", `{"n":1}`), 400, 60306},
		{"an end that is no date", with("ExpirationDate", "tomorrow"), 400, 60306},
		{"an end in the past", with("ExpirationDate", start.Add(-time.Second).Format(time.RFC3339)), 400, 60306},
		{"an end after 61 minutes", with("ExpirationDate", start.Add(61*time.Minute).Format(time.RFC3339)), 400, 60306},
	} {
		t.Run(tt.name, func(t *testing.T) { c.refused(tt.status, tt.code, "POST", challenges, tt.form...) })
	}
	c.ok("POST", challenges, "FactorSid", h.factor, "Details.Message", strings.Repeat("ü", 256), "Details.Fields", "", "HiddenDetails", "",
		"ExpirationDate", start.Add(time.Hour).Format(time.RFC3339))
	c.ok("POST", challenges, many(20)...)
	c.refused(400, 60306, "GET", challenges+"?Status=open")
	c.refused(400, 60306, "GET", challenges+"?Order=newest")
	c.refused(400, 60362, "GET", challenges+"?FactorSid=YF1")

	resend := challenges + "/" + h.newChallenge().text("sid") + "/Notifications"
	c.refused(400, 60306, "POST", resend, "Ttl", "301")
	for _, ttl := range []string{"0", "150", "300"} {
		c.ok("POST", resend, "Ttl", ttl)
	}
	c.refused(429, 60309, "POST", resend)
	c.refused(405, 20004, "GET", resend)

	answered := h.newChallenge().text("sid")
	h.signed().ok("POST", challenges+"/"+answered, "AuthPayload", h.challengePayload(h.fetch(answered), "approved", nil))
	c.refused(403, 60322, "POST", challenges+"/"+answered+"/Notifications")
	waiting := h.newChallenge().text("sid")
	if err := c.sim.Advance(t.Context(), 5*time.Minute); err != nil {
		t.Fatal(err)
	}
	c.refused(403, 60323, "POST", challenges+"/"+waiting+"/Notifications")

	quiet := newHandset(t, c, service, "user-1002-bilal")
	quiet.enrol("none")
	quiet.verify()
	c.refused(400, 60307, "POST", quiet.entity()+"/Challenges/"+quiet.newChallenge().text("sid")+"/Notifications")

	// A deleted factor leaves its challenges readable, but not resendable.
	left := h.newChallenge().text("sid")
	c.ok("DELETE", h.entity()+"/Factors/"+h.factor)
	c.ok("GET", challenges+"/"+left)
	c.refused(404, 20404, "POST", challenges+"/"+left+"/Notifications")
	c.ok("DELETE", h.entity())
	c.refused(404, 20404, "GET", challenges+"/"+left)
}

// TestServiceAndCredentialRules are the refusals of their parameters.
func TestServiceAndCredentialRules(t *testing.T) {
	c := frozen(t)
	for _, tt := range []struct {
		path string
		form []string
		code int
	}{
		{"/v2/Services", []string{"CodeLength", "6"}, 20001},
		{"/v2/Services", []string{"FriendlyName", ""}, 60200},
		{"/v2/Services", []string{"FriendlyName", strings.Repeat("a", 33)}, 60200},
		{"/v2/Services", []string{"FriendlyName", "call 12345"}, 60200},
		{"/v2/Services", []string{"FriendlyName", "bank.example"}, 60200},
		{"/v2/Services", []string{"FriendlyName", "ok", "Push.ApnCredentialSid", "CR1"}, 60200},
		{"/v2/Services", []string{"FriendlyName", "ok", "Push.IncludeDate", "perhaps"}, 60200},
		{"/v1/Credentials", []string{"FriendlyName", "x"}, 20001},
		{"/v1/Credentials", []string{"Type", "wns"}, 20001},
		{"/v1/Credentials", []string{"Type", "fcm"}, 20001},
		{"/v1/Credentials", []string{"Type", "apn", "Certificate", "x", "PrivateKey", "y"}, 20001},
	} {
		c.refused(400, tt.code, "POST", tt.path, tt.form...)
	}
	made := c.ok("POST", "/v1/Credentials", "Type", "apn", "Certificate", testCertificate(t, "com.example.app"), "PrivateKey", "-")
	if made.text("sandbox") != "False" {
		t.Errorf("an APN credential without Sandbox: %s", made.raw)
	}
	if got := c.ok("POST", "/v1/Credentials/"+made.text("sid"), "Sandbox", "True").text("sandbox"); got != "True" {
		t.Errorf("after Sandbox=True: %q", got)
	}
	service := c.newService("Push.ApnCredentialSid", made.text("sid"))
	if push := c.ok("POST", "/v2/Services/"+service, "Push.ApnCredentialSid", "").body["push"].(map[string]any); push["apn_credential_sid"] != nil {
		t.Errorf("after clearing it the credential is %v", push)
	}
	for _, form := range [][]string{{"FactorType", "push"}, {"Identity", "user-1001-amara"}} {
		c.refused(400, 20001, "POST", "/v2/Services/"+service+"/AccessTokens", form...)
	}
	for _, form := range [][]string{{"Ttl", "59"}, {"Ttl", "301"}, {"Ttl", "x"}, {"FactorFriendlyName", strings.Repeat("a", 65)}} {
		c.refused(400, 60305, "POST", "/v2/Services/"+service+"/AccessTokens", append([]string{"Identity", "user-1001-amara", "FactorType", "push"}, form...)...)
	}
	c.refused(400, 60306, "POST", "/v2/Services/"+service+"/Webhooks", "FriendlyName", "x", "EventTypes", "entity.created", "WebhookUrl", "https://hooks.bank.example")
	c.refused(400, 60306, "POST", "/v2/Services/"+service+"/Webhooks", "FriendlyName", "x", "EventTypes", "*", "WebhookUrl", "hooks")
}

// TestTOTP is a factor of another type, which must not get in push's way.
func TestTOTP(t *testing.T) {
	c := frozen(t)
	service := c.newService()
	entity := "/v2/Services/" + service + "/Entities/user-1001-amara"
	made := c.ok("POST", entity+"/Factors", "FriendlyName", "Authenticator", "FactorType", "totp", "Binding.Secret", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "Config.CodeLength", "8")
	factor := entity + "/Factors/" + made.text("sid")
	if got := c.ok("POST", factor, "AuthPayload", "00000000").text("status"); got != "unverified" {
		t.Errorf("after a wrong code: %s", got)
	}
	// RFC 6238, appendix B: at 59 seconds the code of this secret is 94287082.
	old := open(t, simulator.Options{Clock: simulator.Clock{Mode: simulator.ClockFrozen, At: time.Unix(59, 0)}})
	service = old.newService()
	entity = "/v2/Services/" + service + "/Entities/user-1001-amara"
	made = old.ok("POST", entity+"/Factors", "FriendlyName", "Authenticator", "FactorType", "totp", "Binding.Secret", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "Config.CodeLength", "8")
	factor = entity + "/Factors/" + made.text("sid")
	if got := old.ok("POST", factor, "AuthPayload", "94287082").text("status"); got != "verified" {
		t.Errorf("after the right code: %s", got)
	}
	for range 5 {
		old.ok("POST", factor, "AuthPayload", "00000000")
	}
	old.refused(429, 60310, "POST", factor, "AuthPayload", "94287082")
	sid := old.ok("POST", entity+"/Challenges", "FactorSid", made.text("sid"), "AuthPayload", "94287082")
	if sid.text("status") != "approved" {
		t.Errorf("a challenge with the right code: %s", sid.raw)
	}
}

// TestAlertFilters are the filters of the account's stream.
func TestAlertFilters(t *testing.T) {
	c := frozen(t)
	err := c.sim.Apply(t.Context(), simulator.World{Alerts: []simulator.WorldAlert{
		{Code: "11200", Text: "a", Created: "-745h"}, // more than 30 days old
		{Code: "11200", Text: "b", Created: "2026-05-01T00:00:00Z"},
		{Code: "13224", Text: "c", Level: "warning", Created: "2026-05-01T23:59:59Z"},
		{Code: "11200", Text: "d", Created: "2026-05-02T00:00:00Z"},
		{Code: "52141", Text: "e", Created: "2h", Generated: "-1h"}, // not arrived yet
	}})
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		"":                "d c b",
		"?LogLevel=error": "d b",
		"?StartDate=2026-05-01&EndDate=2026-05-01":                     "c b",
		"?StartDate=2026-05-01T23:59:59Z&EndDate=2026-05-01T23:59:59Z": "c",
		"?EndDate=2026-05-01T00:00:00Z":                                "b",
	} {
		if got := strings.Join(column(c.ok("GET", "/v1/Alerts"+query).items("alerts"), "alert_text"), " "); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	if err := c.sim.Advance(t.Context(), 2*time.Hour); err != nil {
		t.Fatal(err)
	}
	late := c.ok("GET", "/v1/Alerts?PageSize=1").items("alerts")[0]
	if late["alert_text"] != "e" || late["date_created"] == late["date_generated"] {
		t.Errorf("the late alert: %v", late)
	}
	c.refused(400, 20001, "GET", "/v1/Alerts?StartDate=yesterday")
	c.refused(400, 20001, "GET", "/v1/Alerts?LogLevel=fatal")
}

// TestEntityRate holds Twilio's 40 entities a second for an account, made by themselves or with their first factor,
// wherever time passes.
func TestEntityRate(t *testing.T) {
	at := start
	c := open(t, simulator.Options{Wall: func() time.Time { return at }})
	services := []string{c.newService(), c.newService()}
	for i := range 40 {
		c.ok("POST", "/v2/Services/"+services[i%2]+"/Entities", "Identity", fmt.Sprintf("user-%04d", i))
	}
	c.refused(429, 60328, "POST", "/v2/Services/"+services[0]+"/Entities", "Identity", "user-0040")
	h := newHandset(t, c, services[1], "user-0040")
	c.refused(429, 60328, "POST", h.entity()+"/Factors", h.enrolmentForm("none")...)
	at = at.Add(time.Second)
	c.ok("POST", h.entity()+"/Factors", h.enrolmentForm("none")...)

	if _, err := c.sim.ChangeSettings(t.Context(), func(g *simulator.Settings) error { g.EntityRate = simulator.NoEntityRate; return nil }); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		c.ok("POST", "/v2/Services/"+services[0]+"/Entities", "Identity", fmt.Sprintf("user-1%03d", i))
	}
	if _, err := c.sim.ChangeSettings(t.Context(), func(g *simulator.Settings) error { g.EntityRate = -2; return nil }); err == nil {
		t.Error("an entity rate of -2 was taken")
	}
}

// TestRestOfVerify is what the links of a Service lead to beside push: nothing is there, and no code is sent.
func TestRestOfVerify(t *testing.T) {
	c := frozen(t)
	at := "/v2/Services/" + c.newService()
	for _, list := range []struct{ path, key string }{{"/RateLimits", "rate_limits"}, {"/MessagingConfigurations", "messaging_configurations"}} {
		if a := c.ok("GET", at+list.path); len(a.items(list.key)) != 0 || a.body["meta"] == nil {
			t.Errorf("%s: %s", list.path, a.raw)
		}
	}
	c.refused(403, 60223, "POST", at+"/Verifications", "To", "+15005550006", "Channel", "sms")
	c.refused(400, 20001, "POST", at+"/Verifications", "To", "+15005550006")
	c.refused(404, 20404, "POST", at+"/VerificationCheck", "To", "+15005550006", "Code", "123456")
	c.refused(404, 20404, "GET", "/v2/Services/VA"+strings.Repeat("0", 32)+"/RateLimits")
}

// TestChangesAreEvents finds what was changed in the account in Monitor, with the properties before and after.
func TestChangesAreEvents(t *testing.T) {
	c := frozen(t)
	service := c.newService()
	c.ok("POST", "/v2/Services/"+service, "FriendlyName", "Renamed", "Push.FcmCredentialSid", fcmCredential)
	credential := c.ok("POST", "/v1/Credentials", "Type", "apn", "Sandbox", "true", "Certificate", testCertificate(t, "com.example.app"), "PrivateKey", "-").text("sid")
	c.ok("POST", "/v1/Credentials/"+credential, "Sandbox", "false")
	c.ok("DELETE", "/v1/Credentials/"+credential)
	key := c.ok("POST", "/v1/Keys", "AccountSid", simulator.DefaultAccountSID, "FriendlyName", "ci")
	c.as(key.text("sid"), key.text("secret")).ok("DELETE", "/v2/Services/"+service)
	c.refused(400, 60200, "POST", "/v2/Services", "FriendlyName", "no: colons") // a refused change is none

	events := c.ok("GET", "/v1/Events").items("events")
	want := "verify-service.deleted api-key.created push-credential.deleted push-credential.updated push-credential.created verify-service.updated verify-service.created"
	if got := strings.Join(column(events, "event_type"), " "); got != want {
		t.Fatalf("newest first, the events are\n%s, want\n%s", got, want)
	}
	for _, e := range events {
		if e["actor_sid"] != simulator.DefaultAccountSID || e["actor_type"] != "account" || e["source"] != "api" || e["source_ip_address"] != "127.0.0.1" {
			t.Errorf("who did it: %v", e)
		}
	}
	if got := fmt.Sprint(events[3]["event_data"]); got != "map[resource_properties:map[sandbox:map[previous:True updated:False]]]" {
		t.Errorf("the credential's change is %s", got)
	}
	got := fmt.Sprint(events[5]["event_data"])
	for _, want := range []string{"friendly_name:map[previous:", "updated:Renamed]", "fcm_credential_sid:" + fcmCredential} {
		if !strings.Contains(got, want) {
			t.Errorf("the Service's change is %s, without %s", got, want)
		}
	}
	if got := column(c.ok("GET", "/v1/Events?ResourceSid="+credential).items("events"), "resource_type"); len(got) != 3 || got[0] != "push-credential" {
		t.Errorf("of the credential: %v", got)
	}
}
