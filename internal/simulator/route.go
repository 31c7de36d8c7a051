package simulator

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// route is one operation. Its pattern is the path in segments, where "{}" stands for a parameter and "{}.json" for one
// with that ending.
type route struct {
	product string
	method  string
	path    []string
	name    string // the operationId of Twilio's OpenAPI documents
	device  bool   // a phone may call it with its own token
	run     func(*call) (reply, error)
}

// The products, by the first label of their host.
const (
	verify        = "verify"
	notify        = "notify"
	conversations = "conversations"
	chat          = "chat"
	monitor       = "monitor"
	iam           = "iam"
	accounts      = "api"
	eventStreams  = "events"
)

var products = []string{verify, notify, conversations, chat, monitor, iam, accounts, eventStreams}

// byHostOnly are the products whose paths another product also has, so that a path alone never means them.
func byHostOnly(product string) bool { return product == conversations || product == chat }

// target is where a request goes: an operation, its path parameters, and the prefix its product was named by.
type target struct {
	route  *route
	args   []string
	prefix string
}

// findRoute resolves a request. Segments are decoded one by one, so that an encoded slash never separates, and empty
// and dot segments match nothing.
func findRoute(r *http.Request) (target, *apiError) {
	escaped := r.URL.EscapedPath()
	lost := notFound(escaped)
	segments, decoded := splitPath(escaped)
	if !decoded {
		return target{}, lost
	}
	product := productOfHost(r.Host)
	prefix := ""
	if product == "" && slices.Contains(products, segments[0]) {
		product, prefix, segments = segments[0], "/"+segments[0], segments[1:]
	}
	var allowed []string
	for i := range routes {
		route := &routes[i]
		if product != "" && route.product != product || product == "" && byHostOnly(route.product) {
			continue
		}
		args, fits := match(route.path, segments)
		if !fits {
			continue
		}
		if route.method == r.Method || r.Method == http.MethodHead && route.method == http.MethodGet {
			return target{route, args, prefix}, nil
		}
		allowed = append(allowed, route.method)
	}
	if len(allowed) > 0 {
		err := refuse(http.StatusMethodNotAllowed, 20004, "Method not allowed")
		err.header = http.Header{"Allow": {strings.Join(allowed, ", ")}}
		return target{}, err
	}
	return target{}, lost
}

// splitPath cuts an escaped path into decoded segments; it fails on those that no resource has.
func splitPath(escaped string) ([]string, bool) {
	segments := strings.Split(strings.TrimPrefix(escaped, "/"), "/")
	for i, segment := range segments {
		plain, err := url.PathUnescape(segment)
		if err != nil || plain == "" || plain == "." || plain == ".." {
			return nil, false
		}
		segments[i] = plain
	}
	return segments, true
}

func match(pattern, segments []string) ([]string, bool) {
	if len(pattern) != len(segments) {
		return nil, false
	}
	var args []string
	for i, want := range pattern {
		suffix, isParam := strings.CutPrefix(want, "{}")
		switch {
		case !isParam && want == segments[i]:
		case isParam && strings.HasSuffix(segments[i], suffix):
			args = append(args, strings.TrimSuffix(segments[i], suffix))
		default:
			return nil, false
		}
	}
	return args, true
}

// productOfHost gives the product of a Twilio host name such as verify.twilio.com or verify.dublin.ie1.twilio.com, ""
// for any other host. A Twilio host of an unknown product gives its label, which no route has.
func productOfHost(host string) string {
	host, _, _ = strings.Cut(strings.ToLower(host), ":")
	name, isTwilio := strings.CutSuffix(host, ".twilio.com")
	if !isTwilio {
		return ""
	}
	product, _, _ := strings.Cut(name, ".")
	return product
}

// baseURL is the scheme and host the client used, which a proxy in front may tell, and which all links carry.
func baseURL(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	if proto := firstOf(r.Header.Get("X-Forwarded-Proto")); proto == "http" || proto == "https" {
		scheme = proto
	}
	host := r.Host
	if forwarded := firstOf(r.Header.Get("X-Forwarded-Host")); isHost(forwarded) {
		host = forwarded
	}
	return scheme + "://" + host
}

func firstOf(list string) string {
	first, _, _ := strings.Cut(list, ",")
	return strings.TrimSpace(first)
}

func isHost(s string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return s != "" && len(s) <= 255 && strings.Trim(s, letters+"0123456789.-:[]") == ""
}
