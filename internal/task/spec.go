package task

import (
	"encoding/json"
	"fmt"

	"shardlift/internal/fault"
	"shardlift/internal/secret"
	"shardlift/internal/selection"
)

// Side names one end of a migration.
type Side string

// The sides.
const (
	SourceSide      Side = "source"
	DestinationSide Side = "destination"
)

// Spec is a task's specification as workflow state and events keep it: nothing
// in it tells a host, a user or a password.
type Spec struct {
	Name        string              `json:"name"`
	Description string              `json:"description,omitempty"`
	Type        Type                `json:"type"`
	WorkerGroup string              `json:"worker_group"`
	Source      SealedSide          `json:"source"`
	Destination SealedSide          `json:"destination"`
	Objects     selection.Selection `json:"objects"`
	Policy      Policy              `json:"policy"`
	Limits      Limits              `json:"limits"`
	Tags        map[string]string   `json:"tags,omitempty"`
	ExpiredDays int                 `json:"expired_days"`
	Alarms      Alarms              `json:"alarms,omitzero"`
	// Missing are the fields that a draft still lacks.
	Missing []string `json:"missing,omitempty"`
}

// SealedSide is one side without its secrets.
type SealedSide struct {
	Kind           string `json:"kind,omitempty"`
	TLSMode        string `json:"tls_mode,omitempty"`
	MaxConnections int    `json:"max_connections"`
	MetadataSchema string `json:"metadata_schema,omitempty"`
	DataNodes      int    `json:"data_nodes,omitempty"`
	// Endpoint is the whole Endpoint for the workers.
	Endpoint secret.Sealed `json:"endpoint"`
	// Credentials replace the endpoint's user and password when they were changed later.
	Credentials secret.Sealed `json:"credentials,omitzero"`
	// Shown is host, port and user for web's pages.
	Shown secret.Sealed `json:"shown"`
}

// Credentials are what set-credentials changes.
type Credentials struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

// Format hides both under every verb.
func (c Credentials) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[credentials]")) }

// Shown is what authenticated pages and answers may show of an endpoint.
type Shown struct {
	Host string `json:"host"`
	Port int    `json:"port"`
	User string `json:"user"`
}

// Seal turns a validated file into a Spec: endpoints for the workers' key,
// what pages show for web's own key.
func (f File) Seal(taskID string, workers, web secret.PublicKey) (Spec, error) {
	source, err := SealEndpoint(taskID, SourceSide, f.Source, workers, web)
	if err != nil {
		return Spec{}, err
	}
	destination, err := SealEndpoint(taskID, DestinationSide, f.Destination, workers, web)
	if err != nil {
		return Spec{}, err
	}
	spec := Spec{
		Name: f.Name, Description: f.Description, Type: f.Type, WorkerGroup: f.WorkerGroup,
		Source: source, Destination: destination, Objects: f.Objects, Policy: f.Policy, Limits: f.Limits,
		Tags: f.Tags, ExpiredDays: f.ExpiredDays, Alarms: f.Alarms, Missing: f.Missing(),
	}
	return spec, spec.bounded()
}

// largestSpec is what a task may have of its file: Temporal keeps at most 2 MB in
// one piece, and the task's state travels with it.
const largestSpec = 1_500_000

func (s Spec) bounded() error {
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	if len(data) > largestSpec {
		return fault.InvalidFile.New("task file", "with its certificates it has %d KB, more than the %d KB that a task can keep: "+
			"refer to certificates with ca_ref, cert_ref and key_ref, and select tables by wildcards instead of by a long list", len(data)/1000, largestSpec/1000)
	}
	return nil
}

// SealEndpoint seals one side.
func SealEndpoint(taskID string, side Side, e Endpoint, workers, web secret.PublicKey) (SealedSide, error) {
	sealed, err := workers.SealJSON(EndpointUse(taskID, side), e)
	if err != nil {
		return SealedSide{}, fmt.Errorf("seal %s: %w", side, err)
	}
	shown, err := web.SealJSON(ShownUse(taskID, side), Shown{e.Host, e.Port, e.User})
	if err != nil {
		return SealedSide{}, fmt.Errorf("seal %s: %w", side, err)
	}
	return SealedSide{
		Kind: e.Kind, TLSMode: e.TLS.Mode, MaxConnections: e.MaxConnections, MetadataSchema: e.MetadataSchema,
		DataNodes: len(e.DataNodes), Endpoint: sealed, Shown: shown,
	}, nil
}

// OpenEndpoint opens one side, with later credentials; workers only.
func OpenEndpoint(taskID string, side Side, s SealedSide, ring *secret.KeyRing) (Endpoint, error) {
	var e Endpoint
	if err := ring.OpenJSON(EndpointUse(taskID, side), s.Endpoint, &e); err != nil {
		return Endpoint{}, fmt.Errorf("open %s endpoint: %w", side, err)
	}
	if s.Credentials.IsZero() {
		return e, nil
	}
	var c Credentials
	if err := ring.OpenJSON(CredentialsUse(taskID, side), s.Credentials, &c); err != nil {
		return Endpoint{}, fmt.Errorf("open %s credentials: %w", side, err)
	}
	e.User, e.Password = c.User, c.Password
	return e, nil
}

// WithCredentials returns the side with another user and password; host, port
// and TLS stay sealed as they are.
func (s SealedSide) WithCredentials(taskID string, side Side, c Credentials, shown Shown, workers, web secret.PublicKey) (SealedSide, error) {
	var err error
	if s.Credentials, err = workers.SealJSON(CredentialsUse(taskID, side), c); err != nil {
		return SealedSide{}, fmt.Errorf("seal %s: %w", side, err)
	}
	shown.User = c.User
	if s.Shown, err = web.SealJSON(ShownUse(taskID, side), shown); err != nil {
		return SealedSide{}, fmt.Errorf("seal %s: %w", side, err)
	}
	return s, nil
}

// CredentialsUse is the use that later credentials are sealed for.
func CredentialsUse(taskID string, side Side) secret.Use {
	return secret.Use{Task: taskID, Field: string(side) + "/credentials"}
}

// EndpointUse is the use an endpoint is sealed for.
func EndpointUse(taskID string, side Side) secret.Use {
	return secret.Use{Task: taskID, Field: string(side)}
}

// ShownUse is the use of what pages show of an endpoint.
func ShownUse(taskID string, side Side) secret.Use {
	return secret.Use{Task: taskID, Field: string(side) + "/shown"}
}
