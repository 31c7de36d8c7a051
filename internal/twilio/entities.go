package twilio

import (
	"context"
	"iter"

	verifyv2 "github.com/twilio/twilio-go/rest/verify/v2"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func entityList(service verify.ServiceSID, pageSize int) listing {
	return listing{what: "list the entities of Service " + string(service), array: "entities", page: func(call *call, at cursor) error {
		_, err := call.verify().PageEntity(segment(call, service), &verifyv2.ListEntityParams{PageSize: &pageSize}, at.token, at.page)
		return err
	}}
}

// Entities lists the entities of a Service (ListEntity).
func (c *Client) Entities(ctx context.Context, service verify.ServiceSID) iter.Seq2[verify.Entity, error] {
	return all[verify.Entity](ctx, c, entityList(service, c.pageSize))
}

// EntityPage reads one page of the entities of a Service, for a crawl that can be resumed (ListEntity). The empty cursor
// is the first page, an empty next one says that there are no more. The size is 1 to 1000.
func (c *Client) EntityPage(ctx context.Context, service verify.ServiceSID, at string, pageSize int) (page []verify.Entity, next string, err error) {
	from, err := parseCursor(at)
	if err != nil {
		return nil, "", err
	}
	if pageSize < 1 || pageSize > largestPage {
		return nil, "", verify.Usagef("a page of entities has 1 to %d, not %d", largestPage, pageSize)
	}
	page, following, err := readPage[verify.Entity](ctx, c, entityList(service, pageSize), from)
	switch {
	case err != nil:
		return nil, "", err
	case following == from && following != (cursor{}):
		return nil, "", &verify.Error{Kind: verify.KindFailed, Message: "cannot list the entities: the list never ends, its pages repeat"}
	}
	return page, following.String(), nil
}

// Entity reads one entity (FetchEntity).
func (c *Client) Entity(ctx context.Context, service verify.ServiceSID, identity verify.Identity) (verify.Entity, error) {
	call := c.begin(ctx, "read entity %s", named(identity)).about(identity)
	return fetch[verify.Entity](call, "", func() error {
		_, err := call.verify().FetchEntity(segment(call, service), segment(call, identity))
		return err
	})
}
