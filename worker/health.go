package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

var (
	errStarting = errors.New("waiting for Temporal")
	errStopping = errors.New("stopping")
)

// health answers /healthz (the process lives), /readyz (its queues are served)
// and /metrics.
type health struct {
	metrics http.Handler

	mu  sync.Mutex
	why error // why it is not ready
}

func newHealth(metrics http.Handler) *health { return &health{metrics: metrics, why: errStarting} }

// ready says why the process is not ready, nil when it is.
func (h *health) ready(why error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.why = why
}

func (h *health) mux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", h.metrics)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		h.mu.Lock()
		why := h.why
		h.mu.Unlock()
		if why != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, why)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	return mux
}

// serve listens on address until the function that it returns is called; an
// empty address is none.
func (h *health) serve(address string, log zerolog.Logger) (stop func(), err error) {
	if address == "" {
		return func() {}, nil
	}
	var listen net.ListenConfig
	l, err := listen.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for health and metrics: %w", err)
	}
	log.Info().Str("address", l.Addr().String()).Msg("health and metrics")
	server := &http.Server{Handler: h.mux(), ReadHeaderTimeout: 5 * time.Second}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error().Err(err).Msg("health and metrics end")
		}
	})
	return func() {
		_ = server.Close() // whoever asks now gets no answer, which is true
		wg.Wait()
	}, nil
}
