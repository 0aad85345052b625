package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/rs/zerolog"

	"shardlift/internal/control"
	"shardlift/internal/fault"
	"shardlift/web/api"
)

// problem turns any error into problem+json. Only its own words go out; an
// unexpected error is logged and answered with SL-8099.
func problem(err error) api.Problem {
	var unknown *control.Unknown
	var refused *control.Refused
	var invalid *control.Invalid
	var plain *echo.HTTPError
	switch {
	case errors.As(err, &unknown):
		return api.Problem{
			Type: "about:blank", Title: "outcome unknown", Status: http.StatusServiceUnavailable, Code: fault.NoWorker.Code,
			Detail: new(unknown.Error()), Outcome: new("unknown"), OperationID: &unknown.OperationID, Remedy: new(fault.NoWorker.Remedy),
		}
	case errors.As(err, &refused):
		p := newProblem(http.StatusConflict, refused.Code, refused.Object, refused.Message, refused.Remedy)
		if refused.Code == fault.LateRevision.Code {
			p.Status, p.Title = http.StatusPreconditionFailed, "changed meanwhile"
		}
		p.State = new(string(refused.Status))
		actions := make([]string, 0, len(refused.AvailableActions))
		for _, a := range refused.AvailableActions {
			actions = append(actions, string(a))
		}
		p.AvailableActions = &actions
		return p
	case errors.As(err, &invalid):
		p := newProblem(http.StatusUnprocessableEntity, fault.InvalidField.Code, "", fault.InvalidField.Message, fault.InvalidField.Remedy)
		fields := make([]api.FieldError, 0, len(invalid.Fields))
		for _, f := range invalid.Fields {
			fields = append(fields, api.FieldError(f))
		}
		p.Fields = &fields
		return p
	case errors.As(err, &plain):
		return httpProblem(plain)
	}
	if f, ok := fault.As(err); ok {
		return newProblem(statusOf(f), f.Code, f.Object, f.Message, f.Remedy)
	}
	return newProblem(http.StatusInternalServerError, fault.Internal.Code, "", fault.Internal.Message, fault.Internal.Remedy)
}

func newProblem(status int, code, object, message, remedy string) api.Problem {
	p := api.Problem{Type: "about:blank", Title: strings.ToLower(http.StatusText(status)), Status: status, Code: code, Detail: &message}
	if object != "" {
		p.Object = &object
	}
	if remedy != "" {
		p.Remedy = &remedy
	}
	return p
}

func statusOf(f *fault.Error) int {
	switch f.Code {
	case fault.UnknownTask.Code, fault.UnknownOperation.Code, fault.UnknownComparison.Code, fault.ReportMissing.Code, fault.NoSyncPoint.Code:
		return http.StatusNotFound
	case fault.Unauthorized.Code:
		return http.StatusUnauthorized
	case fault.NameTaken.Code, fault.RefusedInState.Code:
		return http.StatusConflict
	case fault.InvalidField.Code, fault.UnknownField.Code, fault.InvalidFile.Code:
		return http.StatusUnprocessableEntity
	case fault.TemporalUnavailable.Code, fault.NoWorker.Code, fault.KeysMissing.Code:
		return http.StatusServiceUnavailable
	case fault.Internal.Code:
		return http.StatusInternalServerError
	default:
		return http.StatusBadGateway // what a worker says of the databases
	}
}

// httpProblem is what Echo refuses by itself: paths, methods, bodies.
func httpProblem(err *echo.HTTPError) api.Problem {
	if err.Code == http.StatusBadRequest {
		message := "the request cannot be read"
		var field *json.UnmarshalTypeError
		switch cause := errors.Unwrap(err); {
		case errors.As(err, &field):
			message = field.Field + ": must be a " + field.Type.String()
		case cause != nil && strings.Contains(cause.Error(), "unknown field"):
			return newProblem(http.StatusUnprocessableEntity, fault.UnknownField.Code, unknownField(cause), fault.UnknownField.Message, fault.UnknownField.Remedy)
		}
		return newProblem(http.StatusBadRequest, fault.InvalidField.Code, "", message, fault.InvalidField.Remedy)
	}
	return newProblem(err.Code, fault.InvalidField.Code, "", strings.ToLower(http.StatusText(err.Code)), "see /openapi.yaml for paths and methods")
}

func unknownField(err error) string {
	_, name, _ := strings.Cut(err.Error(), "unknown field ")
	return strings.Trim(name, `"`)
}

// handleError answers a failed request.
func handleError(log zerolog.Logger) echo.HTTPErrorHandler {
	return func(err error, c echo.Context) {
		if c.Response().Committed {
			return
		}
		p := problem(err)
		if p.Status >= http.StatusInternalServerError {
			log.Warn().Str("path", c.Path()).Str("code", p.Code).Err(err).Msg("request failed")
		}
		c.Response().Header().Set(echo.HeaderContentType, "application/problem+json")
		c.Response().WriteHeader(p.Status)
		if err := json.NewEncoder(c.Response()).Encode(p); err != nil {
			log.Debug().Err(err).Msg("answer not written")
		}
	}
}

// strictJSON refuses unknown fields in request bodies.
type strictJSON struct{ echo.DefaultJSONSerializer }

// Deserialize decodes a body and refuses unknown fields.
func (strictJSON) Deserialize(c echo.Context, into any) error {
	decoder := json.NewDecoder(c.Request().Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return echo.NewHTTPError(http.StatusBadRequest).SetInternal(err)
	}
	return nil
}
