package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/rs/zerolog"

	"shardlift/internal/config"
	"shardlift/internal/fault"
	"shardlift/web/api"
	"shardlift/web/auth"
	"shardlift/web/console"
)

// largestBody is the largest request: a task file with a few certificates.
const largestBody = "4M"

// readyTime is how long /readyz waits for Temporal.
const readyTime = 3 * time.Second

// newServer puts API, pages and health together. ready says why the process
// cannot work yet, nil when it can.
func newServer(h *handlers, guard *auth.Guard, pages *console.Pages, ready func(context.Context) error, metrics http.Handler, log zerolog.Logger) *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.JSONSerializer = strictJSON{}
	e.HTTPErrorHandler = handleError(log)
	e.Use(logRequests(log), recoverPanics(log), middleware.SecureWithConfig(middleware.SecureConfig{
		ContentSecurityPolicy: "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		XFrameOptions:         "DENY", ContentTypeNosniff: "nosniff", ReferrerPolicy: "no-referrer",
	}), notStored, middleware.BodyLimit(largestBody), guardAPI(guard))

	h.stopping = make(chan struct{})
	e.Server.RegisterOnShutdown(sync.OnceFunc(func() { close(h.stopping) }))
	api.RegisterHandlers(e, api.NewStrictHandler(h, nil))
	e.GET("/openapi.yaml", func(c echo.Context) error { return c.Blob(http.StatusOK, "application/yaml", api.Document) })
	registerPages(e, h, guard, pages)
	registerTaskPage(e, h, guard, pages)

	e.GET("/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") }, auth.Loopback)
	e.GET("/readyz", func(c echo.Context) error {
		ctx, cancel := context.WithTimeout(c.Request().Context(), readyTime)
		defer cancel()
		if err := ready(ctx); err != nil {
			return c.String(http.StatusServiceUnavailable, err.Error()+"\n")
		}
		return c.String(http.StatusOK, "ok\n")
	}, auth.Loopback)
	e.GET("/metrics", echo.WrapHandler(metrics), auth.Loopback)
	return e
}

// recoverPanics logs where a handler panicked; the panic's text may hold anything.
func recoverPanics(log zerolog.Logger) echo.MiddlewareFunc {
	return middleware.RecoverWithConfig(middleware.RecoverConfig{
		DisableStackAll: true,
		LogErrorFunc: func(c echo.Context, _ error, stack []byte) error {
			log.Error().Str("route", c.Path()).Str("stack", string(stack)).Msg("handler panicked")
			return fault.Internal.New(c.Path(), "")
		},
	})
}

// notStored keeps answers, which may name hosts and users, out of caches.
func notStored(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
		return next(c)
	}
}

// guardAPI makes every route below /api/ need the token. A group would answer
// 404 for a wrong method.
func guardAPI(guard *auth.Guard) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		guarded := guard.API(takeActor(onlyJSON(next)))
		return func(c echo.Context) error {
			if strings.HasPrefix(c.Path(), "/api/") {
				return guarded(c)
			}
			return next(c)
		}
	}
}

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
	log.Info().Str("listen", listener.Addr().String()).Msg("web is up")
	e.Server.Handler, e.Server.ReadHeaderTimeout, e.Server.ReadTimeout, e.Server.IdleTimeout = e, 10*time.Second, time.Minute, 2*time.Minute
	failed := make(chan error, 1)
	go func() {
		if s.TLSCert != "" {
			failed <- e.Server.ServeTLS(listener, s.TLSCert, s.TLSKey)
			return
		}
		failed <- e.Server.Serve(listener)
	}()
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
