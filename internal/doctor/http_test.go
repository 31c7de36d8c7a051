package doctor_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// newForm makes a request as the account itself.
func newForm(ctx context.Context, address string, form url.Values) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(simulator.DefaultAccountSID, simulator.DefaultAuthToken)
	return req, nil
}

func decodeSID(t *testing.T, body io.Reader) string {
	t.Helper()
	var made struct {
		SID string `json:"sid"`
	}
	if err := json.NewDecoder(body).Decode(&made); err != nil {
		t.Fatal(err)
	}
	return made.SID
}
