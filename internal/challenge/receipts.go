package challenge

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// The limits of a receipt request.
const (
	maxReceiptBody  = 4 << 10
	minSecretLength = 16
)

// ReceiptBook keeps receipts, durably on return. Recording one twice keeps the first.
type ReceiptBook interface {
	RecordReceipt(context.Context, verify.Receipt) error
}

// receiptSource is the source of the receipts that a [ReceiptHandler] keeps.
const receiptSource = "http"

// ReceiptHandler accepts "the phone has it" from an app or a backend, as Twilio's Verify Push best practices advise
// ("Have the app send a confirmation to the customer backend"). A request is
//
//	POST, Authorization: Bearer SECRET, and {"challenge_sid": "YC…"} as JSON or as a form
//
// and is answered 204 once the receipt is kept. Everything else is refused with a line of plain text that repeats
// nothing of the request.
type ReceiptHandler struct {
	book     ReceiptBook
	clock    clock
	secret   [sha256.Size]byte
	Received func(verify.ChallengeSID) // told after each receipt kept; may be nil
}

// NewReceiptHandler makes a handler. A secret shorter than 16 characters is refused, the empty one too.
func NewReceiptHandler(book ReceiptBook, clock clock, secret string) (*ReceiptHandler, error) {
	if len(secret) < minSecretLength {
		return nil, verify.Usagef("the shared secret for receipts has %d characters, at least %d are needed", len(secret),
			minSecretLength)
	}
	return &ReceiptHandler{book: book, clock: clock, secret: sha256.Sum256([]byte(secret))}, nil
}

// ServeHTTP takes one receipt.
func (h *ReceiptHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "a receipt is a POST", http.StatusMethodNotAllowed)
		return
	case !h.isAuthorized(r):
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "the shared secret is missing or wrong", http.StatusUnauthorized)
		return
	}
	sid, err := readReceipt(http.MaxBytesReader(w, r.Body, maxReceiptBody), r.Header.Get("Content-Type"))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		http.Error(w, "the receipt is too large", http.StatusRequestEntityTooLarge)
		return
	case err != nil:
		http.Error(w, "the receipt needs a challenge_sid, YC and 32 hexadecimal digits, as JSON or as a form",
			http.StatusBadRequest)
		return
	}
	receipt := verify.Receipt{ChallengeSID: sid, At: h.clock.Now(), Source: receiptSource}
	if err := h.book.RecordReceipt(r.Context(), receipt); err != nil {
		http.Error(w, "the receipt could not be kept, send it again", http.StatusServiceUnavailable)
		return
	}
	if h.Received != nil {
		h.Received(sid)
	}
	w.WriteHeader(http.StatusNoContent)
}

// isAuthorized compares hashes, so that neither the secret's text nor its length can be found by timing.
func (h *ReceiptHandler) isAuthorized(r *http.Request) bool {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	sum := sha256.Sum256([]byte(given))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(sum[:], h.secret[:]) == 1
}

func readReceipt(body io.Reader, contentType string) (verify.ChallengeSID, error) {
	text, err := io.ReadAll(body)
	if err != nil {
		return "", err
	}
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return "", err
	}
	switch mediaType {
	case "application/json":
		var receipt struct {
			ChallengeSID string `json:"challenge_sid"`
		}
		if err := json.Unmarshal(text, &receipt); err != nil {
			return "", err
		}
		return verify.ParseChallengeSID(receipt.ChallengeSID)
	case "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(text))
		if err != nil {
			return "", err
		}
		return verify.ParseChallengeSID(form.Get("challenge_sid"))
	}
	return "", fmt.Errorf("a receipt is not written as %s", mediaType)
}
