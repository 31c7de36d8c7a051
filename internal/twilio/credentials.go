package twilio

import (
	"context"
	"iter"

	conversationsv1 "github.com/twilio/twilio-go/rest/conversations/v1"
	notifyv1 "github.com/twilio/twilio-go/rest/notify/v1"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// What [verify.Credential.ReadFrom] says.
const (
	readFromNotify        = "notify"
	readFromConversations = "conversations"
)

// credentialsPath is where both APIs have push credentials.
const credentialsPath = "/v1/Credentials"

// credentialProduct gives the product whose API a credential was read from.
func credentialProduct(readFrom string) string {
	if readFrom == readFromConversations {
		return productConversations
	}
	return productNotify
}

// largestConversationsPage is twilio_conversations_v1.json's, ListCredential, PageSize.
const largestConversationsPage = 100

// Credentials lists the push credentials of the account (ListCredential). They are read from Notify, to which Verify's
// documents point; where Notify does not answer, which ends on 2027-10-31 (Twilio's changelog, 2026-11-18), from
// Conversations. The two are never mixed in one list.
func (c *Client) Credentials(ctx context.Context) iter.Seq2[verify.Credential, error] {
	return func(yield func(verify.Credential, error) bool) {
		begun := false
		for credential, err := range c.credentialsFrom(ctx, readFromNotify) {
			if err != nil && !begun && mayFallBack(err) && c.yieldConversations(ctx, yield) {
				return
			}
			begun = true
			if !yield(credential, err) {
				return
			}
		}
	}
}

// yieldConversations gives Conversations' list instead of Notify's. It tells whether it did: a list that fails at once
// gives nothing, and Notify's own error stands.
func (c *Client) yieldConversations(ctx context.Context, yield func(verify.Credential, error) bool) (begun bool) {
	for credential, err := range c.credentialsFrom(ctx, readFromConversations) {
		if err != nil && !begun {
			return false
		}
		begun = true
		if !yield(credential, err) {
			break
		}
	}
	return true
}

func (c *Client) credentialsFrom(ctx context.Context, api string) iter.Seq2[verify.Credential, error] {
	l := listing{what: "list the push credentials", array: "credentials"}
	l.page = func(call *call, at cursor) error {
		_, err := call.notify().PageCredential(&notifyv1.ListCredentialParams{PageSize: &c.pageSize}, at.token, at.page)
		return err
	}
	if size := min(c.pageSize, largestConversationsPage); api == readFromConversations {
		l.page = func(call *call, at cursor) error {
			_, err := call.conversations().PageCredential(&conversationsv1.ListCredentialParams{PageSize: &size}, at.token, at.page)
			return err
		}
	}
	return func(yield func(verify.Credential, error) bool) {
		for credential, err := range all[verify.Credential](ctx, c, l) {
			if err == nil {
				credential.ReadFrom = api
			}
			if !yield(credential, err) {
				return
			}
		}
	}
}

// Credential reads one push credential (FetchCredential), from Notify or, when Notify does not answer with it, from
// Conversations. The error is Notify's when neither does. That they hold the same credentials is not documented, so a
// credential counts as missing only when Notify says so.
func (c *Client) Credential(ctx context.Context, credential verify.CredentialSID) (verify.Credential, error) {
	call := c.begin(ctx, "read push credential %s", credential)
	found, notifyErr := fetch[verify.Credential](call, string(credential), func() error {
		_, err := call.notify().FetchCredential(segment(call, credential))
		return err
	})
	if notifyErr == nil {
		found.ReadFrom = readFromNotify
		return found, nil
	}
	if !mayFallBack(notifyErr) {
		return verify.Credential{}, notifyErr
	}
	call = c.begin(ctx, "read push credential %s from Conversations", credential)
	found, err := fetch[verify.Credential](call, string(credential), func() error {
		_, err := call.conversations().FetchCredential(segment(call, credential))
		return err
	})
	if err != nil {
		return verify.Credential{}, notifyErr
	}
	found.ReadFrom = readFromConversations
	return found, nil
}

// mayFallBack tells whether another API could do better: not when nothing was sent, the caller gave up or a limit was
// met, which the account's products share.
func mayFallBack(err error) bool {
	switch verify.KindOf(err) {
	case verify.KindUsage, verify.KindRefused, verify.KindInterrupted, verify.KindLimit:
		return false
	}
	return true
}
