package doctor

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func networkChecks() []Check {
	return []Check{
		{ID: "NET-01", Title: "Twilio answers within the 300 ms it promises", Severity: severityWarn, Certainty: measured, Needs: []resource{latency},
			Remedy: "look at Twilio's status page", Judge: serverFast},
		{ID: "NET-02", Title: "the network path to Twilio is short", Severity: severityWarn, Certainty: measured, Needs: []resource{latency},
			Remedy: "keep connections open, and send fewer requests", Judge: roundTripShort},
		{ID: "NET-03", Title: "other hosts are no faster", Severity: severityInfo, Certainty: measured, Needs: []resource{otherHosts, latency},
			Remedy: "geo-DNS chooses the nearest edge by itself; another host is rarely worth it", Judge: noFasterHost},
		{ID: "NET-04", Title: "no retired host is used", Severity: severityFail, Certainty: certain,
			Remedy: "api.REGION.twilio.com stopped on 2026-04-28: use the product's own host", Judge: noDeadHost},
		{ID: "NET-05", Title: "no certificate is pinned", Severity: severityWarn, Certainty: measured, Reads: []resource{oneRequest},
			Remedy: "Twilio's certificates come from another authority from 2027-01-26 on: unpin", Judge: notPinned},
		{ID: "NET-06", Title: "no proxy strips the key", Severity: severityWarn, Certainty: measured, Reads: []resource{theService},
			Remedy: "configure the proxy to leave the Authorization header alone", Judge: proxyHarmless},
		{ID: "NET-07", Title: "requests go to the home region", Severity: severityWarn, Certainty: heuristic,
			Remedy: "Verify Push and the debugger are documented for us1 only", Judge: homeRegion},
	}
}

func serverFast(snap *snapshot) answer {
	l := SummariseLatency(snap.Latency.Value)
	if l.Server.Count == 0 {
		return unknown("nothing could be measured: %s", cmp.Or(snap.Latency.Value.Error, "the reply does not tell"))
	}
	how := ""
	if l.ServerEstimated {
		how = " (estimated: the wait for the first byte less a round trip)"
	}
	sentence := fmt.Sprintf("p95 of %d requests is %s%s", l.Server.Count, millis(l.Server.P95), how)
	if l.Server.P95 > ServerPromise {
		return warn("Twilio's own %s, over the %s it promises", sentence, millis(ServerPromise)).fix("look at status.twilio.com, and measure again").run(snap.command("latency"))
	}
	return pass("Twilio's own %s", sentence)
}

func roundTripShort(snap *snapshot) answer {
	l := SummariseLatency(snap.Latency.Value)
	if l.Reused.Count == 0 {
		return unknown("nothing could be measured on an open connection: %s", cmp.Or(snap.Latency.Value.Error, "each request made a new one"))
	}
	sentence := fmt.Sprintf("p95 of %d requests on an open connection is %s", l.Reused.Count, millis(l.Reused.P95))
	if l.Reused.P95 > slowRoundTrip {
		return warn("%s", sentence).fix("keep connections open and send fewer requests: creating a factor creates its entity too").run(snap.command("latency"))
	}
	return pass("%s", sentence)
}

func noFasterHost(snap *snapshot) answer {
	usual := SummariseLatency(snap.Latency.Value).Reused
	var facts, faster []string
	for _, probe := range snap.OtherHosts.Value {
		other := SummariseLatency(probe).Reused
		if other.Count == 0 {
			facts = append(facts, fmt.Sprintf("%s: %s", probe.Host, cmp.Or(probe.Error, "nothing could be measured")))
			continue
		}
		facts = append(facts, fmt.Sprintf("%s: p50 %s, p95 %s", probe.Host, millis(other.P50), millis(other.P95)))
		if usual.Count > 0 && other.P50 < usual.P50/2 {
			faster = append(faster, probe.Host)
		}
	}
	if len(faster) > 0 {
		return note("at least twice as fast here: %s", strings.Join(faster, ", ")).seen(facts...)
	}
	return pass("none is twice as fast").seen(facts...)
}

// deadHost is the pattern of hosts that stopped answering on 2026-04-28 (changelog,
// deprecation-of-region-specific-twilio-api-domain-patterns). twilio-go still makes them of a region without an edge.
var deadHost = verify.Lazily(`(?i)^[a-z]+\.(ie1|au1|br1|de1|jp1|sg1|us2)\.twilio\.com(:\d+)?$`)

func noDeadHost(snap *snapshot) answer {
	for _, host := range snap.Connection.Hosts {
		if deadHost().MatchString(host) {
			return fail("%s was retired on 2026-04-28", host).about(host).fix("name the city too, as in verify.dublin.ie1.twilio.com, or leave region out")
		}
	}
	if len(snap.Connection.Hosts) == 0 {
		return unknown("the connection does not say where requests go")
	}
	return pass("none is: %s", strings.Join(snap.Connection.Hosts, ", "))
}

func notPinned(snap *snapshot) answer {
	if snap.Connection.CAFile == "" {
		return pass("the system's authorities are trusted")
	}
	a := warn("ca_file names %s: if it pins Twilio's authority, it stops working when Twilio changes to another on 2027-01-26", snap.Connection.CAFile).
		fix("take ca_file out, or make sure that it is your own proxy's")
	if snap.Probe.ok() && snap.Probe.Value.Issuer != "" {
		a = a.seen("the certificate is now issued by " + snap.Probe.Value.Issuer)
	}
	return a
}

func proxyHarmless(snap *snapshot) answer {
	if snap.Connection.Proxy == "" {
		return pass("there is none")
	}
	err := snap.Service.problem()
	switch {
	case err == nil:
		return pass("%s lets the key through", snap.Connection.Proxy)
	case verify.CodeOf(err) == codeAuthentication:
		return warn("Twilio refuses the key behind the proxy %s, which may strip the Authorization header", snap.Connection.Proxy).
			fix("try with NO_PROXY=.twilio.com, and fix the proxy if that helps")
	}
	return cannot(theService, err)
}

func homeRegion(snap *snapshot) answer {
	if isHome(snap.Connection.Region) {
		return pass("us1")
	}
	return warn("requests go to %s: Verify Push and the debugger are documented for us1 only, so something may be invisible here", snap.Connection.Region).
		fix("take region out of the environment, unless Twilio told you otherwise")
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
}
