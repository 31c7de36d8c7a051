package twilio

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// cursor names a page of a list: the Page and PageToken of the link to it. The zero cursor is the first page.
type cursor struct{ page, token string }

// parseCursor reads what [cursor.String] wrote.
func parseCursor(s string) (cursor, error) {
	values, err := url.ParseQuery(s)
	at := cursor{page: values.Get("Page"), token: values.Get("PageToken")}
	if err != nil || at.String() != s {
		return cursor{}, verify.Usagef("%q is not a place in a list to go on from", clip(s, 80))
	}
	return at, nil
}

// String gives "" for the first page.
func (at cursor) String() string {
	values := url.Values{}
	if at.page != "" {
		values.Set("Page", at.page)
	}
	if at.token != "" {
		values.Set("PageToken", at.token)
	}
	return values.Encode()
}

// emptyPages is how many pages without a row may follow each other before a list counts as endless.
const emptyPages = 100

// listing is a list operation.
type listing struct {
	what  string                         // completes "cannot …"
	array string                         // the name of the list in the reply
	page  func(c *call, at cursor) error // reads one page: it calls twilio-go's PageX with where the page begins

	identity verify.Identity // whose list it is, "" for one of the account or the Service
}

// all reads a list while it is ranged over. What was read is given before the error that ends it; beside an error the row
// is empty.
func all[R any](ctx context.Context, c *Client, l listing) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		var none R
		first := cursor{}
		seen, empty := map[cursor]bool{}, 0
		for at, more := first, true; more; {
			page, next, err := readPage[R](ctx, c, l, at)
			for _, row := range page {
				if !yield(row, nil) {
					return
				}
			}
			seen[at] = true
			if empty++; len(page) > 0 {
				empty = 0
			}
			more = next != first
			if err == nil && (more && seen[next] || empty >= emptyPages) {
				err = &verify.Error{Kind: verify.KindFailed, Message: fmt.Sprintf("cannot %s: the list never ends, its pages repeat", l.what)}
			}
			if err != nil {
				yield(none, err)
				return
			}
			at = next
		}
	}
}

// readPage reads one page. The rows that could be read come with the error, too.
func readPage[R any](ctx context.Context, c *Client, l listing, at cursor) (page []R, next cursor, err error) {
	call := c.begin(ctx, "%s", l.what).about(l.identity)
	call.decode = func(body []byte) error {
		answer := pageOf[R]{array: l.array}
		err := answer.decode(body)
		page = nil
		for _, row := range answer.rows {
			if bad := call.accept(identify(row), ""); bad != nil {
				return bad
			}
			page = append(page, row)
		}
		if err != nil || answer.next == "" {
			return err
		}
		next, err = c.follow(call.product, string(answer.next))
		return err
	}
	err = call.end(l.page(call, at))
	return page, next, err
}

// follow takes the place of the next page out of a link, which is not itself followed: it could lead anywhere, and with
// it the account keys.
func (c *Client) follow(product, link string) (cursor, error) {
	u, err := url.Parse(link)
	if err != nil {
		return cursor{}, errors.New("the link to the next page cannot be read")
	}
	if !c.hosts.accepts(product, u) {
		return cursor{}, verify.Refusedf("the next page of the list is said to be at %s: the account keys go to %s only",
			visible(u.Host, 200), c.hosts.base(product).Host)
	}
	query := u.Query()
	at := cursor{page: query.Get("Page"), token: query.Get("PageToken")}
	if at == (cursor{}) || strings.Trim(at.page, "0123456789") != "" {
		return cursor{}, errors.New("the link to the next page names no page")
	}
	return at, nil
}

// pageOf is one page of a list reply, either with meta.next_page_url or, in the 2010 API, with next_page_uri.
type pageOf[R any] struct {
	array string
	rows  []R
	next  text
}

// decode reads a page in one pass. A reply without the array or without a word on the next page is an error: neither
// may pass for the end of a list. After an error rows holds those before it.
func (p *pageOf[R]) decode(body []byte) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return errors.New("it is not a JSON object")
	}
	var hasRows, hasNext bool
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		switch key {
		case p.array:
			hasRows = true
			err = p.decodeRows(dec)
		case "meta":
			var meta json.RawMessage
			var link struct {
				Next text `json:"next_page_url"`
			}
			err = dec.Decode(&meta)
			hasNext = hasNext || decodeObject(meta, &link) == nil
			p.next = link.Next
		case "next_page_uri":
			hasNext = true
			err = dec.Decode(&p.next)
		default:
			err = dec.Decode(new(json.RawMessage))
		}
		if err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("something follows the JSON object")
	}
	switch {
	case !hasRows:
		return fmt.Errorf("it has no list %q", p.array)
	case !hasNext:
		return errors.New("it does not tell whether there are more pages")
	}
	return nil
}

func (p *pageOf[R]) decodeRows(dec *json.Decoder) error {
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		return fmt.Errorf("its %q is not a list", p.array)
	}
	for dec.More() {
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return err
		}
		row, err := decodeResource[R](raw)
		if err != nil {
			return err
		}
		p.rows = append(p.rows, row)
	}
	_, err := dec.Token()
	return err
}
