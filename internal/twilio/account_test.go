package twilio

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func TestWhatAnAccountTells(t *testing.T) {
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		switch r.URL.Path {
		case "/2010-04-01/Accounts/" + string(account) + ".json":
			send(w, 200, `{"sid":"`+string(account)+`","owner_account_sid":"`+string(account)+`","friendly_name":"Bank","status":"active","type":"Full","date_created":"Tue, 09 Feb 2010 01:23:53 +0000"}`)
		case "/2010-04-01/Accounts/" + string(account) + "/Usage/Records.json":
			if r.Form.Get("Page") == "" {
				send(w, 200, `{"usage_records":[{"category":"verify-push","count":"12","count_unit":"approvals","start_date":"2026-11-01","end_date":"2026-11-23"}],"page":0,"next_page_uri":"`+r.URL.Path+`?Category=verify-push&Page=1&PageToken=PT1"}`)
				return
			}
			send(w, 200, `{"usage_records":[{"category":"verify-push","count":null}],"page":1,"next_page_uri":null}`)
		case "/v1/Keys":
			send(w, 200, page("keys", []string{`{"sid":"SK` + hex32 + `","friendly_name":"ci","date_created":"Tue, 09 Feb 2010 01:23:53 +0000","date_updated":"2010-02-09T01:23:53Z"}`}, ""))
		case "/v1/Subscriptions":
			send(w, 200, page("subscriptions", []string{`{"sid":"DF` + hex32 + `","account_sid":"` + string(account) + `","sink_sid":"DG1","description":"errors"}`}, ""))
		case "/v1/Subscriptions/DF" + hex32 + "/SubscribedEvents":
			send(w, 200, page("types", []string{`{"subscription_sid":"DF` + hex32 + `","type":"` + verify.EventErrorLogged + `","schema_version":2}`}, ""))
		case "/v1/Sinks":
			send(w, 200, page("sinks", []string{`{"sid":"DG1","sink_type":"webhook","status":"active","sink_configuration":{"destination":"https://x:y@bank.example"}}`}, ""))
		case "/v1/Events":
			send(w, 200, page("events", []string{`{"sid":"AE` + hex32 + `","event_type":"service.updated","event_date":"2026-11-23T09:00:00Z","resource_sid":"` + string(service) + `","actor_type":"user","source":"web"}`}, ""))
		default:
			send(w, 404, `{"code":20404,"message":"no"}`)
		}
	})
	ctx := t.Context()
	if a, err := w.Account(ctx, account); err != nil || a.Status != "active" || a.Type != "Full" {
		t.Errorf("account: %+v, %v", a, err)
	}
	start := time.Date(2026, 11, 1, 23, 0, 0, 0, time.UTC)
	usage, err := collect(w.UsageRecords(ctx, account, verify.UsageVerifyPush, start, start.AddDate(0, 0, 22)))
	if err != nil || len(usage) != 2 || usage[0].Count != 12 {
		t.Errorf("usage: %+v, %v", usage, err)
	}
	if uri := w.last(t).uri; !strings.Contains(uri, "Category=verify-push&EndDate=2026-11-23&Page=1&PageSize=1000&PageToken=PT1&StartDate=2026-11-01") {
		t.Errorf("usage is asked for by %s", uri)
	}
	keys, err := collect(w.Keys(ctx, account))
	if err != nil || len(keys) != 1 || !keys[0].DateCreated.Equal(keys[0].DateUpdated) || keys[0].DateCreated.IsZero() {
		t.Errorf("keys: %+v, %v", keys, err)
	}
	if subs, err := collect(w.Subscriptions(ctx)); err != nil || len(subs) != 1 || subs[0].SinkSID != "DG1" {
		t.Errorf("subscriptions: %+v, %v", subs, err)
	}
	if types, err := collect(w.SubscribedEvents(ctx, "DF"+hex32)); err != nil || len(types) != 1 || types[0].Type != verify.EventErrorLogged {
		t.Errorf("types: %+v, %v", types, err)
	}
	if sinks, err := collect(w.Sinks(ctx)); err != nil || !cmp.Equal(sinks, []verify.EventSink{{SID: "DG1", Type: "webhook", Status: verify.SinkActive}}) {
		t.Errorf("sinks: %+v, %v", sinks, err)
	}
	events, err := collect(w.AuditEvents(ctx, verify.AuditFilter{ResourceSID: string(service), Start: start}))
	if err != nil || len(events) != 1 || events[0].EventType != "service.updated" {
		t.Errorf("events: %+v, %v", events, err)
	}
	if uri := w.last(t).uri; !strings.Contains(uri, "ResourceSid="+string(service)) || !strings.Contains(uri, "StartDate=2026-11-01T23%3A00%3A00Z") {
		t.Errorf("events are asked for by %s", uri)
	}
}

func TestSpansOfAlertsLoseNothing(t *testing.T) {
	w := newWorld(t, says(200, page("alerts", nil, "")))
	zone := time.FixedZone("", 2*3600)
	_, err := collect(w.Alerts(t.Context(), verify.AlertFilter{
		Start: time.Date(2026, 11, 23, 10, 0, 0, 999, zone), End: time.Date(2026, 11, 23, 11, 0, 0, 1, zone), LogLevel: "error",
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := "GET /v1/Alerts?EndDate=2026-11-23T09%3A00%3A01Z&LogLevel=error&PageSize=1000&StartDate=2026-11-23T08%3A00%3A00Z"
	if got := w.last(t).String(); got != want {
		t.Errorf("alerts are asked for by %s, want %s", got, want)
	}
}

func TestParametersAreCheckedBeforeAnyRequest(t *testing.T) {
	w := newWorld(t, says(200, "{}"))
	for _, ttl := range []time.Duration{-time.Second, 301 * time.Second} {
		_, err := w.CreateNotification(t.Context(), service, user, challenge, ttl)
		wantError(t, err, verify.KindUsage)
	}
	_, err := w.SetServiceCredential(t.Context(), service, verify.PlatformNone, cred)
	wantError(t, err, verify.KindUsage)
	_, err = w.SetServiceCredential(t.Context(), service, verify.PlatformAPN, "")
	wantError(t, err, verify.KindUsage)
	w.wantRequests(t, 0)
}

func TestProbe(t *testing.T) {
	w := newWorld(t, func(w http.ResponseWriter, _ *http.Request, n int) {
		w.Header().Set("Twilio-Request-Duration", "0.080")
		w.Header().Set("Date", "Mon, 23 Nov 2026 08:59:30 GMT")
		send(w, []int{200, 401, 429}[n-1], "{}")
	})
	p, err := w.Probe(t.Context(), "", 3)
	if err != nil || p.Error != "" || len(p.Samples) != 3 {
		t.Fatalf("%+v, %v", p, err)
	}
	if p.Host != w.Host() || p.Address == "" || !p.HasDate || p.Skew != 30*time.Second || p.Issuer != "" {
		t.Errorf("%+v", p)
	}
	for i, s := range p.Samples {
		if s.Reused != (i > 0) || s.Status != []int{200, 401, 429}[i] || !s.HasServer || s.Server != 80*time.Millisecond {
			t.Errorf("sample %d: %+v", i, s)
		}
	}
	for _, host := range []string{"evil.example", "verify.twilio.com.evil.example", "verify.twilio.com:8443", "verify.twilio.com/x", "x@verify.twilio.com", "verify.twilio.com#", "-.twilio.com"} {
		_, err := w.Probe(t.Context(), host, 1)
		wantError(t, err, verify.KindRefused)
	}
	w.wantRequests(t, 3)

	dead := newWorld(t, hangsUp)
	if p, err := dead.Probe(t.Context(), "", 3); err != nil || p.Error == "" || len(p.Samples) != 0 {
		t.Errorf("of a dead host: %+v, %v", p, err)
	}
	dead.wantRequests(t, 1)
}
