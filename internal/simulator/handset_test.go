package simulator_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// handset is a phone with Twilio's SDK, written from the wire protocol and not with the simulator's own devices.
type handset struct {
	t                    testing.TB
	c                    *client
	key                  *ecdsa.PrivateKey
	service, identity    string
	account, factor, kid string
	now                  func() time.Time
	token                string
}

// newHandset is a phone before its enrolment.
func newHandset(t testing.TB, c *client, service, identity string) *handset {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &handset{t: t, c: c, key: key, service: service, identity: identity, token: strings.Repeat("a1", 32),
		now: func() time.Time {
			now, err := c.sim.Now(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return now
		}}
}

func (h *handset) publicKey() string {
	der, err := x509.MarshalPKIXPublicKey(&h.key.PublicKey)
	if err != nil {
		h.t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

func (h *handset) entity() string {
	return "/v2/Services/" + h.service + "/Entities/" + h.identity
}

// enrolmentForm is what the SDK posts to make a factor, without the push token when there is no platform.
func (h *handset) enrolmentForm(platform string) []string {
	form := []string{"FriendlyName", "Test phone", "FactorType", "push", "Binding.Alg", "ES256", "Binding.PublicKey", h.publicKey(),
		"Config.SdkVersion", "3.0.2", "Config.AppId", "com.example.app", "Config.NotificationPlatform", platform}
	if platform != "none" {
		form = append(form, "Config.NotificationToken", h.token)
	}
	return form
}

// enrol makes the factor with an access token from the backend.
func (h *handset) enrol(platform string) answer {
	h.t.Helper()
	token := h.c.ok("POST", "/v2/Services/"+h.service+"/AccessTokens", "Identity", h.identity, "FactorType", "push").text("token")
	a := h.c.as("token", token).ok("POST", h.entity()+"/Factors", h.enrolmentForm(platform)...)
	h.account, h.factor = a.text("account_sid"), a.text("sid")
	h.kid, _ = a.body["config"].(map[string]any)["credential_sid"].(string)
	return a
}

// proof is the AuthPayload that verifies a factor.
func (h *handset) proof(over string) string {
	digest := sha256.Sum256([]byte(over))
	der, err := ecdsa.SignASN1(rand.Reader, h.key, digest[:])
	if err != nil {
		h.t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

// verify proves possession of the key.
func (h *handset) verify() *handset {
	h.t.Helper()
	h.signed().ok("POST", h.entity()+"/Factors/"+h.factor, "AuthPayload", h.proof(h.factor))
	return h
}

// signed is the client that holds a fresh token signed by the phone.
func (h *handset) signed() *client { return h.c.as("token", h.jwt(h.now())) }

func (h *handset) jwt(now time.Time) string {
	token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"sub": h.account, "nbf": now.Unix(), "exp": now.Unix() + 600})
	token.Header["cty"], token.Header["kid"] = "twilio-pba;v=1", h.kid
	signed, err := token.SignedString(h.key)
	if err != nil {
		h.t.Fatal(err)
	}
	return signed
}

// challengePayload signs an answer to the fetched challenge; change alters the claims before they are signed.
func (h *handset) challengePayload(fetched answer, status string, change func(jwt.MapClaims)) string {
	h.t.Helper()
	claims := jwt.MapClaims{}
	for _, name := range strings.Split(fetched.header.Get("Twilio-Verify-Signature-Fields"), ",") {
		value, present := fetched.body[name]
		if !present {
			h.t.Fatalf("the signature field %q is no key of the challenge", name)
		}
		claims[name] = value
	}
	claims["status"] = status
	if change != nil {
		change(claims)
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodES256, claims).SignedString(h.key)
	if err != nil {
		h.t.Fatal(err)
	}
	return signed
}

// androidPayload signs as Android's JSON does: slashes escaped, keys in another order.
func (h *handset) androidPayload(fetched answer, status string) string {
	h.t.Helper()
	claims := map[string]any{"status": status}
	for _, name := range strings.Split(fetched.header.Get("Twilio-Verify-Signature-Fields"), ",") {
		claims[name] = fetched.body[name]
	}
	var pairs []string
	for name := range maps.Keys(claims) { // in any order
		value, err := json.Marshal(claims[name])
		if err != nil {
			h.t.Fatal(err)
		}
		pairs = append(pairs, `"`+name+`" : `+strings.ReplaceAll(string(value), "/", `\/`))
	}
	signed := base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"JWT","alg":"ES256"}`)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte("{"+strings.Join(pairs, ",")+"}"))
	signature, err := jwt.SigningMethodES256.Sign(signed, h.key)
	if err != nil {
		h.t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// fetch reads a challenge as the SDK does, with the form type as Accept.
func (h *handset) fetch(challenge string) answer {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), "GET", "http://"+h.c.host+h.entity()+"/Challenges/"+challenge, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Accept", "application/x-www-form-urlencoded")
	return h.signed().send(req)
}

// newService makes a Service, without credentials unless the form says so.
func (c *client) newService(form ...string) string {
	c.t.Helper()
	return c.ok("POST", "/v2/Services", append([]string{"FriendlyName", "Example Bank"}, form...)...).text("sid")
}

// newChallenge makes a challenge for a phone.
func (h *handset) newChallenge(form ...string) answer {
	h.t.Helper()
	return h.c.ok("POST", h.entity()+"/Challenges", append([]string{"FactorSid", h.factor, "Details.Message", "Sign in?"}, form...)...)
}
