package task

import (
	"slices"
	"strings"
)

// Missing names the fields that a draft may lack and this file lacks. A task
// with one of them has no pre-check.
func (f File) Missing() []string {
	var out []string
	for _, field := range []struct {
		name  string
		given bool
	}{
		{"source.host", f.Source.Host != ""},
		{"source.user", f.Source.User != ""},
		{"destination.host", f.Destination.Host != ""},
		{"destination.user", f.Destination.User != ""},
		{"objects", len(f.Objects) > 0},
	} {
		if !field.given {
			out = append(out, field.name)
		}
	}
	return out
}

// ValidateDraft is Validate without what a draft may lack.
func (f File) ValidateDraft() []FieldError {
	missing := f.Missing()
	return slices.DeleteFunc(f.Validate(), func(e FieldError) bool { return slices.Contains(missing, e.Field) })
}

// Template is the file that a Spec was made of, as far as it can be told without
// the workers' key, and the fields that it lacks: passwords, certificates and
// data nodes never come back.
func (s Spec) Template(source, destination Shown) (File, []string) {
	f := File{
		Version: 1, Name: s.Name, Description: s.Description, Type: s.Type, WorkerGroup: s.WorkerGroup,
		Source: s.Source.template(source), Destination: s.Destination.template(destination),
		Objects: s.Objects, Policy: s.Policy, Limits: s.Limits, Tags: s.Tags, ExpiredDays: s.ExpiredDays, Alarms: s.Alarms,
	}
	missing := f.Missing()
	for _, side := range []struct {
		name   string
		sealed SealedSide
	}{{"source", s.Source}, {"destination", s.Destination}} {
		missing = append(missing, side.name+".password")
		if strings.HasPrefix(side.sealed.TLSMode, "verify-") {
			missing = append(missing, side.name+".tls")
		}
		if side.sealed.DataNodes > 0 {
			missing = append(missing, side.name+".data_nodes")
		}
	}
	return f, missing
}

func (s SealedSide) template(shown Shown) Endpoint {
	return Endpoint{
		Kind: s.Kind, Host: shown.Host, Port: shown.Port, User: shown.User, TLS: TLS{Mode: s.TLSMode},
		MaxConnections: s.MaxConnections, MetadataSchema: s.MetadataSchema,
	}
}

// GiveCredentials takes what set-credentials brings out of a draft's missing fields.
func (s *Spec) GiveCredentials(side Side) {
	s.Missing = slices.DeleteFunc(s.Missing, func(field string) bool {
		return field == string(side)+".password" || field == string(side)+".user"
	})
}
