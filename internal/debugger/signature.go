package debugger

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Signatures checks the X-Twilio-Signature of deliveries (https://www.twilio.com/docs/usage/webhooks/webhooks-security):
// the HMAC-SHA1, by the account's auth token, of the URL as Twilio was given it and the form's fields sorted by name. A
// body that is no form is signed by its SHA-256, which is then in the URL.
//
// A Webhooks Rule can make Twilio sign with a shared key instead, by HMAC-SHA256, and say so in
// X-Twilio-Webhooks-Signature-Settings (https://www.twilio.com/docs/usage/webhooks/webhook-shared-keys, a public beta); the
// signed text is the same.
type Signatures struct {
	secrets [][]byte
	shared  []SharedKey
	public  *url.URL
}

// SharedKey is a key that Twilio may sign with instead of the account's auth token.
type SharedKey struct{ Name, Secret string }

// NewSignatures takes the secrets by which a delivery may be signed: the account's auth tokens, two while one is replaced, and
// shared keys. publicURL is the URL that Twilio was given. It is never taken from a request, where anybody can write another
// one. The error is a usage [verify.Error]; no secret, or an empty one, is one, because anybody could sign with it.
func NewSignatures(secrets []string, publicURL string, shared ...SharedKey) (*Signatures, error) {
	s := &Signatures{shared: shared}
	for _, secret := range secrets {
		if strings.TrimSpace(secret) == "" {
			return nil, verify.Usagef("a webhook secret is empty, and anybody could sign with it")
		}
		s.secrets = append(s.secrets, []byte(secret))
	}
	if len(s.secrets)+len(shared) == 0 {
		return nil, verify.Usagef("there is no webhook secret to check deliveries with").
			WithHint("declare the account's auth token: webhook_secret: [{env: TWILIO_AUTH_TOKEN}]")
	}
	public, err := url.Parse(publicURL)
	if err != nil || public.Host == "" || public.Scheme != "https" && public.Scheme != "http" || public.Fragment != "" {
		return nil, verify.Usagef("--public-url %q is not the URL of a webhook", publicURL).
			WithHint("write it as Twilio has it: https://ops.bank.example/twilio/debugger")
	}
	s.public = public
	return s, nil
}

// Why a delivery was refused.
var (
	errUnsigned  = errors.New("it has no X-Twilio-Signature")
	errUnhashed  = errors.New("its body is not a form and its URL has no bodySHA256, so the body is not signed")
	errBodyHash  = errors.New("its body does not match the signed hash")
	errSignature = errors.New("its signature does not match the webhook's URL and secrets")
)

// check tells whether a request was signed by one of the secrets; the error says why not.
func (s *Signatures) check(r *http.Request, body []byte) error {
	signature := r.Header.Get("X-Twilio-Signature")
	if signature == "" {
		return errUnsigned
	}
	fields := ""
	if isForm(r) {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return fmt.Errorf("its form cannot be read: %w", err)
		}
		fields = fieldsText(form)
	} else if err := checkHash(r.URL.Query().Get("bodySHA256"), body); err != nil {
		return err
	}
	secrets, by, err := s.signers(r.Header.Get("X-Twilio-Webhooks-Signature-Settings"))
	if err != nil {
		return err
	}
	for _, address := range s.addresses(r) {
		for _, secret := range secrets {
			if subtle.ConstantTimeCompare([]byte(signBy(by, secret, address+fields)), []byte(signature)) == 1 {
				return nil
			}
		}
	}
	return errSignature
}

// undeclaredKey is the error for a delivery that says it is signed with a shared key, or in a way, that is not declared.
// Anybody can write what it says.
type undeclaredKey struct{ Name, Algorithm string }

func (u undeclaredKey) Error() string {
	return fmt.Sprintf("it claims the shared key %.80q by %.40q, which is not declared: add {shared_key: NAME, secret_env: …} to webhook_secrets", u.Name, u.Algorithm)
}

// signers gives the secrets and the hash that the settings of a delivery name: without any the auth tokens, by HMAC-SHA1.
func (s *Signatures) signers(settings string) (secrets [][]byte, by func() hash.Hash, err error) {
	if settings == "" {
		return s.secrets, sha1.New, nil
	}
	said := map[string]string{}
	for part := range strings.SplitSeq(settings, ",") {
		name, value, _ := strings.Cut(part, "=")
		said[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
	}
	by = map[string]func() hash.Hash{"HMAC_SHA256": sha256.New, "HMAC_SHA1": sha1.New}[strings.ToUpper(said["algorithm"])]
	for _, key := range s.shared {
		if key.Name == said["key"] {
			secrets = append(secrets, []byte(key.Secret))
		}
	}
	if by == nil || len(secrets) == 0 {
		return nil, nil, undeclaredKey{said["key"], said["algorithm"]}
	}
	return secrets, by, nil
}

func checkHash(want string, body []byte) error {
	if want == "" {
		return errUnhashed
	}
	sum := sha256.Sum256(body)
	if subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(strings.ToLower(want))) != 1 {
		return errBodyHash
	}
	return nil
}

func isForm(r *http.Request) bool {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded")
}

func signBy(by func() hash.Hash, secret []byte, text string) string {
	mac := hmac.New(by, secret)
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// fieldsText joins name and value of every field, sorted by name. Of a field that is there several times each different
// value counts once, sorted.
func fieldsText(form url.Values) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(form)) {
		for _, value := range slices.Compact(slices.Sorted(slices.Values(form[name]))) {
			b.WriteString(name)
			b.WriteString(value)
		}
	}
	return b.String()
}

// addresses gives the URLs that Twilio may have signed: scheme, host and path are the declared ones. Twilio's back ends
// disagree on whether the port belongs to the URL, and proxies on how a query is written.
func (s *Signatures) addresses(r *http.Request) []string {
	base := *s.public
	hosts := []string{base.Host}
	if host, _, err := net.SplitHostPort(base.Host); err == nil {
		hosts = append(hosts, host)
	} else {
		hosts = append(hosts, net.JoinHostPort(base.Hostname(), map[string]string{"http": "80", "https": "443"}[base.Scheme]))
	}
	paths := []string{base.Path}
	if base.Path == "" || base.Path == "/" {
		paths = []string{"", "/"}
	}
	var addresses []string
	for _, host := range hosts {
		for _, path := range paths {
			for _, query := range s.queries(r.URL) {
				base.Host, base.RawQuery = host, query
				if len(paths) > 1 {
					base.Path = path
				}
				addresses = append(addresses, base.String())
			}
		}
	}
	return addresses
}

// queries gives the queries that Twilio may have signed: the one that arrived and the declared one, to which it adds
// bodySHA256, each with apostrophes written in both ways.
func (s *Signatures) queries(arrived *url.URL) []string {
	queries := []string{arrived.RawQuery}
	if declared := s.public.RawQuery; declared != "" && declared != arrived.RawQuery {
		if hash := arrived.Query().Get("bodySHA256"); hash != "" {
			declared += "&bodySHA256=" + hash
		}
		queries = append(queries, declared)
	}
	for _, query := range queries {
		if plain, encoded := strings.ReplaceAll(query, "%27", "'"), strings.ReplaceAll(query, "'", "%27"); plain != encoded {
			queries = append(queries, plain, encoded)
		}
	}
	return queries
}
