package debugger

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// The limits of what strangers on the network can take from a listener. Where all places are taken, whoever has held one
// longest without a signed delivery loses it, but for a moment in which a delivery can show its signature.
const (
	maxConnections = 512
	maxPerAddress  = 64 // of one client; trusted proxies and this machine, which tunnels come from, have no such limit
	defaultGrace   = 100 * time.Millisecond
)

// connections keeps the connections of a listener within their limits.
type connections struct {
	net.Listener
	trusted []netip.Prefix
	grace   time.Duration // in which a new connection can show its signature

	mu    sync.Mutex
	open  map[*place]bool
	count map[netip.Addr]int
	freed chan struct{} // has something when a place was given back
}

func newConnections(on net.Listener, trusted []netip.Prefix, grace time.Duration) *connections {
	return &connections{Listener: on, trusted: trusted, grace: grace, open: map[*place]bool{}, count: map[netip.Addr]int{}, freed: make(chan struct{}, 1)}
}

// place is one connection.
type place struct {
	net.Conn
	of     *connections
	from   netip.Addr
	since  time.Time // when it was opened, or its last request began
	idle   bool      // between two requests
	signed bool      // a signed delivery is being kept: it is not closed
	once   sync.Once
}

// Accept takes the next connection, and closes another one where there are too many.
func (c *connections) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	p := &place{Conn: conn, of: c, from: addressOf(conn)}
	for victim, wait := c.victim(p.from); victim != nil; victim, wait = c.victim(p.from) {
		if wait <= 0 {
			victim.Close()
			continue
		}
		select {
		case <-c.freed:
		case <-time.After(wait):
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p.since = time.Now()
	c.open[p] = true
	c.count[p.from]++
	return p, nil
}

// victim gives the connection to close so that one from an address has a place, nil for none, and how long to wait first.
func (c *connections) victim(from netip.Addr) (*place, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count[from] >= maxPerAddress && !c.isTrusted(from) {
		return c.slowest(func(p *place) bool { return p.from == from }), 0
	}
	if len(c.open) < maxConnections {
		return nil, 0
	}
	p := c.slowest(func(*place) bool { return true })
	if p == nil || p.idle {
		return p, 0
	}
	return p, c.grace - time.Since(p.since)
}

// slowest finds the connection to close: an idle one first, else the one that began longest ago.
func (c *connections) slowest(fits func(*place) bool) (worst *place) {
	for p := range c.open {
		switch {
		case p.signed || !fits(p):
		case worst == nil, p.idle && !worst.idle, p.idle == worst.idle && p.since.Before(worst.since):
			worst = p
		}
	}
	return worst
}

func (c *connections) isTrusted(from netip.Addr) bool {
	return from.IsLoopback() || !from.IsValid() ||
		slices.ContainsFunc(c.trusted, func(prefix netip.Prefix) bool { return prefix.Contains(from) })
}

// Close closes the connection and gives its place back.
func (p *place) Close() error {
	p.once.Do(func() {
		p.of.mu.Lock()
		defer p.of.mu.Unlock()
		delete(p.of.open, p)
		if p.of.count[p.from]--; p.of.count[p.from] == 0 {
			delete(p.of.count, p.from)
		}
		select {
		case p.of.freed <- struct{}{}:
		default:
		}
	})
	return p.Conn.Close()
}

// changed notes what a connection is doing, as the server tells.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	p, ok := conn.(*place)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateActive:
		p.idle, p.since = false, time.Now()
	case http.StateIdle:
		p.idle, p.signed = true, false
	}
}

type placeKey struct{}

// withPlace lets a request's handler find its connection.
func withPlace(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, placeKey{}, conn)
}

// protect keeps the connection of a signed delivery from being closed for another one.
func protect(ctx context.Context) {
	if p, ok := ctx.Value(placeKey{}).(*place); ok {
		p.of.mu.Lock()
		defer p.of.mu.Unlock()
		p.signed = true
	}
}

func addressOf(conn net.Conn) netip.Addr {
	at, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}
