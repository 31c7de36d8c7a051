package simulator

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// ConnectProxy is an HTTP proxy for clients that cannot be told another host: it answers CONNECT for the Twilio hosts
// and ends their TLS itself, as the simulator. It connects to nothing, so nothing leaves this machine; every other host
// and every plain request is refused with 403.
type ConnectProxy struct {
	server  *http.Server // answers CONNECT
	inner   *Server      // the simulator behind TLS
	config  *tls.Config
	tunnels *PipeListener
}

// NewConnectProxy makes a proxy for the simulator; config is that of [Authority.TLS].
func (s *Simulator) NewConnectProxy(config *tls.Config) *ConnectProxy {
	p := &ConnectProxy{inner: s.NewServer(), config: config, tunnels: NewPipeListener()}
	p.server = &http.Server{
		Handler:        http.HandlerFunc(p.connect),
		ReadTimeout:    10 * time.Second, // of a CONNECT, which has no body; tunnels have the limits of the server in them
		WriteTimeout:   10 * time.Second,
		MaxHeaderBytes: 16 << 10,
		ErrorLog:       p.inner.ErrorLog,
	}
	return p
}

// Serve answers on a listener until [ConnectProxy.Close], which is no error.
func (p *ConnectProxy) Serve(l net.Listener) error {
	go p.inner.ServeTLS(p.tunnels, p.config) // ends when the tunnels are closed
	if err := p.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Close ends the proxy with all its connections.
func (p *ConnectProxy) Close() error {
	return errors.Join(p.server.Close(), p.tunnels.Close(), p.inner.Close())
}

func (p *ConnectProxy) connect(w http.ResponseWriter, r *http.Request) {
	host, port, err := net.SplitHostPort(r.Host)
	if r.Method != http.MethodConnect || err != nil || port != "443" || !slices.Contains(hosts(), strings.ToLower(host)) {
		http.Error(w, "this proxy stands for "+strings.Join(hosts(), ", ")+" and forwards nothing", http.StatusForbidden)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "no tunnel", http.StatusInternalServerError)
		return
	}
	if buffered.Reader.Buffered() > 0 { // TLS must not begin before the tunnel stands
		conn.Close()
		return
	}
	if _, err := conn.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n")); err != nil || conn.SetDeadline(time.Time{}) != nil {
		conn.Close()
		return
	}
	p.tunnels.deliver(conn)
}
