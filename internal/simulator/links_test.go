package simulator_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// crawler follows every link of every reply, as a client would that trusts them.
type crawler struct {
	*client
	origin string // scheme and host that all links must carry
	header http.Header
	seen   map[string]bool
	served int
}

// notServed are the resources that documented links name and that have nothing to do with push.
var notServed = regexp.MustCompile(`/(Test|Validate)$|^/2010-04-01/Accounts/[^/]+$`)

// postOnly are the links that cannot be read.
var postOnly = regexp.MustCompile(`/(Notifications|AccessTokens|VerificationCheck|Verifications)$`)

var (
	isoDate = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`)
	dateKey = regexp.MustCompile(`^date_|_date$`)
)

func (c *crawler) visit(path string) {
	c.t.Helper()
	if c.seen[path] {
		return
	}
	c.seen[path] = true
	req, err := http.NewRequestWithContext(c.t.Context(), "GET", "http://"+c.host+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header = c.header.Clone()
	a := c.send(req)
	bare, _, _ := strings.Cut(path, "?")
	switch {
	case notServed.MatchString(bare):
		if a.status != 404 && a.status != 405 || a.body["more_info"] == nil {
			c.t.Errorf("%s: %d %s", path, a.status, a.raw)
		}
		return
	case postOnly.MatchString(bare):
		if a.status != 405 {
			c.t.Errorf("%s: %d %s", path, a.status, a.raw)
		}
		return
	case a.status != 200:
		c.t.Errorf("%s: %d %s", path, a.status, a.raw)
		return
	}
	c.served++
	c.checkList(path, a)
	c.follow(path, "", a.body)
}

// checkList holds the meta object of a list.
func (c *crawler) checkList(path string, a answer) {
	meta, isList := a.body["meta"].(map[string]any)
	if !isList {
		return
	}
	key, _ := meta["key"].(string)
	items, isArray := a.body[key].([]any)
	if len(a.body) != 2 || !isArray || len(meta) != 7 {
		c.t.Errorf("%s: a list with key %q: %s", path, key, a.raw)
	}
	if size, _ := meta["page_size"].(float64); len(items) > int(size) {
		c.t.Errorf("%s: %d items on a page of %v", path, len(items), size)
	}
}

// follow looks at every value of a reply: dates have their form, links lead back to whoever answered.
func (c *crawler) follow(path, key string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for name, child := range v {
			if key == "links" {
				name = "url"
			}
			c.follow(path, name, child)
		}
	case []any:
		for _, child := range v {
			c.follow(path, "", child)
		}
	case string:
		switch {
		case dateKey.MatchString(key) && !isoDate.MatchString(v):
			c.t.Errorf("%s: %s is %q", path, key, v)
		case key == "url" || strings.HasSuffix(key, "_page_url"):
			rest, own := strings.CutPrefix(v, c.origin)
			if !own {
				c.t.Errorf("%s: the link %s does not lead to %s", path, v, c.origin)
				return
			}
			c.visit(rest)
		}
	}
}

// TestLinksLeadBack crawls the demo world by its links, however its client got there.
func TestLinksLeadBack(t *testing.T) {
	c := demo(t)
	crawl := func(host, origin string, header http.Header, starts ...string) {
		t.Helper()
		crawl := &crawler{client: c.at(host), origin: origin, header: header, seen: map[string]bool{}}
		for _, path := range starts {
			crawl.visit(path)
		}
		if crawl.served < 2*len(starts) {
			t.Errorf("at %s only %d resources were found", host, crawl.served)
		}
	}
	verify := []string{"/v2/Services?PageSize=2", "/v2/Forms/form-push",
		"/v2/Services/" + simulator.DemoServiceSID + "/Entities?PageSize=5",
		"/v2/Services/" + simulator.DemoServiceSID + "/Entities/" + simulator.DemoIdentity + "/Factors?PageSize=1",
		"/v2/Services/" + simulator.DemoServiceSID + "/Entities/" + simulator.DemoIdentity + "/Challenges?PageSize=1&Order=desc&Status=expired",
		"/v2/Services/" + simulator.DemoServiceSID + "/Webhooks"}
	crawl("verify.twilio.com", "http://verify.twilio.com", http.Header{}, verify...)
	crawl("127.0.0.1:8281", "http://127.0.0.1:8281", http.Header{}, verify...)
	crawl("[::1]:8281", "http://[::1]:8281", http.Header{}, "/v2/Services")
	crawl("simulator.test", "http://simulator.test", http.Header{}, "/verify/v2/Services", "/conversations/v1/Credentials?PageSize=2")
	forwarded := http.Header{"X-Forwarded-Host": {"twilio.bank.example"}, "X-Forwarded-Proto": {"https"}}
	crawl("127.0.0.1:8281", "https://twilio.bank.example", forwarded, "/v2/Services?PageSize=1", "/v1/Credentials?PageSize=2", "/v1/Alerts?PageSize=4")
	crawl("notify.twilio.com", "http://notify.twilio.com", http.Header{}, "/v1/Credentials?PageSize=4")
	crawl("conversations.twilio.com", "http://conversations.twilio.com", http.Header{}, "/v1/Credentials")
	crawl("monitor.twilio.com", "http://monitor.twilio.com", http.Header{}, "/v1/Alerts?PageSize=7&LogLevel=error")
	crawl("events.twilio.com", "http://events.twilio.com", http.Header{}, "/v1/Sinks", "/v1/Subscriptions")
}

// TestLoneForms are the forms of a request beside its body that clients get right or wrong in many ways.
func TestLoneForms(t *testing.T) {
	c := frozen(t)
	service := c.newService()
	for _, path := range []string{"/v2/Services/" + service, "/v2/Services?PageSize=1000", "/v2/Services?Nothing=1&PageSize=1", "/v2/Services?PageSize=1&PageSize=2"} {
		a := c.ok("GET", path)
		if got := a.header.Get("Content-Type"); got != "application/json; charset=utf-8" {
			t.Errorf("%s: Content-Type %q", path, got)
		}
		head := c.do("HEAD", path)
		if head.status != 200 || head.raw != "" || head.header.Get("Content-Length") != a.header.Get("Content-Length") {
			t.Errorf("HEAD %s: %d %q %v", path, head.status, head.raw, head.header)
		}
	}
	for _, path := range []string{"/v2/Services/", "/v2/Services.json", "//v2/Services", "/v2//Services", "/v2/./Services", "/v2/Services/../Services", "/v2/Services/%2e%2e/Services",
		"/V2/Services", "/v2/services", "/", "/favicon.ico", "/v2/Services/" + service[:33], "/v2/Services/" + service + "x"} {
		c.refused(404, 20404, "GET", path)
	}
	for path, code := range map[string]int{"/v2/Services?PageSize=0": 60373, "/v2/Services?PageSize=1001": 20007, "/v2/Services?PageSize=": 60373, "/v2/Services?PageToken=x": 60374,
		"/v1/Credentials?PageSize=0": 20001, "/v1/Alerts?PageSize=1001": 20007, "/v1/Alerts?PageToken=x": 21481} {
		c.refused(400, code, "GET", path)
	}
	for _, method := range []string{"PUT", "PATCH", "OPTIONS", "DELETE"} {
		c.refused(405, 20004, method, "/v2/Services")
	}
	if a := c.do("DELETE", "/v2/Services/"+service); a.status != 204 || a.raw != "" || a.header.Get("Content-Type") != "" {
		t.Errorf("a delete gave %d %q %v", a.status, a.raw, a.header)
	}
}
