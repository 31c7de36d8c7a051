package verify

import (
	"net/netip"
	"net/url"
	"strings"
)

// TwilioDomain is the domain of Twilio's API, whose hosts account keys may always be sent to over https.
const TwilioDomain = "twilio.com"

// IsTwilioHost tells whether a host, without a port, is one of Twilio's.
func IsTwilioHost(host string) bool {
	return strings.HasSuffix(strings.ToLower(host), "."+TwilioDomain)
}

// IsLoopback tells whether a host, without a port, is this machine: localhost, or a loopback address in its usual form.
// Nothing is looked up, so a name that somebody's DNS answers (127.evil.example, app.localhost) is not, and neither is a
// form that programs read differently (127.1, 0177.0.0.1, localhost with a dot at its end).
func IsLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.ToLower(host) == "localhost" || err == nil && ip.Zone() == "" && ip.IsLoopback()
}

// ParseBaseURL reads a base_url and holds it against the rule that account keys go to Twilio over https or to this machine;
// to another host only when the person allowed it, and never those of production. What is wrong is a usage [Error], a host
// that may not have the keys a refusal.
func ParseBaseURL(raw string, allowed, production bool) (*url.URL, error) {
	const form = "write base_url like http://127.0.0.1:8080"
	if strings.Contains(raw, "@") { // not echoed: what stands before it may be a secret
		return nil, Usagef("the base_url contains a user; declare account keys separately").WithHint(form)
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" {
		return nil, Usagef("the base_url %q is not an http or https address", raw).WithHint(form)
	}
	host := u.Hostname()
	switch {
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, Usagef("the base_url %q has more than scheme, host and port", raw).WithHint(form)
	case IsTwilioHost(host) && u.Scheme != "https":
		return nil, Refusedf("account keys go to Twilio over https only, not to %q", raw)
	case IsTwilioHost(host), IsLoopback(host):
	case u.Scheme != "https":
		return nil, Refusedf("account keys never go over plain http to another machine: %q", raw).
			WithHint("use https; for a simulator in another container: verifyctl simulator serve --tls, and ca_file")
	case production:
		return nil, Refusedf("account keys of production go to *.%s or to this machine only, not to %q", TwilioDomain, raw).
			WithHint("if this is not production, declare its kind: development or staging")
	case !allowed:
		return nil, Refusedf("account keys go to *.%s or to this machine only, not to %q", TwilioDomain, raw).
			WithHint("if you trust that host with them, set allow_base_url: true for this environment in your personal file")
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}
