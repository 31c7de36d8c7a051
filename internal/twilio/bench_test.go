package twilio

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	twilio "github.com/twilio/twilio-go/client"
	verifyv2 "github.com/twilio/twilio-go/rest/verify/v2"
)

// elsewhere sends what twilio-go means for Twilio to a server on loopback.
type elsewhere struct{ host string }

func (e elsewhere) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = "http", e.host
	return http.DefaultTransport.RoundTrip(r)
}

// BenchmarkCalls compares this package with twilio-go as it comes, in one run against one server.
func BenchmarkCalls(b *testing.B) {
	rows := make([]string, 1000)
	for i := range rows {
		rows[i] = strings.Replace(factorJSON, hex32, fmt.Sprintf("%032d", i), 1)
	}
	thousand := page("factors", rows, "")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/Factors") {
			send(w, 200, thousand)
			return
		}
		send(w, 200, factorJSON)
	}))
	defer server.Close()
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	at, err := url.Parse(server.URL)
	if err != nil {
		b.Fatal(err)
	}
	stock := verifyv2.NewApiService(&twilio.RequestHandler{Client: &twilio.Client{
		Credentials: twilio.NewCredentials(string(account), password), HTTPClient: &http.Client{Transport: elsewhere{at.Host}},
	}})
	ours, err := New(Options{Username: string(account), Password: password, BaseURL: server.URL})
	if err != nil {
		b.Fatal(err)
	}
	defer ours.Close()

	b.Run("fetch/stock", func(b *testing.B) {
		for b.Loop() {
			if _, err := stock.FetchFactor(string(service), string(user), string(factor)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("fetch/ours", func(b *testing.B) {
		for b.Loop() {
			if _, err := ours.Factor(b.Context(), service, user, factor); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("list1000/stock", func(b *testing.B) {
		for b.Loop() {
			if got, err := stock.ListFactor(string(service), string(user), &verifyv2.ListFactorParams{}); err != nil || len(got) != 1000 {
				b.Fatal(len(got), err)
			}
		}
	})
	b.Run("list1000/ours", func(b *testing.B) {
		for b.Loop() {
			if got, err := collect(ours.Factors(b.Context(), service, user)); err != nil || len(got) != 1000 {
				b.Fatal(len(got), err)
			}
		}
	})
}
