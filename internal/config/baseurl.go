package config

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// twilioDomain is the domain account keys may always go to, over https.
const twilioDomain = ".twilio.com"

// checkBaseURL holds a base URL against the rule that account keys go to one host: Twilio's over https, or this machine.
// Another host has to be allowed by the person, and never gets the keys of production.
func checkBaseURL(raw string, allowed, production bool) error {
	if raw == "" {
		return nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return verify.Usagef("the base_url is not a URL")
	}
	host := strings.ToLower(u.Hostname())
	switch {
	case u.Scheme != "https" && u.Scheme != "http" || host == "":
		return verify.Usagef("the base_url %s is not an http or https address", shown(u.Redacted()))
	case u.User != nil:
		return verify.Usagef("the base_url %s has a user in it; account keys are declared apart", shown(u.Redacted()))
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return verify.Usagef("the base_url %s is more than scheme, host and port", shown(raw))
	case isLoopback(host):
		return nil
	case strings.HasSuffix(host, twilioDomain):
		if u.Scheme == "https" {
			return nil
		}
		return verify.Refusedf("account keys go to Twilio over https only, not to %s", raw)
	case production:
		return verify.Refusedf("account keys of production go to *%s or to this machine only, not to %s", twilioDomain, raw).
			WithHint("if this is not production, declare its kind: development or staging")
	case !allowed:
		return verify.Refusedf("account keys go to *%s or to this machine only, not to %s", twilioDomain, raw).
			WithHint("if you trust that host with them, set allow_base_url: true for this environment in your personal file")
	}
	return nil
}

// isLoopback tells whether a host is this machine by its name or address; no name is looked up.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// resolvePath makes a path in a file absolute: it is relative to that file, and ~/ is the user's home.
func resolvePath(path, file string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(file), path)
}
