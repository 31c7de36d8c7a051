package debugger

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
)

// delivered is one event of a delivery, as it is stored and as it was decoded.
type delivered struct {
	stored event.Stored
	event  event.Event
	known  bool // it was decoded
}

var errNoEvents = errors.New("the body holds no event")

// takeApart gives the events of a delivery's body: a form has one, Event Streams sends one or a list. What Twilio signed
// and nobody understands yet is stored too, so that it can be decoded later.
func takeApart(body []byte, form bool, received time.Time) ([]delivered, error) {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return nil, errNoEvents
	}
	texts := [][]byte{body}
	if !form && body[0] == '[' {
		var list []json.RawMessage
		if err := json.Unmarshal(body, &list); err != nil {
			return nil, errNoEvents
		}
		texts = texts[:0]
		for _, text := range list {
			texts = append(texts, bytes.TrimSpace(text))
		}
	}
	if !form && !json.Valid(body) {
		return nil, errNoEvents
	}
	all := make([]delivered, len(texts))
	for i, text := range texts {
		all[i] = deliveredOf(text, received)
	}
	return all, nil
}

func deliveredOf(text []byte, received time.Time) delivered {
	d := delivered{stored: event.Stored{Source: fromElsewhere, Received: received, Body: bytes.Clone(text)}}
	events := event.Parse(text)
	if len(events) == 0 {
		return d
	}
	d.event, d.known = events[0], true
	switch d.event.Source {
	case event.SourceCloudEvent:
		d.stored.Source = fromStream
	case event.SourceVerifyWebhook:
		d.stored.Source = fromVerifyWebhook
	default:
		d.stored.Source = fromWebhook
	}
	return d
}
