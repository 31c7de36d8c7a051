package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/doctor"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type latencyOptions struct {
	shell *shell
	count int
	hosts []string
}

func newLatencyCmd(s *shell) *cobra.Command {
	o := latencyOptions{shell: s}
	cmd := &cobra.Command{
		Use:   "latency",
		Short: "Measure Twilio's response time, and the network's share of it",
		Long: `Measure requests to the Verify API, one after the other: the first on a new connection, the rest on the same one. Shown are
name look-up, connection, TLS, whole requests cold and on an open connection, and Twilio's own share, apart from the
network, where the reply tells it or it can be told from the rest. Twilio promises 300 ms of its own. On a terminal a
histogram shows how that share is spread.

--hosts compares other hosts of Twilio's. One that does not resolve or answer is shown as such, and is no failure: which
edge serves a request is chosen by DNS now.

` + exitHelp(0, 1, 4, 6, 7, 9),
		Example: "  verifyctl -e demo latency\n  verifyctl -e demo latency --count 5 -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.count < 2 || o.count > maxLatencyCount {
				return verify.Usagef("--count %d is not between 2 and %d", o.count, maxLatencyCount)
			}
			return o.run(cmd.Context())
		},
	}
	cmd.Flags().IntVar(&o.count, "count", 20, "how many requests to each host")
	cmd.Flags().StringSliceVar(&o.hosts, "hosts", nil, "other hosts to compare with, such as verify.dublin.ie1.twilio.com")
	return cmd
}

// maxLatencyCount keeps a measurement from becoming a load.
const maxLatencyCount = 200

func (o *latencyOptions) run(ctx context.Context) error {
	c, p, err := o.shell.begin(ctx, needsAccount)
	if err != nil {
		return err
	}
	hosts := append([]string{""}, o.hosts...)
	var rows []latencyRow
	var spreads []render.Histogram
	var failed error
	for i, host := range hosts { // one after the other: side by side they would disturb each other
		probe, err := c.client.Probe(ctx, host, o.count)
		if err != nil {
			return err
		}
		rows, spreads = append(rows, latencyRows(probe)...), append(spreads, latencySpread(probe))
		if i == 0 {
			failed = probeFailure(probe)
		}
	}
	if err := listAll(p, latencyResource, rows); err != nil {
		return err
	}
	for _, spread := range spreads {
		if err := p.PrintHistogram(spread); err != nil {
			return err
		}
	}
	return failed
}

// latencySpread shows how Twilio's own share of requests is spread around what it promises.
func latencySpread(p verify.Probe) render.Histogram {
	sum := doctor.SummariseLatency(p)
	h := render.Histogram{Unit: "ms", Title: fmt.Sprintf("Twilio's own share of %s to %s", verify.Count(sum.Server.Count, "request"), p.Host),
		Line: render.Mark{At: *inMillis(doctor.ServerPromise), Name: "300 ms, which Twilio promises"}}
	for _, d := range sum.OwnShares {
		h.Values = append(h.Values, *inMillis(d))
	}
	h.Marks = []render.Mark{{At: *inMillis(sum.Server.P50), Name: "p50"}, {At: *inMillis(sum.Server.P95), Name: "p95"}, {At: *inMillis(sum.Server.P99), Name: "p99"}}
	return h
}

// probeFailure tells what kept the environment's own host from being measured.
func probeFailure(p verify.Probe) error {
	switch {
	case p.Error != "":
		return &verify.Error{Kind: verify.KindUnreachable, Message: fmt.Sprintf("%s: %s", p.Host, p.Error)}
	case len(p.Samples) > 0 && (p.Samples[0].Status == 401 || p.Samples[0].Status == 403):
		return &verify.Error{Kind: verify.KindAuth, Message: fmt.Sprintf("Twilio refused the key (HTTP %d), so only refusals were measured", p.Samples[0].Status),
			HTTPStatus: p.Samples[0].Status}
	case len(p.Samples) > 0 && p.Samples[0].Status >= 400:
		kind := verify.KindFailed
		if p.Samples[0].Status == 429 {
			kind = verify.KindLimit
		}
		return &verify.Error{Kind: kind, Message: fmt.Sprintf("Twilio answered with HTTP %d, so only errors were measured", p.Samples[0].Status),
			HTTPStatus: p.Samples[0].Status}
	}
	return nil
}

// latencyRow is one measure of one host, in milliseconds.
type latencyRow struct {
	Host    string   `json:"host"`
	Measure string   `json:"measure"` // dns, connect, tls, cold, reused or server
	Count   int      `json:"count"`
	P50     *float64 `json:"p50_ms"` // null when nothing was measured
	P95     *float64 `json:"p95_ms"`
	P99     *float64 `json:"p99_ms"`
	Note    string   `json:"note"`
	bad     bool
}

// latencyRows sums a probe up, part by part. Parts that did not happen, such as TLS without https, are left out.
func latencyRows(p verify.Probe) []latencyRow {
	sum := doctor.SummariseLatency(p)
	var rows []latencyRow
	for _, part := range []struct {
		measure string
		doctor.Percentiles
	}{{"dns", sum.DNS}, {"connect", sum.Connect}, {"tls", sum.TLS}, {"cold", sum.Cold}, {"reused", sum.Reused}, {"server", sum.Server}} {
		if part.Count == 0 {
			continue
		}
		row := latencyRow{Host: p.Host, Measure: part.measure, Count: part.Count, P50: inMillis(part.P50), P95: inMillis(part.P95), P99: inMillis(part.P99)}
		if part.measure == "server" {
			row.bad = part.P95 > doctor.ServerPromise
			row.Note = serverNote(row.bad, sum.ServerEstimated)
		}
		rows = append(rows, row)
	}
	if p.Error != "" {
		rows = append(rows, latencyRow{Host: p.Host, Measure: "error", Note: p.Error})
	}
	return rows
}

func serverNote(bad, estimated bool) string {
	note := "within the 300 ms that Twilio promises"
	if bad {
		note = "over the 300 ms that Twilio promises"
	}
	if estimated {
		note += "; estimated, because the reply does not tell"
	}
	return note
}

func inMillis(d time.Duration) *float64 {
	ms := float64(d.Microseconds()) / 1000
	return &ms
}

var latencyResource = render.Resource[latencyRow]{
	Columns: []render.Column[latencyRow]{
		{Name: "host", Text: func(r latencyRow) string { return r.Host }},
		{Name: "measure", Text: func(r latencyRow) string { return r.Measure }},
		{Name: "p50_ms", Text: func(r latencyRow) string { return millisText(r.P50) }},
		{Name: "p95_ms", Text: func(r latencyRow) string { return millisText(r.P95) }, Tone: func(r latencyRow) render.Tone {
			if r.bad {
				return render.Warn
			}
			return render.Plain
		}},
		{Name: "p99_ms", Text: func(r latencyRow) string { return millisText(r.P99) }},
		{Name: "count", Text: func(r latencyRow) string { return fmt.Sprint(r.Count) }},
		{Name: "note", Text: func(r latencyRow) string { return r.Note }, Flex: true},
	},
}

func millisText(ms *float64) string {
	if ms == nil {
		return ""
	}
	return fmt.Sprintf("%.1f", *ms)
}
