package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"shardlift/internal/fault"
	"shardlift/web/api"
)

// A request is given up after requestTime: the server waits 5 s for a worker,
// 25 s for an inspection.
const (
	requestTime  = 60 * time.Second
	requestTries = 4
)

// newClient returns the generated client of a server, with the token and who acts
// ("" says nothing of it). wait is the time before the first repetition; it doubles.
func newClient(server, token, actor string, wait time.Duration) (*api.ClientWithResponses, error) {
	client, err := api.NewClientWithResponses(server,
		api.WithHTTPClient(&repeater{server: server, wait: wait, http: &http.Client{Timeout: requestTime}}),
		api.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+token)
			if actor != "" {
				r.Header.Set("Shardlift-Actor", actor)
			}
			return nil
		}))
	if err != nil {
		return nil, fault.InvalidSetting.Wrap(err, "--server")
	}
	return client, nil
}

// repeater repeats what was certainly not carried out (no connection was made)
// and what may be repeated: reads, and commands with an idempotency key.
type repeater struct {
	server string
	wait   time.Duration
	http   *http.Client
}

// Do sends a request. Its error is the context's, fault.ServerSilent, or
// fault.OutcomeLost for a command that may have arrived.
func (d *repeater) Do(req *http.Request) (*http.Response, error) {
	ctx, wait := req.Context(), d.wait
	for try := 1; ; try++ {
		response, err := d.once(req)
		if err == nil {
			return response, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if try == requestTries || !mayRepeat(req, err) {
			return nil, d.explain(req, err)
		}
		if err := pause(ctx, wait); err != nil {
			return nil, err
		}
		wait *= 2
		if req.GetBody != nil {
			if req.Body, err = req.GetBody(); err != nil {
				return nil, fmt.Errorf("repeat request: %w", err)
			}
		}
	}
}

// once sends a request and reads the whole answer, so that a broken answer is
// seen here. A gateway's error page is an error: the server was not heard.
func (d *repeater) once(req *http.Request) (*http.Response, error) {
	response, err := d.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	gateway := response.StatusCode >= http.StatusBadGateway && response.StatusCode <= http.StatusGatewayTimeout
	if gateway && !strings.Contains(response.Header.Get("Content-Type"), "json") {
		return nil, fmt.Errorf("a gateway answers %s", response.Status)
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, nil
}

func mayRepeat(req *http.Request, err error) bool {
	return neverSent(err) || req.Method == http.MethodGet || req.Header.Get("Idempotency-Key") != ""
}

func neverSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func (d *repeater) explain(req *http.Request, err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // the URL is said once, by us
	}
	if req.Method == http.MethodGet || neverSent(err) {
		return fault.ServerSilent.New(d.server, "%v", err)
	}
	return fault.OutcomeLost.New(d.server, "%v", err)
}

// answer is what every generated response can tell.
type answer interface {
	StatusCode() int
	GetBody() []byte
	GetApplicationProblemJSONDefault() *api.Problem
}

// answered returns a response that brought what was asked for, or the error.
func answered[A answer](got A, err error) (A, error) {
	if err != nil {
		if _, ok := fault.As(err); ok || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return got, err
		}
		return got, fault.StrangeAnswer.Wrap(err, "")
	}
	if p := got.GetApplicationProblemJSONDefault(); p != nil && p.Code != "" {
		if p.Status == 0 {
			p.Status = got.StatusCode()
		}
		return got, &refusal{*p}
	}
	if s := got.StatusCode(); s < 200 || s > 299 || !bytes.HasPrefix(bytes.TrimSpace(got.GetBody()), []byte("{")) {
		return got, fault.StrangeAnswer.New("", "status %d without a body that can be read", s)
	}
	return got, nil
}
