package debugger

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/verifyctl/verifyctl/internal/event"
)

// counters are what a listener tells Prometheus. No label ever holds an identity or a SID.
type counters struct {
	set           *metrics.Set
	deliveries    *metrics.Counter
	stored        *metrics.Counter
	again         *metrics.Counter
	badSignatures *metrics.Counter
	undeclared    *metrics.Counter
	malformed     *metrics.Counter
	storeErrors   *metrics.Counter
	forwardErrors *metrics.Counter
	lastEvent     atomic.Int64 // Unix seconds, by the event's own time
}

func newCounters() *counters {
	set := metrics.NewSet()
	c := &counters{
		set:           set,
		deliveries:    set.NewCounter("verifyctl_deliveries_total"),
		stored:        set.NewCounter("verifyctl_events_stored_total"),
		again:         set.NewCounter("verifyctl_events_delivered_again_total"),
		badSignatures: set.NewCounter("verifyctl_bad_signatures_total"),
		undeclared:    set.NewCounter("verifyctl_undeclared_shared_keys_total"),
		malformed:     set.NewCounter("verifyctl_malformed_deliveries_total"),
		storeErrors:   set.NewCounter("verifyctl_store_errors_total"),
		forwardErrors: set.NewCounter("verifyctl_forward_errors_total"),
	}
	set.NewGauge("verifyctl_last_event_timestamp_seconds", func() float64 { return float64(c.lastEvent.Load()) })
	return c
}

// count counts a new event.
func (c *counters) count(e event.Event) {
	c.stored.Inc()
	if at := e.Timestamp; !at.IsZero() {
		c.seen(at)
	}
	if e.IsNoise() || e.Verdict == event.NotPush {
		return
	}
	environment := "none"
	if e.Environment != nil {
		environment = *e.Environment
	}
	c.set.GetOrCreateCounter(fmt.Sprintf("verifyctl_push_errors_total{environment=%q,code=%q,verdict=%q}",
		environment, codeLabel(e), e.Verdict)).Inc()
}

// codeLabel keeps the label to codes that exist, however odd an event is.
func codeLabel(e event.Event) string {
	if e.ErrorCode == nil {
		return "none"
	}
	if _, known := event.Lookup(*e.ErrorCode); !known {
		return "other"
	}
	return fmt.Sprint(*e.ErrorCode)
}

func (c *counters) seen(at time.Time) {
	for {
		last := c.lastEvent.Load()
		if at.Unix() <= last || c.lastEvent.CompareAndSwap(last, at.Unix()) {
			return
		}
	}
}

func (c *counters) write(w io.Writer) { c.set.WritePrometheus(w) }
