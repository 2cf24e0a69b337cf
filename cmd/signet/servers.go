package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/rs/zerolog"
)

// Bounds of a connection. The handlers bound each call on their own, and sooner; these are for peers that never get so far.
const (
	headerTime   = 5 * time.Second
	requestTime  = 20 * time.Second
	answerTime   = 30 * time.Second
	idleTime     = 2 * time.Minute
	headerBytes  = 16 << 10
	requestsPart = 2.0 / 3 // of the grace, for requests; mails get what is left
)

// newServer serves h with every bound set.
func newServer(h http.Handler, log zerolog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       requestTime,
		WriteTimeout:      answerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    headerBytes,
		ErrorLog:          serverErrorLog(log),
	}
}

// listen opens an address; port 0 takes a free one.
func listen(ctx context.Context, setting, address string) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	return l, nil
}

// serveOn serves until the server is shut down.
func serveOn(s *http.Server, l net.Listener, t *tls.Config) error {
	var err error
	if t != nil {
		s.TLSConfig = t
		err = s.ServeTLS(l, "", "")
	} else {
		err = s.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// drainServer lets requests under way finish until ctx ends, then cuts what is left.
func drainServer(ctx context.Context, s *http.Server) error {
	err := s.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.Close())
	}
	return err
}
