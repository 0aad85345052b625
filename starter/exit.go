package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/web/api"
)

// Exit statuses (interfaces.md).
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitRefused     = 3
	exitCheck       = 4
	exitTimeout     = 5
	exitUnreachable = 6
)

// refusal is an error that the server answered.
type refusal struct{ api.Problem }

// Error prints code, object and detail.
func (r *refusal) Error() string {
	return headline(r.Problem)
}

// exitStatus decides about the exit status; nothing else does.
func exitStatus(err error) int {
	var answered *refusal
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &answered):
		return exitOfStatus(answered.Status)
	case isOne(err, fault.Usage, fault.NeedsConsent, fault.InvalidField, fault.UnknownField, fault.InvalidFile, fault.InvalidSetting):
		return exitUsage
	case isOne(err, fault.RetryTable):
		return exitRefused
	case isOne(err, fault.PrecheckBelow, fault.Differs, fault.StopShort, fault.NotWell, fault.TestFailed):
		return exitCheck
	case isOne(err, fault.OutOfTime):
		return exitTimeout
	case isOne(err, fault.ServerSilent, fault.OutcomeLost, fault.StrangeAnswer):
		return exitUnreachable
	default:
		return exitFailed
	}
}

func exitOfStatus(status int) int {
	switch status {
	case http.StatusConflict, http.StatusPreconditionFailed:
		return exitRefused
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return exitUsage
	case http.StatusServiceUnavailable:
		return exitUnreachable
	default:
		return exitFailed
	}
}

func isOne(err error, definitions ...fault.Definition) bool {
	for _, d := range definitions {
		if errors.Is(err, d) {
			return true
		}
	}
	return false
}

// asUsage makes wrong usage of what cobra says about arguments and flags.
func asUsage(err error) error {
	if _, ok := fault.As(err); ok {
		return err
	}
	return fault.Usage.New("", "%s", strings.ReplaceAll(err.Error(), "\n", " "))
}

// problemOf gives every error the form of the API's errors.
func problemOf(err error) api.Problem {
	if answered, ok := errors.AsType[*refusal](err); ok {
		return answered.Problem
	}
	p := api.Problem{Type: "about:blank", Title: "failed", Code: fault.Internal.Code}
	f, ok := fault.As(err)
	if !ok {
		p.Detail = new(err.Error())
		return p
	}
	detail := f.Message
	if f.Err != nil {
		detail += ": " + f.Err.Error()
	}
	p.Code, p.Detail, p.Object, p.Remedy = f.Code, &detail, filled(f.Object), filled(f.Remedy)
	if fields, ok := errors.AsType[*fieldErrors](err); ok {
		p.Detail, p.Fields = &f.Message, &fields.list
	}
	return p
}

// report prints an error to standard error: for people, and with -o json the
// problem as the last line too.
func (a *app) report(err error) {
	p := problemOf(err)
	fmt.Fprintf(a.errOut, "shardlift: %s\n", headline(p))
	line := func(label, text string) {
		if text != "" {
			fmt.Fprintf(a.errOut, "  %-10s %s\n", label+":", text)
		}
	}
	for _, f := range value(p.Fields) {
		line("field", f.Field+": "+f.Message)
	}
	if state := value(p.State); state != "" {
		line("state", state+" ("+lifecycle.Status(state).Label()+")")
	}
	if p.AvailableActions != nil {
		line("possible", strings.Join(orDash(*p.AvailableActions), ", "))
	}
	if id := value(p.OperationID); id != "" {
		line("operation", id+" (GET /api/v1/operations/ID tells what became of it)")
	}
	line("remedy", value(p.Remedy))
	if a.json() {
		_ = json.NewEncoder(a.errOut).Encode(p)
	}
}

func headline(p api.Problem) string {
	parts := []string{p.Code}
	if object := value(p.Object); object != "" {
		parts = append(parts, object)
	}
	if value(p.Outcome) == "unknown" {
		parts = append(parts, p.Title)
	}
	switch detail := value(p.Detail); {
	case strings.HasPrefix(detail, p.Code+": "):
		return detail // the engine's own text names code and object already
	case detail != "":
		parts = append(parts, detail)
	default:
		parts = append(parts, p.Title)
	}
	return strings.Join(parts, ": ")
}

func orDash(list []string) []string {
	if len(list) == 0 {
		return []string{"-"}
	}
	return list
}

// value is the zero value for a nil pointer.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// filled is nil for the zero value: what is not given is not sent.
func filled[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
