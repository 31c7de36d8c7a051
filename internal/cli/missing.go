package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/verifyctl/verifyctl/internal/twilio"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// nameMissing makes a "not found" say what was not found, and where to look: the factor of an identity that is there is
// another matter than an identity that is not. It holds for every command, which is why it comes after all of them.
func (s *shell) nameMissing(ctx context.Context, err error) {
	var e *verify.Error
	if ctx.Err() != nil || !errors.As(err, &e) || e.Kind != verify.KindNotFound {
		return
	}
	for _, c := range s.opened.byName {
		m, ok := c.client.Missing(ctx, e)
		if ok && (m.Service == "" || verify.SameSID(m.Service, c.service()) || len(s.opened.byName) == 1) {
			e.Message, e.Hint = c.missing(m)
			return
		}
	}
}

// missing words what is not there, and how to see what is.
func (c *connection) missing(m twilio.Missing) (message, hint string) {
	see := func(words ...string) string { return "see what there is: " + c.env.Command(words...) }
	prefix := m.SID[:min(len(m.SID), 2)]
	noun := map[string]string{"YF": "factor", "YC": "challenge", "YW": "webhook", "CR": "push credential", "NO": "alert"}[prefix]
	switch {
	case m.SID != "" && m.Identity != "":
		lists := map[string]string{"YF": "factors", "YC": "challenge"}
		return fmt.Sprintf("%s is in %s, but has no %s %s", m.Identity, c.label(), noun, m.SID), see(lists[prefix], "list", string(m.Identity))
	case m.SID != "" && m.Service != "":
		return fmt.Sprintf("Service %s of %s has no %s %s", m.Service, c.label(), noun, m.SID), ""
	case prefix == "CR":
		return fmt.Sprintf("%s has no push credential %s", c.account(), m.SID), see("credentials", "list")
	case m.SID != "":
		return fmt.Sprintf("%s has no %s %s", c.account(), noun, m.SID), ""
	case m.Identity != "":
		hint := "check the environment and the spelling, including upper and lower case"
		if prefix, isSID := verify.SIDPrefix(string(m.Identity)); isSID && verify.ResourceName(prefix) != "" {
			hint = "that looks like " + verify.WithArticle(verify.ResourceName(prefix)) +
				" SID; use the identity instead, which is what your backend calls the user"
		}
		return fmt.Sprintf("%s is not in %s", m.Identity, c.label()), hint + "; see " + c.env.Command("entities", "list")
	}
	return fmt.Sprintf("%s has no Service %s", c.account(), m.Service), see("services", "list")
}

// notFound is the error of a thing that is not there.
func notFound(format string, args ...any) *verify.Error {
	return &verify.Error{Kind: verify.KindNotFound, Message: fmt.Sprintf(format, args...)}
}
