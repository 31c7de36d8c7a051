package doctor

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// How much is read, and how much of it at once.
const (
	plannedInFlight   = 32 // reads under way: a handful for each environment
	sampledInFlight   = 4  // reads of a sample under way: they are many, and share the account's limit with users who are logging in
	feedPatience      = 4  // time-outs that the list of debugger events may take: a busy account's has many pages
	challengesPerUser = 50 // newest challenges of a sampled user
	latencyRequests   = 20 // requests that measure latency: one on a new connection, the rest on the same
	usageDays         = 30 // days of usage records, which are compared with the sampled challenges
)

// dependsOn tells what has to be read first.
var dependsOn = map[resource]resource{
	apnCredential: theService,
	fcmCredential: theService,
}

// resourcesFor gives what has to be read so that the checks can be made.
func resourcesFor(checks []Check, opts Options) map[resource]bool {
	wanted := map[resource]bool{}
	for _, c := range checks {
		for _, r := range slices.Concat(c.Needs, c.Reads) {
			wanted[r] = true
		}
	}
	if !opts.NoEvidence {
		wanted[pushErrors], wanted[theService] = true, true // whose errors they are is told by the Service's credentials
	}
	for r := range wanted {
		if first, ok := dependsOn[r]; ok {
			wanted[first] = true
		}
	}
	return wanted
}

// gathering makes the reads of one run, each once.
type gathering struct {
	opts    Options
	targets []Target
	planned chan struct{}
	sampled chan struct{}

	mu    sync.Mutex
	cells map[string]any // what once keeps
}

// readAll reads every wanted resource of every target, all at the same time, and gives one snapshot for each target.
func readAll(ctx context.Context, targets []Target, wanted map[resource]bool, opts Options) []*snapshot {
	g := &gathering{opts: opts, targets: targets, cells: map[string]any{},
		planned: make(chan struct{}, plannedInFlight), sampled: make(chan struct{}, sampledInFlight)}
	snapshots := make([]*snapshot, len(targets))
	for i, t := range targets {
		snapshots[i] = &snapshot{Env: t.Env, Connection: t.Connection, Now: t.Now, Since: t.Now.Add(-opts.Since),
			Peers: snapshots, Declared: opts.Declared, App: opts.App, NoLink: t.Err, account: accountKey(t),
			file: t.File, line: t.Line}
	}
	var all sync.WaitGroup
	for i, t := range targets {
		for what := range wanted {
			all.Go(func() { g.fill(ctx, t, snapshots[i], what) })
		}
	}
	all.Wait()
	return snapshots
}

// accountKey tells accounts apart: the same account behind another host is another one.
func accountKey(t Target) string {
	if t.Env.AccountSID == "" {
		return "environment " + t.Env.Name
	}
	return strings.ToLower(string(t.Env.AccountSID)) + " " + t.Connection.BaseURL
}

func serviceKey(t Target) string {
	return accountKey(t) + " " + strings.ToLower(string(t.Env.ServiceSID))
}

// fill reads one resource for one snapshot. Each resource has its own field, so snapshots are filled concurrently.
func (g *gathering) fill(ctx context.Context, t Target, snap *snapshot, what resource) {
	switch what {
	case theService:
		snap.Service = g.readService(ctx, t)
	case apnCredential:
		snap.APN = g.readCredential(ctx, t, verify.PlatformAPN)
	case fcmCredential:
		snap.FCM = g.readCredential(ctx, t, verify.PlatformFCM)
	case allServices:
		snap.Services = listForAccount(ctx, g, what, t, reader.Services)
	case allCredentials:
		snap.Credentials = listForAccount(ctx, g, what, t, reader.Credentials)
	case theAccount:
		snap.Account = g.readAccount(ctx, t)
	case allKeys:
		snap.Keys = listForAccount(ctx, g, what, t, func(from reader, ctx context.Context) iter.Seq2[verify.APIKey, error] {
			return from.Keys(ctx, t.Env.AccountSID)
		})
	case allWebhooks:
		snap.Webhooks = g.readWebhooks(ctx, t)
	case pushErrors:
		snap.Events = g.readEvents(ctx, t, snap.Since)
	case eventStreams:
		snap.Streams = forAccount(ctx, g, what, t, g.opts.Timeout, readStreams)
	case changes:
		snap.Changes = listForAccount(ctx, g, what, t, func(from reader, ctx context.Context) iter.Seq2[verify.AuditEvent, error] {
			return from.AuditEvents(ctx, verify.AuditFilter{Start: t.Now.Add(-recentChange), End: t.Now})
		})
	case usage:
		snap.Usage = g.readUsage(ctx, t)
	case sampleFactors:
		snap.Factors = g.readFactors(ctx, t)
	case sampleAnswers:
		snap.Challenges = g.readChallenges(ctx, t)
	case oneRequest:
		snap.Probe = g.readProbe(ctx, t, what, 1)
	case latency:
		snap.Latency = g.readLatency(ctx, t)
	case otherHosts:
		snap.OtherHosts = g.readOtherHosts(ctx, t)
	case captured:
		snap.Capture = forTarget(ctx, g, what, "environment "+t.Env.Name, t, func(ctx context.Context) (Capture, error) { return t.Memory.Capture(ctx) })
	case credentialFiles:
		snap.Files = forTarget(ctx, g, what, "environment "+t.Env.Name, t, func(ctx context.Context) ([]verify.CredentialFile, error) {
			return collect(t.Memory.CredentialFiles(ctx))
		})
	}
}

func (g *gathering) readService(ctx context.Context, t Target) reading[verify.Service] {
	key := serviceKey(t) + " " + t.Connection.KeySID // whether this key may read it is part of the answer
	return forTarget(ctx, g, theService, key, t, func(ctx context.Context) (verify.Service, error) {
		return t.Twilio.Service(ctx, t.Env.ServiceSID)
	})
}

// readCredential reads the credential that the Service names for a platform; the zero reading says that it names none.
func (g *gathering) readCredential(ctx context.Context, t Target, platform verify.Platform) reading[verify.Credential] {
	service := g.readService(ctx, t)
	if !service.ok() {
		return failed[verify.Credential](&causedBy{theService, service.Err})
	}
	sid := service.Value.CredentialSID(platform)
	if sid == "" {
		return reading[verify.Credential]{}
	}
	key := fmt.Sprint(accountKey(t), " ", t.Connection.KeySID, " ", strings.ToLower(string(sid)))
	return forTarget(ctx, g, "a push credential", key, t, func(ctx context.Context) (verify.Credential, error) {
		return t.Twilio.Credential(ctx, sid)
	})
}

func (g *gathering) readAccount(ctx context.Context, t Target) reading[verify.Account] {
	if t.Env.AccountSID == "" {
		return failed[verify.Account](errors.New("the environment does not declare its account_sid"))
	}
	return forAccount(ctx, g, theAccount, t, g.opts.Timeout, func(ctx context.Context, peer Target) (verify.Account, error) {
		return peer.Twilio.Account(ctx, t.Env.AccountSID)
	})
}

func (g *gathering) readWebhooks(ctx context.Context, t Target) reading[[]verify.Webhook] {
	key := serviceKey(t) + " " + t.Connection.KeySID
	return forTarget(ctx, g, allWebhooks, key, t, func(ctx context.Context) ([]verify.Webhook, error) {
		return collect(t.Twilio.Webhooks(ctx, t.Env.ServiceSID))
	})
}

func (g *gathering) readEvents(ctx context.Context, t Target, since time.Time) reading[alerts] {
	if g.opts.NoEvidence {
		return failed[alerts](errNoEvidence)
	}
	return forAccount(ctx, g, pushErrors, t, feedPatience*g.opts.Timeout, func(ctx context.Context, peer Target) (alerts alerts, err error) {
		alerts.Events, alerts.Missing, err = peer.Feed.Events(ctx, since, t.Now)
		return alerts, err
	})
}

func (g *gathering) readUsage(ctx context.Context, t Target) reading[[]verify.UsageRecord] {
	if g.opts.Sample == 0 {
		return failed[[]verify.UsageRecord](errNoSample) // there is nothing to compare it with
	}
	return listForAccount(ctx, g, usage, t, func(from reader, ctx context.Context) iter.Seq2[verify.UsageRecord, error] {
		return from.UsageRecords(ctx, t.Env.AccountSID, verify.UsageVerifyPush, t.Now.AddDate(0, 0, -usageDays), t.Now)
	})
}

func (g *gathering) readProbe(ctx context.Context, t Target, what resource, count int) reading[verify.Probe] {
	return forTarget(ctx, g, what, fmt.Sprint(t.Connection), t, func(ctx context.Context) (verify.Probe, error) {
		return t.Twilio.Probe(ctx, "", count)
	})
}

func (g *gathering) readLatency(ctx context.Context, t Target) reading[verify.Probe] {
	if !g.opts.Latency {
		return failed[verify.Probe](errNoLatency)
	}
	return g.readProbe(ctx, t, latency, latencyRequests)
}

// readOtherHosts measures the hosts that the operator named. One that does not answer says so itself.
func (g *gathering) readOtherHosts(ctx context.Context, t Target) reading[[]verify.Probe] {
	if !g.opts.Latency || len(g.opts.Hosts) == 0 {
		return failed[[]verify.Probe](errNoHosts)
	}
	return forTarget(ctx, g, otherHosts, fmt.Sprint(t.Connection), t, func(ctx context.Context) ([]verify.Probe, error) {
		probes := make([]verify.Probe, len(g.opts.Hosts))
		group, ctx := errgroup.WithContext(ctx)
		for i, host := range g.opts.Hosts {
			group.Go(func() (err error) {
				probes[i], err = t.Twilio.Probe(ctx, host, latencyRequests)
				return err
			})
		}
		return probes, group.Wait()
	})
}

func readStreams(ctx context.Context, t Target) (streams, error) {
	streams, from := streams{Types: map[string][]string{}, Sinks: map[string]verify.EventSink{}}, t.Twilio
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		sinks, err := collect(from.Sinks(ctx))
		for _, sink := range sinks {
			streams.Sinks[sink.SID] = sink
		}
		return err
	})
	group.Go(func() error {
		var err error
		streams.Subscriptions, err = collect(from.Subscriptions(ctx))
		if err != nil {
			return err
		}
		var mu sync.Mutex
		inner, ctx := errgroup.WithContext(ctx)
		for _, subscription := range streams.Subscriptions {
			inner.Go(func() error {
				events, err := collect(from.SubscribedEvents(ctx, subscription.SID))
				mu.Lock()
				defer mu.Unlock()
				for _, e := range events {
					streams.Types[subscription.SID] = append(streams.Types[subscription.SID], e.Type)
				}
				return err
			})
		}
		return inner.Wait()
	})
	return streams, group.Wait()
}

// readEntities gives the first users of the target's Service, as many as were asked for.
func (g *gathering) readEntities(ctx context.Context, t Target) reading[sampleOf[verify.Entity]] {
	if g.opts.Sample == 0 {
		return failed[sampleOf[verify.Entity]](errNoSample)
	}
	return forTarget(ctx, g, "the entities", serviceKey(t), t, func(ctx context.Context) (sampleOf[verify.Entity], error) {
		var sample sampleOf[verify.Entity]
		for entity, err := range t.Twilio.Entities(ctx, t.Env.ServiceSID) {
			if err != nil {
				return sample, err
			}
			if len(sample.Users) == g.opts.Sample {
				sample.More = true
				return sample, nil
			}
			sample.Users = append(sample.Users, userSample[verify.Entity]{Entity: entity})
		}
		return sample, nil
	})
}

func (g *gathering) readFactors(ctx context.Context, t Target) reading[sampleOf[verify.Factor]] {
	return forUsers(ctx, g, sampleFactors, t, func(ctx context.Context, identity verify.Identity) ([]verify.Factor, error) {
		return collect(t.Twilio.Factors(ctx, t.Env.ServiceSID, identity))
	})
}

func (g *gathering) readChallenges(ctx context.Context, t Target) reading[sampleOf[verify.Challenge]] {
	return forUsers(ctx, g, sampleAnswers, t, func(ctx context.Context, identity verify.Identity) ([]verify.Challenge, error) {
		newest := verify.ChallengeFilter{Newest: true}
		return firstOf(challengesPerUser, t.Twilio.Challenges(ctx, t.Env.ServiceSID, identity, newest))
	})
}

// forUsers reads something of each sampled user. A user who is deleted meanwhile is left out.
func forUsers[T any](ctx context.Context, g *gathering, what resource, t Target,
	read func(context.Context, verify.Identity) ([]T, error)) reading[sampleOf[T]] {
	entities := g.readEntities(ctx, t)
	if !entities.ok() {
		return failed[sampleOf[T]](entities.Err)
	}
	if t.Err != nil {
		return failed[sampleOf[T]](t.Err)
	}
	return once(g, what, serviceKey(t), func() reading[sampleOf[T]] {
		users := entities.Value.Users
		items := make([]reading[[]T], len(users))
		var all sync.WaitGroup
		for i, user := range users {
			all.Go(func() {
				items[i] = bounded(ctx, g.sampled, g.opts.Timeout, func(ctx context.Context) ([]T, error) {
					return read(ctx, user.Entity.Identity)
				})
			})
		}
		all.Wait()
		sample := sampleOf[T]{More: entities.Value.More}
		for i, reading := range items {
			switch {
			case reading.ok():
				sample.Users = append(sample.Users, userSample[T]{Entity: users[i].Entity, Items: reading.Value})
			case !isNotFound(reading.Err):
				return failed[sampleOf[T]](reading.Err)
			}
		}
		return got(sample)
	})
}
