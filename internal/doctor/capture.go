package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

const (
	alertRetention = 30 * 24 * time.Hour // how long Twilio keeps alerts (usage/monitor-alert)
	stale          = 24 * time.Hour      // when captured events are too old: a listener that was silent for a day may be dead
	foreignShare   = 0.5                 // from which share of push errors that belong to no Service it is worth a look
)

func captureChecks() []Check {
	return []Check{
		{ID: "EVT-01", Title: "the debugger webhook is set", Severity: severityWarn, Certainty: attested, PerAccount: true,
			Remedy: "no API shows; look at the Console's Debugger, and attest it", Judge: debuggerWebhook},
		{ID: "EVT-02", Title: "Event Streams carries error events to an active sink", Severity: severityWarn, Certainty: certain, PerAccount: true,
			Needs: []resource{eventStreams}, Remedy: "subscribe a sink to " + verify.EventErrorLogged, Judge: streaming},
		{ID: "EVT-03", Title: "debugger events are captured here", Severity: severityWarn, Certainty: certain, Needs: []resource{captured},
			Remedy: "run debugger listen, or debugger alerts --store every day", Judge: capturing},
		{ID: "EVT-04", Title: "the debugger's list is complete", Severity: severityWarn, Certainty: certain, PerAccount: true, Needs: []resource{pushErrors},
			Remedy: "Twilio gives at most 10,000 alerts at once; what one second has beyond that cannot be had", Judge: listComplete},
		{ID: "EVT-05", Title: "push errors can be told by Service", Severity: severityInfo, Certainty: certain, PerAccount: true, Needs: []resource{pushErrors},
			Remedy: "Voice and other products share the stream; an unknown shape is worth a report", Judge: attributable},
	}
}

// debuggerWebhook takes the word of whichever environment of the account has one: there is one debugger webhook for all.
func debuggerWebhook(snap *snapshot) answer {
	const question = "whether the debugger webhook is set"
	for _, peer := range snap.accountPeers() {
		if a := byAttestation(peer, "EVT-01", question); a.Status == Pass {
			return a
		}
	}
	return byAttestation(snap, "EVT-01", question)
}

func streaming(snap *snapshot) answer {
	var idle []string
	for _, subscription := range snap.Streams.Value.Subscriptions {
		if !slices.Contains(snap.Streams.Value.Types[subscription.SID], verify.EventErrorLogged) {
			continue
		}
		sink := snap.Streams.Value.Sinks[subscription.SinkSID]
		if sink.Status == verify.SinkActive {
			return pass("%s sends them to %s", subscription.SID, subscription.SinkSID).about(subscription.SID)
		}
		idle = append(idle, fmt.Sprintf("%s (%s)", subscription.SinkSID, cmp.Or(sink.Status, "gone")))
	}
	if len(idle) > 0 {
		return warn("error events are subscribed to, but no sink is active: %s", strings.Join(idle, ", ")).fix("validate the sink (Console: Event Streams)")
	}
	if snap.Env.Attestations["EVT-01"].By != "" {
		return note("nothing in Event Streams carries error events; the debugger webhook is attested by EVT-01")
	}
	return warn("nothing captures error events: 52103 is reported once, and alerts are kept for a month").
		fix("subscribe a sink to %s, or set the debugger webhook and attest EVT-01", verify.EventErrorLogged)
}

func capturing(snap *snapshot) answer {
	covered := snap.Capture.Value.Covered
	backfill := snap.command("debugger", "alerts", "--store")
	if len(covered) == 0 {
		return warn("nothing was ever captured here: what Twilio deletes after a month is lost").
			fix("capture events with a listener, or read the alerts every day").run(backfill)
	}
	newest := covered[len(covered)-1].Until
	switch age := snap.Now.Sub(newest); {
	case age > alertRetention:
		return warn("the last capture was on %s: events between then and a month ago are lost", day(newest)).
			fix("capture events with a listener, or read the alerts every day").run(backfill)
	case age > stale:
		return warn("the last capture was at %s", clock(newest, snap.Now)).fix("check that the listener is still running; until then, read the alerts").run(backfill)
	}
	for i, span := range covered[1:] {
		if gap := covered[i].Until; span.From.After(snap.Now.Add(-alertRetention)) {
			return warn("between %s and %s nothing was captured", clock(gap, snap.Now), clock(span.From, snap.Now)).fix("read the alerts of that time while Twilio keeps them").run(backfill)
		}
	}
	return pass("%s; everything since %s, until %s", verify.Count(snap.Capture.Value.Events, "event"), clock(covered[len(covered)-1].From, snap.Now), clock(newest, snap.Now))
}

func listComplete(snap *snapshot) answer {
	missing := snap.Events.Value.Missing
	if len(missing) == 0 {
		return pass("%s since %s", verify.Count(len(snap.Events.Value.Events), "event"), clock(snap.Since, snap.Now))
	}
	var gaps []string
	for _, gap := range missing {
		gaps = append(gaps, fmt.Sprintf("%s to %s", clock(gap.From, snap.Now), clock(gap.Until, snap.Now)))
	}
	return warn("the debugger did not give all events: it gives at most 10,000 of one second").seen(firstExamples(gaps)...).
		fix("count with %s", snap.command("debugger", "alerts", "--group-by", "code"))
}

func attributable(snap *snapshot) answer {
	total, foreign := 0, 0
	for _, e := range snap.Events.Value.Events {
		if e.ErrorCode == nil || !isPushCode(*e.ErrorCode) {
			continue
		}
		total++
		if e.ServiceSID == "" && e.Product != event.ProductVoice {
			foreign++
		}
	}
	switch {
	case total == 0:
		return pass("there are none")
	case float64(foreign) > foreignShare*float64(total):
		return note("%d of %s name no Verify Service", foreign, verify.Count(total, "push error")).fix("other products share the stream; look at some with %s", snap.command("debugger", "alerts"))
	}
	return pass("%d of %s name no Verify Service", foreign, verify.Count(total, "push error"))
}
