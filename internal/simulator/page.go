package simulator

import (
	"cmp"
	"database/sql"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// listing is one list operation. Pages are cut by an integer column that only grows and not by position, so a page
// stays the same whatever is added or removed before it.
type listing[T any] struct {
	key     string // the name of the array in the reply
	query   string // SELECT … FROM … WHERE …, without the order and the limit
	args    []any
	order   string // the integer column
	newest  bool   // largest first
	maxSize int    // the largest PageSize, 1000 when 0
	filters []string
	scan    func(*sql.Rows) (T, int64, error) // one row and its value of the order column
}

type pageMeta struct {
	Page            int     `json:"page"`
	PageSize        int     `json:"page_size"`
	FirstPageURL    string  `json:"first_page_url"`
	PreviousPageURL *string `json:"previous_page_url"`
	URL             string  `json:"url"`
	NextPageURL     *string `json:"next_page_url"`
	Key             string  `json:"key"`
}

// page answers a list request (twilio_verify_v2.json, ListX: PageSize, Page, PageToken).
func (l listing[T]) page(c *call) (reply, error) {
	size, err := c.pageSize(cmp.Or(l.maxSize, 1000))
	if err != nil {
		return reply{}, err
	}
	number, err := c.pageNumber()
	if err != nil {
		return reply{}, err
	}
	cut, err := c.pageToken(l.key)
	if err != nil {
		return reply{}, err
	}
	items, first, last, more, err := l.read(c, cut, size)
	if err != nil {
		return reply{}, err
	}
	hasNext := more || cut.backward
	hasPrevious := number > 0 && (cut.at != 0) && (!cut.backward || more)
	meta := pageMeta{Page: number, PageSize: size, Key: l.key,
		FirstPageURL: l.pageURL(c, size, 0, ""),
		URL:          l.pageURL(c, size, number, c.query.text("PageToken")+c.query.text("pageToken")),
	}
	if hasNext && len(items) > 0 {
		next := l.pageURL(c, size, number+1, newPageToken(l.key, pageCut{at: last}))
		meta.NextPageURL = &next
	}
	if hasPrevious && len(items) > 0 {
		previous := l.pageURL(c, size, number-1, newPageToken(l.key, pageCut{at: first, backward: true}))
		meta.PreviousPageURL = &previous
	}
	return ok(map[string]any{l.key: items, "meta": meta}), nil
}

// read gives up to size items on one side of a cut, and whether there are more beyond them.
func (l listing[T]) read(c *call, cut pageCut, size int) (items []T, first, last int64, more bool, err error) {
	descending := l.newest != cut.backward
	query, args := l.query, slices.Clone(l.args)
	if cut.at != 0 {
		query += " AND " + l.order + map[bool]string{true: " < ?", false: " > ?"}[descending]
		args = append(args, cut.at)
	}
	query += " ORDER BY " + l.order + map[bool]string{true: " DESC", false: " ASC"}[descending] + " LIMIT ?"
	args = append(args, size+1)

	items = []T{}
	var orders []int64
	err = c.each(func(rows *sql.Rows) error {
		item, order, err := l.scan(rows)
		items, orders = append(items, item), append(orders, order)
		return err
	}, query, args...)
	if err != nil {
		return nil, 0, 0, false, err
	}
	if more = len(items) > size; more {
		items, orders = items[:size], orders[:size]
	}
	if cut.backward {
		slices.Reverse(items)
		slices.Reverse(orders)
	}
	if len(orders) > 0 {
		first, last = orders[0], orders[len(orders)-1]
	}
	return items, first, last, more, nil
}

func (l listing[T]) pageURL(c *call, size, number int, token string) string {
	return baseURL(c.req) + pageQuery(c, l.filters, size, number, token)
}

// pageQuery is the path and query of a page, with the filters that the client sent.
func pageQuery(c *call, filters []string, size, number int, token string) string {
	var query []string
	for _, name := range filters {
		for _, value := range c.query[name] {
			query = append(query, name+"="+url.QueryEscape(value))
		}
	}
	query = append(query, "PageSize="+strconv.Itoa(size), "Page="+strconv.Itoa(number))
	if token != "" {
		query = append(query, "PageToken="+url.QueryEscape(token))
	}
	return c.req.URL.EscapedPath() + "?" + strings.Join(query, "&")
}

const defaultPageSize = 50

func (c *call) pageSize(largest int) (int, error) {
	text, sent := c.query.get("PageSize")
	if !sent {
		return defaultPageSize, nil
	}
	size, err := strconv.Atoi(text)
	switch {
	case err != nil || size < 1:
		return 0, invalid(c.codeOf(60373, 20001), "Invalid page size: '%s'", text)
	case size > largest:
		return 0, refuse(http.StatusBadRequest, 20007, "Page size too large: '%s', the largest is %d", text, largest)
	}
	return size, nil
}

// codeOf picks the code for a bad page: Verify documents its own (twilio.com/docs/api/errors).
func (c *call) codeOf(inVerify, elsewhere int) int {
	if c.product == verify {
		return inVerify
	}
	return elsewhere
}

// pageNumber is what the client says; Twilio calls it client state.
func (c *call) pageNumber() (int, error) {
	text, sent := c.query.get("Page")
	if !sent {
		return 0, nil
	}
	number, err := strconv.Atoi(text)
	if err != nil || number < 0 || number > 1<<30 {
		return 0, invalid(c.codeOf(60306, 20001), "Invalid Page: '%s'", text)
	}
	return number, nil
}

// pageCut is a place in a list: the rows after the one whose order value is at, or before it. The zero value is the
// beginning.
type pageCut struct {
	at       int64
	backward bool
}

// newPageToken writes a cut as Twilio's PageToken: opaque, letters and digits only.
func newPageToken(key string, cut pageCut) string {
	direction := "a"
	if cut.backward {
		direction = "b"
	}
	text := fmt.Sprintf("%s%016x", direction, cut.at)
	return "PT" + text + checksum(key, text)
}

func checksum(key, text string) string {
	sum := derive("page", key, text)
	return hex.EncodeToString(sum[:4])
}

// pageToken reads the token, which Twilio's Android SDK spells PageToken and the iOS one pageToken.
func (c *call) pageToken(key string) (pageCut, error) {
	token := c.query.text("PageToken") + c.query.text("pageToken")
	if token == "" {
		return pageCut{}, nil
	}
	const length = len("PT") + 1 + 16 + 8
	if len(token) == length && token[:2] == "PT" && token[length-8:] == checksum(key, token[2:length-8]) {
		if at, err := strconv.ParseInt(token[3:length-8], 16, 64); err == nil {
			return pageCut{at: at, backward: token[2] == 'b'}, nil
		}
	}
	return pageCut{}, invalid(c.codeOf(60374, 21481), "Invalid page token: '%s'", token)
}
