package simulator

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// NewServer gives a server for the simulator with limits on time and sizes, so that slow or endless clients cannot
// hold it. Its listener, TLS and shutdown are the caller's.
//
// It speaks HTTP/1.1 only: some phones look a header up by its exact name, which HTTP/2 would write in lower case.
func (s *Simulator) NewServer() *Server {
	var http1 http.Protocols
	http1.SetHTTP1(true)
	return &Server{sim: s, Server: &http.Server{
		Protocols:         &http1,
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.opts.Log.Handler(), slog.LevelDebug),

		DisableGeneralOptionsHandler: true, // "OPTIONS *" is no path of Twilio's
	}}
}

// Serve answers requests on a listener until it is closed, which is no error.
func (s *Simulator) Serve(l net.Listener) error {
	err := s.NewServer().Serve(l)
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
