package twilio

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func entityRow(n int) string {
	return fmt.Sprintf(`{"sid":"YE%032d","identity":"user-%04d","account_sid":"%s","service_sid":"%s","date_created":"2026-01-02T03:04:05Z","date_updated":"2026-01-02T03:04:05Z"}`, n, n, account, service)
}

// pagesOf answers with entities 1 to n, two to a page, the page tokens made by token.
func pagesOf(n int, token func(page int) string) answer {
	return func(w http.ResponseWriter, r *http.Request, _ int) {
		at := 0
		for p := range n {
			if r.Form.Get("PageToken") == token(p) {
				at = p
			}
		}
		var rows []string
		for i := at*2 + 1; i <= min(at*2+2, n); i++ {
			rows = append(rows, entityRow(i))
		}
		next := ""
		if at*2+2 < n {
			next = fmt.Sprintf("http://%s%s?PageSize=2&Page=%d&PageToken=%s", r.Host, r.URL.Path, at+1, token(at+1))
		}
		send(w, 200, page("entities", rows, next))
	}
}

func TestListsReadEveryPage(t *testing.T) {
	token := func(p int) string { // the digits after a dot are what twilio-go would drop
		if p == 0 {
			return ""
		}
		return fmt.Sprintf("PT.12.ab.%d", p)
	}
	w := newWorld(t, pagesOf(5, token))
	got, err := collect(w.Entities(t.Context(), service))
	if err != nil || len(got) != 5 || got[4].Identity != "user-0005" {
		t.Errorf("got %d entities, %v: %v", len(got), err, got)
	}
	base := "GET /v2/Services/" + string(service) + "/Entities?"
	want := []string{base + "PageSize=1000", base + "Page=1&PageSize=1000&PageToken=PT.12.ab.1", base + "Page=2&PageSize=1000&PageToken=PT.12.ab.2"}
	if diff := cmp.Diff(want, w.sightings()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}

	for range w.Entities(t.Context(), service) {
		break // leaves nothing behind, which TestMain checks, and reads no second page
	}
	w.wantRequests(t, 4)
}

func TestCrawlResumesFromACursor(t *testing.T) {
	w := newWorld(t, pagesOf(5, func(p int) string { return strings.Repeat("PT.7", p) }))
	var crawled []verify.Identity
	at := ""
	for range 10 {
		page, next, err := w.EntityPage(t.Context(), service, at, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			crawled = append(crawled, e.Identity)
		}
		if at = next; at == "" {
			break
		}
	}
	if want := []verify.Identity{"user-0001", "user-0002", "user-0003", "user-0004", "user-0005"}; !cmp.Equal(want, crawled) {
		t.Errorf("crawled %v", crawled)
	}
	for _, bad := range []string{"%", "hello", "Page=1&x=2", "PageToken=a&PageToken=b", "?Page=1"} {
		_, _, err := w.EntityPage(t.Context(), service, bad, 2)
		wantError(t, err, verify.KindUsage)
	}
	for _, size := range []int{0, -1, 1001} {
		_, _, err := w.EntityPage(t.Context(), service, "", size)
		wantError(t, err, verify.KindUsage)
	}
}

// TestNextPageElsewhere is promise 2 for paging links.
func TestNextPageElsewhere(t *testing.T) {
	for _, tc := range []struct {
		link string
		kind verify.Kind // KindInterrupted stands for "followed"
	}{
		{"https://evil.example/v2/Services?Page=1&PageToken=PT1", verify.KindRefused},
		{"//evil.example/v2/Services?Page=1&PageToken=PT1", verify.KindRefused},
		{"https://verify.twilio.com.evil.example/?Page=1&PageToken=PT1", verify.KindRefused},
		{"https://verify.twilio.com@evil.example/?Page=1&PageToken=PT1", verify.KindRefused},
		{"https://x:y@verify.twilio.com/?Page=1&PageToken=PT1", verify.KindRefused},
		{"https://notify.twilio.com/?Page=1&PageToken=PT1", verify.KindRefused},
		{"https://verify.twilio.com/v2/Services?Page=1&PageToken=PT1", verify.KindInterrupted}, // of a proxy of Twilio
		{"/v2/Services?Page=1&PageToken=PT1", verify.KindInterrupted},
		{"https://verify.twilio.com/v2/Services", verify.KindFailed},
		{"https://verify.twilio.com/v2/Services?Page=one", verify.KindFailed},
		{"https://[::1/?Page=1", verify.KindFailed},
	} {
		t.Run(tc.link, func(t *testing.T) {
			w := newWorld(t, inTurn(says(200, page("entities", []string{entityRow(1)}, tc.link)), says(200, page("entities", []string{entityRow(2)}, ""))))
			got, err := collect(w.Entities(t.Context(), service))
			if tc.kind == verify.KindInterrupted {
				if err != nil || len(got) != 2 {
					t.Errorf("got %d entities, %v", len(got), err)
				}
				return
			}
			wantError(t, err, tc.kind)
			if len(got) != 1 {
				t.Errorf("the %d entities that were read are kept", len(got))
			}
			w.wantRequests(t, 1)
		})
	}
}

func TestEndlessListsEnd(t *testing.T) {
	link := func(n int) string { return fmt.Sprintf("/v2/Services?Page=%d&PageToken=PT%d", n, n) }
	for name, reply := range map[string]answer{
		"the same next page": says(200, page("entities", []string{entityRow(1)}, link(1))),
		"two pages in turn": func(w http.ResponseWriter, _ *http.Request, n int) {
			send(w, 200, page("entities", []string{entityRow(n)}, link(n%2+1)))
		},
		"ever new empty pages": func(w http.ResponseWriter, _ *http.Request, n int) {
			send(w, 200, page("entities", nil, link(n)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, reply)
			_, err := collect(w.Entities(t.Context(), service))
			if e := wantError(t, err, verify.KindFailed); !strings.Contains(e.Message, "never ends") {
				t.Errorf("got %v", e)
			}
		})
	}
	w := newWorld(t, says(200, page("entities", []string{entityRow(1)}, link(1))))
	_, next, err := w.EntityPage(t.Context(), service, "", 2)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = w.EntityPage(t.Context(), service, next, 2)
	wantError(t, err, verify.KindFailed)
}

// TestNothingPassesForTheEnd: a list is complete only when Twilio says so.
func TestNothingPassesForTheEnd(t *testing.T) {
	good := entityRow(1)
	for _, tc := range []struct {
		name, body string
		rows       int
		kind       verify.Kind
	}{
		{"an empty object", `{}`, 0, verify.KindFailed},
		{"null", `null`, 0, verify.KindFailed},
		{"a list", `[]`, 0, verify.KindFailed},
		{"nothing", ``, 0, verify.KindUnreachable},
		{"HTML", `<html>Welcome to the hotel</html>`, 0, verify.KindUnreachable},
		{"no rows", `{"meta":{"next_page_url":null}}`, 0, verify.KindFailed},
		{"no meta", `{"entities":[` + good + `]}`, 1, verify.KindFailed},
		{"meta of another kind", `{"entities":[],"meta":"x"}`, 0, verify.KindFailed},
		{"rows of another kind", `{"entities":{},"meta":{}}`, 0, verify.KindFailed},
		{"rows null", `{"entities":null,"meta":{}}`, 0, verify.KindFailed},
		{"another array", `{"services":[],"meta":{}}`, 0, verify.KindFailed},
		{"a row that is null", page("entities", []string{good, "null", good}, ""), 1, verify.KindFailed},
		{"a row without a sid", page("entities", []string{good, `{"identity":"x"}`}, ""), 1, verify.KindFailed},
		{"a row that is a number", page("entities", []string{good, "7"}, ""), 1, verify.KindFailed},
		{"a date that is none", page("entities", []string{good, strings.Replace(good, "2026-01-02T03:04:05Z", "yesterday", 1)}, ""), 1, verify.KindFailed},
		{"cut off", `{"entities":[` + good + `,{"sid":"YE`, 1, verify.KindUnreachable},
		{"two objects", page("entities", []string{good}, "") + `{}`, 1, verify.KindUnreachable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, says(200, tc.body))
			got, err := collect(w.Entities(t.Context(), service))
			e := wantError(t, err, tc.kind)
			if len(got) != tc.rows {
				t.Errorf("got %d rows, want the %d good ones before it", len(got), tc.rows)
			}
			if e.HTTPStatus != 200 || e.RequestID == "" {
				t.Errorf("status %d, request %q", e.HTTPStatus, e.RequestID)
			}
		})
	}
}

func TestErrorOnALaterPageKeepsTheRows(t *testing.T) {
	w := newWorld(t, inTurn(says(200, page("entities", []string{entityRow(1), entityRow(2)}, "/x?Page=1&PageToken=PT1")), failed(403, 20006)))
	got, err := collect(w.Entities(t.Context(), service))
	wantError(t, err, verify.KindAuth)
	if len(got) != 2 {
		t.Errorf("got %d entities, want the 2 of the first page", len(got))
	}
}

func TestFiltersGoWithEveryPage(t *testing.T) {
	w := newWorld(t, inTurn(says(200, page("challenges", []string{challengeJSON}, "/x?Page=1&PageToken=PT1")), says(200, page("challenges", nil, ""))))
	got, err := collect(w.Challenges(t.Context(), service, user, verify.ChallengeFilter{FactorSID: factor, Status: verify.ChallengePending, Newest: true}))
	if err != nil || len(got) != 1 {
		t.Fatalf("got %v, %v", got, err)
	}
	for _, s := range w.seen {
		for _, want := range []string{"FactorSid=" + string(factor), "Status=pending", "Order=desc"} {
			if !strings.Contains(s.uri, want) {
				t.Errorf("%s is missing in %s", want, s)
			}
		}
	}
}

func TestListEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w := newWorld(t, says(200, page("entities", []string{entityRow(1)}, "/x?Page=1&PageToken=PT1")))
	var err error
	for _, e := range w.Entities(ctx, service) {
		cancel()
		err = e
	}
	wantError(t, err, verify.KindInterrupted)
	w.wantRequests(t, 1)
}

func FuzzPage(f *testing.F) {
	for _, s := range []string{page("entities", []string{entityRow(1)}, "/x?Page=1"), `{}`, `{"entities":[{}],"meta":{"next_page_url":7}}`, `null`, `{"entities":[`, `{"next_page_uri":null,"entities":[]}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		p := pageOf[verify.Entity]{array: "entities"}
		if err := p.decode([]byte(body)); err != nil {
			return
		}
		if !strings.Contains(body, "entities") && !strings.Contains(body, `\u`) {
			t.Fatalf("%q passes for a page of entities", body)
		}
	})
}

func FuzzNextPage(f *testing.F) {
	for _, s := range []string{"https://verify.twilio.com/v2/Services?Page=1&PageToken=PT1", "//evil.example?Page=1", "?Page=1", "https://verify.twilio.com:443/?Page=2"} {
		f.Add(s)
	}
	c, err := New(Options{Username: string(account), Password: password})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, link string) {
		at, err := c.follow(productVerify, link)
		if err != nil {
			if at != (cursor{}) {
				t.Fatalf("%q gives %v with %v", link, at, err)
			}
			return
		}
		if led, err := c.hosts.base(productVerify).Parse(link); err != nil || led.Hostname() != "" && !strings.EqualFold(led.Hostname(), "verify.twilio.com") || led.User != nil {
			t.Fatalf("%q is accepted", link)
		}
		if back, err := parseCursor(at.String()); err != nil || back != at {
			t.Fatalf("the cursor %q is read back as %v, %v", at, back, err)
		}
	})
}
