package simulator

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Server is an [http.Server] that refuses with Twilio's envelope also what net/http finds malformed before any handler
// sees it: a path that cannot be decoded, headers that are too large, bytes that are no HTTP.
type Server struct {
	*http.Server
	sim *Simulator
}

// Serve is [http.Server.Serve].
func (s *Server) Serve(l net.Listener) error {
	return s.Server.Serve(envelopeListener{Listener: l, sim: s.sim})
}

// ServeTLS is [http.Server.ServeTLS] with a configuration that has its certificates, such as that of [Authority.TLS].
func (s *Server) ServeTLS(l net.Listener, config *tls.Config) error {
	return s.Server.Serve(envelopeListener{Listener: l, sim: s.sim, tls: config})
}

// envelopeListener accepts connections on which net/http's own refusals are replaced; with a TLS configuration it ends
// TLS too, since the bytes can be seen only above it.
type envelopeListener struct {
	net.Listener
	sim *Simulator
	tls *tls.Config
}

func (l envelopeListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	switch {
	case err != nil:
		return nil, err
	case l.tls == nil:
		return envelopeConn{Conn: conn, sim: l.sim}, nil
	}
	secure := tls.Server(conn, l.tls)
	return envelopeTLSConn{envelopeConn{Conn: secure, sim: l.sim}, secure}, nil
}

type envelopeConn struct {
	net.Conn
	sim *Simulator
}

// envelopeTLSConn tells net/http that it is TLS.
type envelopeTLSConn struct {
	envelopeConn
	secure *tls.Conn
}

func (c envelopeTLSConn) ConnectionState() tls.ConnectionState { return c.secure.ConnectionState() }

// plainRefusal ends the head of what net/http writes, in one piece, when it refuses a request by itself. No reply of the
// simulator has it.
const plainRefusal = "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"

func (c envelopeConn) Write(b []byte) (int, error) {
	status, isRefusal := ownRefusal(b)
	if !isRefusal {
		return c.Conn.Write(b)
	}
	refusal := c.sim.refusalOfMalformed(status)
	_, err := c.Conn.Write(refusal)
	var plain tls.RecordHeaderError
	if errors.As(err, &plain) && plain.Conn != nil { // the client speaks HTTP where TLS is expected
		_, err = plain.Conn.Write(refusal)
	}
	if err != nil {
		return 0, err
	}
	return len(b), nil
}

// ownRefusal gives the status of a reply by which net/http itself refuses a request.
func ownRefusal(b []byte) (status int, isRefusal bool) {
	const version = "HTTP/1.1 "
	if !bytes.HasPrefix(b, []byte(version)) || !bytes.Contains(b, []byte(plainRefusal)) {
		return 0, false
	}
	status, err := strconv.Atoi(string(b[len(version) : len(version)+len("400")]))
	return status, err == nil
}

// CloseWrite lets a client read a refusal while it is still sending.
func (c envelopeConn) CloseWrite() error {
	if half, can := c.Conn.(interface{ CloseWrite() error }); can {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// SetLinger is that of the TCP connection below.
func (c envelopeConn) SetLinger(seconds int) error {
	below := c.Conn
	if secure, isTLS := below.(*tls.Conn); isTLS {
		below = secure.NetConn()
	}
	if tcp, isTCP := below.(*net.TCPConn); isTCP {
		return tcp.SetLinger(seconds)
	}
	return errors.ErrUnsupported
}

// refusalOfMalformed is a whole HTTP reply with the envelope. Which code Twilio gives to bytes that are no request is
// not known; 20001 is its general one for bad input.
func (s *Simulator) refusalOfMalformed(status int) []byte {
	var f frame
	s.frameWithoutCall(context.Background(), &http.Request{URL: &url.URL{}}, &f)
	w := recorder{header: http.Header{}}
	refuse(status, 20001, "%s", malformedMessage(status)).reply().write(&w, f)
	s.opts.Log.Info("malformed request", "status", status, "request_id", f.requestSID)
	var raw bytes.Buffer
	whole := http.Response{StatusCode: w.status, ProtoMajor: 1, ProtoMinor: 1, Header: w.header, Close: true,
		ContentLength: int64(w.body.Len()), Body: io.NopCloser(&w.body)}
	whole.Write(&raw) //nolint:errcheck // into memory
	return raw.Bytes()
}

func malformedMessage(status int) string {
	if status == http.StatusRequestHeaderFieldsTooLarge {
		return "The request headers are too large"
	}
	return "The request is malformed: " + strings.ToLower(http.StatusText(status))
}
