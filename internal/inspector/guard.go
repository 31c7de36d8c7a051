package inspector

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// expects tells whether a request names a host of the page's. A page of elsewhere whose name was made to lead here names
// its own. Names of this machine count only from this machine, whatever is listened on.
func (p *Page) expects(r *http.Request) bool {
	host := strings.ToLower(hostOnly(r.Host))
	return slices.ContainsFunc(p.hosts, func(named string) bool { return strings.EqualFold(named, host) }) ||
		verify.IsLoopback(host) && isLocal(r.RemoteAddr)
}

func hostOnly(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}

func isLocal(remote string) bool {
	addr, err := netip.ParseAddrPort(remote)
	return err == nil && addr.Addr().Unmap().IsLoopback()
}

// policy lets the page load what this package serves, and nothing else. No site may frame it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// maxForm is the largest form of the page, in bytes.
const maxForm = 64 << 10

// guarded refuses what another site caused, and tells browsers to keep the page to itself.
func guarded(next http.Handler) http.Handler {
	changes := http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cache-Control", "no-store")
		if fromElsewhere(r) {
			http.Error(w, "this page does not answer other sites", http.StatusForbidden)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		changes.ServeHTTP(w, r)
	})
}

// fromElsewhere tells whether a page of another site asks, other than by a link to follow
// (https://www.w3.org/TR/fetch-metadata/). Changes are the business of [http.CrossOriginProtection].
func fromElsewhere(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site != "" && site != "none" && site != "same-origin" && r.Header.Get("Sec-Fetch-Mode") != "navigate"
}
