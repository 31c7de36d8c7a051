package simulator

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// listing is one list operation. Pages are cut by an integer column that only grows and not by position, so a page
// stays the same whatever is added or removed before it.
type listing[T, J any] struct {
	key     string // the name of the array in the reply
	from    table[T]
	where   string
	args    []any
	order   string // the integer column, seq when empty
	newest  bool   // largest first
	maxSize int    // the largest PageSize, 1000 when 0
	filters []string
	show    func(*T) J
}

// and narrows a list down.
func (l *listing[T, J]) and(condition string, args ...any) {
	l.where, l.args = l.where+" AND "+condition, append(l.args, args...)
}

// filter lets the client ask for one value of a column.
func (l *listing[T, J]) filter(c *call, name, column string) {
	l.filters = append(l.filters, name)
	if value, sent := c.query.get(name); sent {
		l.and(column+" = ?", value)
	}
}

// between adds the filters StartDate and EndDate, both inclusive, on a column of times.
func (l *listing[T, J]) between(c *call, column string) error {
	l.filters = append(l.filters, "StartDate", "EndDate")
	if text, sent := c.query.get("StartDate"); sent {
		from, _, err := parseDate(text)
		if err != nil {
			return invalid(20001, "Invalid StartDate: '%s'", text)
		}
		l.and(column+" >= ?", millis(from))
	}
	if text, sent := c.query.get("EndDate"); sent {
		_, until, err := parseDate(text)
		if err != nil {
			return invalid(20001, "Invalid EndDate: '%s'", text)
		}
		l.and(column+" < ?", millis(until))
	}
	return nil
}

// parseDate reads a day or an instant in GMT, and gives where it begins and where the next begins.
func parseDate(text string) (from, until time.Time, err error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day, day.AddDate(0, 0, 1), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	return at, at.Add(time.Second).Truncate(time.Second), err
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
func (l listing[T, J]) page(c *call) (reply, error) {
	l.order = cmp.Or(l.order, "seq")
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
	rows, more, err := l.read(c, cut, size)
	if err != nil {
		return reply{}, err
	}
	hasNext := more || cut.backward
	hasPrevious := number > 0 && cut.at != 0 && (!cut.backward || more)
	meta := pageMeta{Page: number, PageSize: size, Key: l.key,
		FirstPageURL: l.pageURL(c, size, 0, ""),
		URL:          l.pageURL(c, size, number, c.query.text("PageToken")+c.query.text("pageToken")),
	}
	if hasNext && len(rows) > 0 {
		next := l.pageURL(c, size, number+1, newPageToken(l.key, pageCut{at: l.position(rows[len(rows)-1])}))
		meta.NextPageURL = &next
	}
	if hasPrevious && len(rows) > 0 {
		previous := l.pageURL(c, size, number-1, newPageToken(l.key, pageCut{at: l.position(rows[0]), backward: true}))
		meta.PreviousPageURL = &previous
	}
	items := make([]J, len(rows))
	for i, row := range rows {
		items[i] = l.show(row)
	}
	return ok(map[string]any{l.key: items, "meta": meta}), nil
}

// read gives up to size rows on one side of a cut, and whether there are more beyond them.
func (l listing[T, J]) read(c *call, cut pageCut, size int) (rows []*T, more bool, err error) {
	beyond, direction := " > ?", " ASC"
	if l.newest != cut.backward {
		beyond, direction = " < ?", " DESC"
	}
	if cut.at != 0 {
		l.and(l.order+beyond, cut.at)
	}
	rows, err = l.from.list(c.tx, l.where+" ORDER BY "+l.order+direction+" LIMIT ?", append(l.args, size+1)...)
	if more = len(rows) > size; more {
		rows = rows[:size]
	}
	if cut.backward {
		slices.Reverse(rows)
	}
	return rows, more, err
}

// position is the value of a row's order column.
func (l listing[T, J]) position(row *T) int64 {
	column := slices.Index(strings.Split(l.from.columns, ", "), l.order)
	return *l.from.fields(row)[column].(*int64)
}

func (l listing[T, J]) pageURL(c *call, size, number int, token string) string {
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
