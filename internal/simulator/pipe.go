package simulator

import (
	"context"
	"net"
	"sync"
)

// PipeListener is a network inside this process: what is dialled on it arrives as an accepted connection, without a
// port. Resets, dropped replies and slow bodies behave as on a wire.
type PipeListener struct {
	connections chan net.Conn
	closed      chan struct{}
	once        sync.Once
}

// NewPipeListener gives a listener for [Simulator.Serve] whose DialContext fits an [http.Transport].
func NewPipeListener() *PipeListener {
	return &PipeListener{connections: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept waits for the next dialled connection.
func (l *PipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.connections:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// deliver gives a connection from elsewhere to Accept; a closed listener closes it.
func (l *PipeListener) deliver(c net.Conn) {
	select {
	case l.connections <- c:
	case <-l.closed:
		c.Close()
	}
}

// Close ends Accept and refuses further dialling.
func (l *PipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr is a name, not an address.
func (l *PipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "in-process" }

// DialContext connects to the listener, whatever the address.
func (l *PipeListener) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.connections <- server:
		return client, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Net: "pipe", Addr: pipeAddr{}, Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
