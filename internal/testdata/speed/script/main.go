// The script that people write instead of "verifyctl factors list IDENTITY" and of a list with deletes.
//
//	script BASE_URL VA… IDENTITY          prints the factors
//	script BASE_URL VA… IDENTITY delete   prints and deletes them
package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"

	"github.com/twilio/twilio-go/client"
	verify "github.com/twilio/twilio-go/rest/verify/v2"
)

// local sends what is meant for Twilio to the simulator.
type local struct{ base *url.URL }

func (l local) RoundTrip(r *http.Request) (*http.Response, error) {
	r.URL.Scheme, r.URL.Host = l.base.Scheme, l.base.Host
	return http.DefaultTransport.RoundTrip(r)
}

func main() {
	base, err := url.Parse(os.Args[1])
	check(err)
	c := &client.Client{
		Credentials: client.NewCredentials(os.Getenv("TWILIO_ACCOUNT_SID"), os.Getenv("TWILIO_AUTH_TOKEN")),
		HTTPClient:  &http.Client{Transport: local{base}},
	}
	c.SetAccountSid(os.Getenv("TWILIO_ACCOUNT_SID"))
	api := verify.NewApiService(&client.RequestHandler{Client: c})
	factors, err := api.ListFactor(os.Args[2], os.Args[3], &verify.ListFactorParams{})
	check(err)
	for _, f := range factors {
		fmt.Println(*f.Sid, *f.FriendlyName, *f.Status)
		if len(os.Args) > 4 {
			check(api.DeleteFactor(os.Args[2], os.Args[3], *f.Sid))
		}
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
