package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// Control changes a served world through its control API, in this process or in another. Its errors are those of the
// [Simulator]'s methods.
type Control struct {
	client       *http.Client
	base, secret string
}

// NewControl reaches the control API of the server at a base URL such as http://127.0.0.1:8281.
func NewControl(baseURL, secret string, transport http.RoundTripper) *Control {
	return &Control{client: &http.Client{Transport: transport}, base: baseURL + controlPath + "v1/", secret: secret}
}

// Close lets go of idle connections.
func (c *Control) Close() error {
	c.client.CloseIdleConnections()
	return nil
}

// ClockReading is the simulated time.
type ClockReading struct {
	Now    time.Time `json:"now"`
	Frozen bool      `json:"frozen"`
}

// ClockChange freezes or resumes the clock, and moves it.
type ClockChange struct {
	Advance Duration `json:"advance,omitempty"`
	Frozen  *bool    `json:"frozen,omitempty"`
}

// Clock reads the simulated time.
func (c *Control) Clock(ctx context.Context) (ClockReading, error) {
	return ask[ClockReading](ctx, c, http.MethodGet, "clock", nil)
}

// ChangeClock changes the simulated time and gives the new one.
func (c *Control) ChangeClock(ctx context.Context, change ClockChange) (ClockReading, error) {
	return ask[ClockReading](ctx, c, http.MethodPost, "clock", change)
}

// ChangeSettings changes the settings that are named as in the JSON of [Settings], and gives all of them.
func (c *Control) ChangeSettings(ctx context.Context, change map[string]any) (Settings, error) {
	return ask[Settings](ctx, c, http.MethodPost, "settings", change)
}

// Faults gives the rules of the world.
func (c *Control) Faults(ctx context.Context) ([]Fault, error) {
	return ask[[]Fault](ctx, c, http.MethodGet, "faults", nil)
}

// AddFault adds a rule and gives it with its number.
func (c *Control) AddFault(ctx context.Context, f Fault) (Fault, error) {
	return ask[Fault](ctx, c, http.MethodPost, "faults", f)
}

// RemoveFault removes a rule, all of them for the number 0.
func (c *Control) RemoveFault(ctx context.Context, id int64) error {
	path := "faults"
	if id != 0 {
		path += "/" + strconv.FormatInt(id, 10)
	}
	return c.do(ctx, http.MethodDelete, path, nil, nil)
}

// Pushes gives the attempts that the filter picks, oldest first.
func (c *Control) Pushes(ctx context.Context, filter PushFilter) ([]Push, error) {
	return ask[[]Push](ctx, c, http.MethodGet, "pushes?"+filter.query().Encode(), nil)
}

// Devices gives the phones that the filter picks.
func (c *Control) Devices(ctx context.Context, filter DeviceFilter) ([]Device, error) {
	return ask[[]Device](ctx, c, http.MethodGet, "devices?"+filter.query().Encode(), nil)
}

// Enroll puts a new phone into the world.
func (c *Control) Enroll(ctx context.Context, e Enrolment) (Device, error) {
	return ask[Device](ctx, c, http.MethodPost, "devices", e)
}

// ChangeDevice changes what is named, as in the JSON of [DeviceState], of a phone.
func (c *Control) ChangeDevice(ctx context.Context, factorSID string, change map[string]any) (Device, error) {
	return ask[Device](ctx, c, http.MethodPost, devicePath(factorSID), change)
}

// RotateToken gives a phone a new push token; Reinstall does so for an app that was gone.
func (c *Control) RotateToken(ctx context.Context, factorSID string) (Device, error) {
	return ask[Device](ctx, c, http.MethodPost, devicePath(factorSID)+"/rotate-token", nil)
}

// Reinstall brings the app of a phone back.
func (c *Control) Reinstall(ctx context.Context, factorSID string) (Device, error) {
	return ask[Device](ctx, c, http.MethodPost, devicePath(factorSID)+"/reinstall", nil)
}

// DeviceAnswer is what a phone says to a challenge, to the newest one that is pending when none is named: approved or
// denied.
type DeviceAnswer struct {
	Challenge string `json:"challenge_sid"`
	Status    string `json:"status"`
}

// Answer lets a phone answer a challenge.
func (c *Control) Answer(ctx context.Context, factorSID string, a DeviceAnswer) (DeviceAnswer, error) {
	return ask[DeviceAnswer](ctx, c, http.MethodPost, devicePath(factorSID)+"/answer", a)
}

// Generate fills a Service with a fleet.
func (c *Control) Generate(ctx context.Context, f Fleet) (Generated, error) {
	return ask[Generated](ctx, c, http.MethodPost, "generate", f)
}

func devicePath(factorSID string) string { return "devices/" + url.PathEscape(factorSID) }

func (f PushFilter) query() url.Values {
	return query(f.Limit, "service_sid", f.Service, "identity", f.Identity, "factor_sid", f.Factor, "challenge_sid", f.Challenge)
}

func (f DeviceFilter) query() url.Values {
	return query(f.Limit, "service_sid", f.Service, "identity", f.Identity, "factor_sid", f.Factor)
}

// query takes the names and values of a filter in turn, and leaves empty ones out.
func query(limit int, pairs ...string) url.Values {
	q := url.Values{}
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] != "" {
			q.Set(pair[0], pair[1])
		}
	}
	if limit != 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return q
}

// ask makes one call and gives its result.
func ask[R any](ctx context.Context, c *Control, method, path string, argument any) (result R, err error) {
	err = c.do(ctx, method, path, argument, &result)
	return result, err
}

// do makes one call and reads its reply.
func (c *Control) do(ctx context.Context, method, path string, argument, into any) error {
	var body []byte
	if argument != nil {
		body = encode(argument)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set(SecretHeader, c.secret)
	resp, err := c.client.Do(req)
	if err != nil {
		return fmt.Errorf("the simulator does not answer: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		var refused controlError
		if err := json.NewDecoder(resp.Body).Decode(&refused); err != nil || refused.Message == "" {
			return fmt.Errorf("the simulator answers with %s", resp.Status)
		}
		return refused.err()
	}
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("the simulator's reply cannot be read: %w", err)
	}
	return nil
}

// controlError is a refusal as the control API sends it.
type controlError struct {
	Status  int    `json:"status"`
	Code    int    `json:"code,omitempty"` // of the simulated API, where that refused
	Message string `json:"message"`
}

// err is the refusal as whoever called the method itself would have it.
func (e controlError) err() error {
	switch {
	case e.Code != 0:
		return errors.New(e.Message)
	case e.Status == http.StatusBadRequest:
		return InputError(e.Message)
	case e.Status == http.StatusNotFound:
		return notFoundError(e.Message)
	}
	return errors.New(e.Message)
}

// notFoundError is an [ErrNotFound] that was told by a server.
type notFoundError string

func (e notFoundError) Error() string   { return string(e) }
func (e notFoundError) Is(t error) bool { return t == ErrNotFound }
