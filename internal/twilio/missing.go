package twilio

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// notThere is the cause of an error about a 404: the request that met it.
type notThere struct{ request }

func (notThere) Error() string { return "404" }

// Missing is what was not found: the innermost thing that is named. What stands around it is there.
type Missing struct {
	Service  verify.ServiceSID
	Identity verify.Identity
	SID      string // of a factor, a challenge, a webhook or a push credential
}

// Missing tells what a 404 was about: a factor that Twilio does not find may be missing, or its identity, or the Service. It
// asks for what stands around it, from the innermost outwards, until something is there. ok is false for other errors,
// and when that cannot be told.
func (c *Client) Missing(ctx context.Context, err error) (m Missing, ok bool) {
	var cause notThere
	if verify.KindOf(err) != verify.KindNotFound || !errors.As(err, &cause) {
		return Missing{}, false
	}
	parts := strings.Split(strings.Trim(cause.path, "/"), "/") // v2, Services, VA…, Entities, identity, …
	if len(parts) < 3 || !slices.Contains([]string{"Services", "Credentials", "Alerts"}, parts[1]) {
		return Missing{}, false
	}
	around := len(parts) - 2
	if len(parts)%2 == 0 { // it ends with a list, and what the list is of may be missing
		around = len(parts) - 1
	}
	for end := around; end >= 3; end -= 2 {
		there, known := c.isThere(ctx, cause.request, parts[:end])
		if !known || there && end+2 > len(parts) {
			return Missing{}, false
		}
		if there {
			return missingAt(parts[:end+2]), true
		}
	}
	return missingAt(parts[:3]), true
}

// isThere reads what a path names.
func (c *Client) isThere(ctx context.Context, like request, path []string) (there, known bool) {
	call := c.begin(ctx, "read %s", path[len(path)-1])
	call.decode = func([]byte) error { return nil }
	err := call.send(like.product, http.MethodGet, "/"+strings.Join(path, "/"), nil)
	return err == nil, err == nil || verify.KindOf(err) == verify.KindNotFound
}

// missingAt names what stands at the end of a path.
func missingAt(path []string) (m Missing) {
	for i := 1; i+1 < len(path); i += 2 {
		name, err := url.PathUnescape(path[i+1])
		if err != nil {
			return Missing{}
		}
		switch path[i] {
		case "Services":
			m.Service = verify.ServiceSID(name)
		case "Entities":
			m.Identity = verify.Identity(name)
		default:
			m.SID = name
		}
	}
	return m
}
