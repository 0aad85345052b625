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
	var unknownFields unknownFields
	var plain *echo.HTTPError
	switch {
	case errors.As(err, &unknown):
		return api.Problem{
			Type: "about:blank", Title: "outcome unknown", Status: http.StatusServiceUnavailable, Code: fault.NoWorker.Code,
			Detail: new(unknown.Error()), Outcome: new("unknown"), OperationID: &unknown.OperationID, Remedy: new(fault.NoWorker.Remedy),
		}
	case errors.As(err, &refused):
		if c := refused.Code; c == fault.InvalidField.Code || c == fault.StartInPast.Code || c == fault.PauseMode.Code {
			return fieldProblem(fault.Definition{Code: c, Message: refused.Message, Remedy: refused.Remedy}, []control.FieldError{{Field: refused.Object, Message: refused.Message}})
		}
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
		return fieldProblem(fault.InvalidField, invalid.Fields)
	case errors.As(err, &unknownFields):
		return fieldProblem(fault.UnknownField, unknownFields)
	case errors.As(err, &plain):
		return httpProblem(plain)
	}
	if f, ok := fault.As(err); ok {
		return newProblem(statusOf(f), f.Code, f.Object, f.Message, f.Remedy)
	}
	return newProblem(http.StatusInternalServerError, fault.Internal.Code, "", fault.Internal.Message, fault.Internal.Remedy)
}

// fieldProblem says field by field what is wrong with a request.
func fieldProblem(d fault.Definition, wrong []control.FieldError) api.Problem {
	p := newProblem(http.StatusUnprocessableEntity, d.Code, "", d.Message, d.Remedy)
	fields := make([]api.FieldError, 0, len(wrong))
	for _, f := range wrong {
		fields = append(fields, api.FieldError(f))
	}
	p.Fields = &fields
	return p
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
	case fault.InvalidField.Code, fault.UnknownField.Code, fault.InvalidFile.Code, fault.KeyReused.Code:
		return http.StatusUnprocessableEntity
	case fault.TemporalUnavailable.Code, fault.NoWorker.Code, fault.KeysMissing.Code:
		return http.StatusServiceUnavailable
	case fault.Internal.Code:
		return http.StatusInternalServerError
	default:
		return http.StatusBadGateway // what a worker says of the databases
	}
}

// httpProblem is what Echo and the generated code refuse by themselves: paths,
// methods, parameters, bodies.
func httpProblem(err *echo.HTTPError) api.Problem {
	if inner, ok := errors.AsType[*echo.HTTPError](err.Internal); ok {
		err = inner // a body that grew too large while it was read
	}
	message, _ := err.Message.(string)
	if parameter, ok := strings.CutPrefix(message, "Invalid format for parameter "); ok {
		parameter, _, _ = strings.Cut(parameter, ":")
		return fieldProblem(fault.InvalidField, []control.FieldError{{Field: parameter, Message: "has a wrong form"}})
	}
	switch err.Code {
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return newProblem(err.Code, fault.NoSuchPath.Code, "", strings.ToLower(http.StatusText(err.Code)), fault.NoSuchPath.Remedy)
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		return newProblem(err.Code, fault.Unreadable.Code, "", fault.Unreadable.Message, fault.Unreadable.Remedy)
	default:
		return newProblem(err.Code, fault.Internal.Code, "", strings.ToLower(http.StatusText(err.Code)), fault.Internal.Remedy)
	}
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
