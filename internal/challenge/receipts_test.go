package challenge

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/verifyctl/verifyctl/internal/verify"
)

const (
	receiptSecret = "a-shared-secret-of-the-test"
	yc            = verify.ChallengeSID("YC" + hex31 + "1")
)

func receipt(body, contentType, authorization string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Authorization", authorization)
	return r
}

func TestReceiptsAreKeptOnlyWithTheSecret(t *testing.T) {
	const asJSON, asForm, bearer = "application/json", "application/x-www-form-urlencoded", "Bearer " + receiptSecret
	get := httptest.NewRequest(http.MethodGet, "/", nil)
	get.Header.Set("Authorization", bearer)
	for name, tc := range map[string]struct {
		request *http.Request
		status  int
	}{
		"JSON":                 {receipt(`{"challenge_sid":"`+string(yc)+`"}`, asJSON, bearer), 204},
		"JSON with a charset":  {receipt(`{"challenge_sid":"`+string(yc)+`"}`, "application/json; charset=utf-8", bearer), 204},
		"a form":               {receipt("challenge_sid="+string(yc), asForm, bearer), 204},
		"another scheme case":  {receipt("challenge_sid="+string(yc), asForm, "bearer "+receiptSecret), 204},
		"no secret":            {receipt("challenge_sid="+string(yc), asForm, ""), 401},
		"an empty secret":      {receipt("challenge_sid="+string(yc), asForm, "Bearer "), 401},
		"a wrong secret":       {receipt("challenge_sid="+string(yc), asForm, bearer+"x"), 401},
		"basic authentication": {receipt("challenge_sid="+string(yc), asForm, "Basic "+receiptSecret), 401},
		"a GET":                {get, 405},
		"no SID":               {receipt(`{}`, asJSON, bearer), 400},
		"a factor's SID":       {receipt("challenge_sid="+"YF"+hex31+"1", asForm, bearer), 400},
		"a list":               {receipt(`["`+string(yc)+`"]`, asJSON, bearer), 400},
		"no content type":      {receipt("challenge_sid="+string(yc), "", bearer), 400},
		"text":                 {receipt(string(yc), "text/plain", bearer), 400},
		"too much":             {receipt(`{"challenge_sid":"`+string(yc)+`","more":"`+strings.Repeat("x", 5000)+`"}`, asJSON, bearer), 413},
	} {
		book := newMemory()
		h, err := NewReceiptHandler(book, &virtualClock{now: noon}, receiptSecret)
		if err != nil {
			t.Fatal(err)
		}
		told := 0
		h.Received = func(verify.ChallengeSID) { told++ }
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, tc.request)
		kept := len(book.receipts[yc]) == 1
		if answer.Code != tc.status || kept != (tc.status == 204) || told == 1 != kept {
			t.Errorf("%s: status %d, kept %v, told %d times; want %d", name, answer.Code, kept, told, tc.status)
		}
	}
}

func TestReceiptThatCannotBeKeptIsAskedForAgain(t *testing.T) {
	book := newMemory()
	book.err = errors.New("disk full")
	h, _ := NewReceiptHandler(book, &virtualClock{now: noon}, receiptSecret)
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, receipt("challenge_sid="+string(yc), "application/x-www-form-urlencoded", "Bearer "+receiptSecret))
	if answer.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d, want 503", answer.Code)
	}
}

func TestReceiptsNeedARealSecret(t *testing.T) {
	for _, secret := range []string{"", "short"} {
		if h, err := NewReceiptHandler(newMemory(), &virtualClock{}, secret); h != nil || verify.KindOf(err) != verify.KindUsage {
			t.Errorf("the secret %q was taken: %v", secret, err)
		}
	}
}

func FuzzReadReceipt(f *testing.F) {
	f.Add(`{"challenge_sid":"`+string(yc)+`"}`, "application/json")
	f.Add("challenge_sid="+string(yc), "application/x-www-form-urlencoded")
	f.Add("challenge_sid=%zz;", "application/x-www-form-urlencoded")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, body, contentType string) {
		sid, err := readReceipt(strings.NewReader(body), contentType)
		if (err == nil) != (sid != "") {
			t.Fatalf("gave %q with %v", sid, err)
		}
		if _, parseErr := verify.ParseChallengeSID(string(sid)); err == nil && parseErr != nil {
			t.Fatalf("took %q", sid)
		}
	})
}
