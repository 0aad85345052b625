package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/rs/zerolog"

	"shardlift/internal/config"
	"shardlift/web/api"
	"shardlift/web/auth"
	"shardlift/web/console"
)

// largestBody is the largest request: a task file with a few certificates.
const largestBody = "4M"

// newServer puts API, pages and health together. ready says why the process
// cannot work yet, nil when it can.
func newServer(h *handlers, guard *auth.Guard, pages *console.Pages, ready func(context.Context) error, metrics http.Handler, log zerolog.Logger) *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.JSONSerializer = strictJSON{}
	e.HTTPErrorHandler = handleError(log)
	e.Use(middleware.Recover(), middleware.BodyLimit(largestBody), middleware.SecureWithConfig(middleware.SecureConfig{
		ContentSecurityPolicy: "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'",
		XFrameOptions:         "DENY", ContentTypeNosniff: "nosniff", ReferrerPolicy: "no-referrer",
	}), logRequests(log))

	api.RegisterHandlers(guarded{e.Group("", guard.API)}, api.NewStrictHandler(h, nil))
	e.GET("/openapi.yaml", func(c echo.Context) error { return c.Blob(http.StatusOK, "application/yaml", api.Document) })
	registerPages(e, h, guard, pages)

	health := e.Group("", auth.Loopback)
	health.GET("/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	health.GET("/readyz", func(c echo.Context) error {
		if err := ready(c.Request().Context()); err != nil {
			return c.String(http.StatusServiceUnavailable, err.Error()+"\n")
		}
		return c.String(http.StatusOK, "ok\n")
	})
	health.GET("/metrics", echo.WrapHandler(metrics))
	return e
}

// guarded gives the generated registration a group whose routes need the token.
type guarded struct{ *echo.Group }

func logRequests(log zerolog.Logger) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			began := time.Now()
			err := next(c)
			if err != nil {
				c.Error(err)
			}
			log.Debug().Str("method", c.Request().Method).Str("route", c.Path()).Int("status", c.Response().Status).Dur("took", time.Since(began)).Msg("request")
			return nil
		}
	}
}

// serve listens until ctx ends, then lets requests finish.
func serve(ctx context.Context, e *echo.Echo, s config.Web, log zerolog.Logger) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s (choose another with --listen): %w", s.Listen, err)
	}
	e.Listener = listener
	log.Info().Str("listen", listener.Addr().String()).Msg("web is up")
	failed := make(chan error, 1)
	go func() {
		if s.TLSCert != "" {
			e.TLSListener = nil
			failed <- e.Server.ServeTLS(listener, s.TLSCert, s.TLSKey)
			return
		}
		failed <- e.Server.Serve(listener)
	}()
	e.Server.Handler, e.Server.ReadHeaderTimeout = e, 10*time.Second
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err = e.Server.Shutdown(stopping)
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
