package task

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"gopkg.in/yaml.v3"

	"shardlift/internal/fault"
	"shardlift/internal/selection"
)

// Type says which phases a task has.
type Type string

// The types.
const (
	Full            Type = "full"
	FullIncremental Type = "full+incremental"
)

// File is a task file.
type File struct {
	Version     int                 `yaml:"version" json:"version"`
	Name        string              `yaml:"name" json:"name"`
	Description string              `yaml:"description,omitempty" json:"description,omitempty"`
	Type        Type                `yaml:"type" json:"type"`
	WorkerGroup string              `yaml:"worker_group,omitempty" json:"worker_group,omitempty"`
	Source      Endpoint            `yaml:"source" json:"source"`
	Destination Endpoint            `yaml:"destination" json:"destination"`
	Objects     selection.Selection `yaml:"objects" json:"objects"`
	Policy      Policy              `yaml:"policy,omitempty" json:"policy,omitzero"`
	Limits      Limits              `yaml:"limits,omitempty" json:"limits,omitzero"`
	Tags        map[string]string   `yaml:"tags,omitempty" json:"tags,omitempty"`
	ExpiredDays int                 `yaml:"expired_days,omitempty" json:"expired_days,omitempty"`
	Alarms      Alarms              `yaml:"alarms,omitempty" json:"alarms,omitzero"`
}

// Alarms say when a task that goes on needs somebody (drs.md P-14). Whom to tell
// is a setting of the workers.
type Alarms struct {
	// DelaySeconds is the delay that is too much, 1 to 3600; 0 is none.
	DelaySeconds int `yaml:"delay_seconds,omitempty" json:"delay_seconds,omitempty"`
	// CaptureSeconds and ApplySeconds are the same for its parts: source to worker,
	// and worker to destination.
	CaptureSeconds int `yaml:"capture_delay_seconds,omitempty" json:"capture_delay_seconds,omitempty"`
	ApplySeconds   int `yaml:"apply_delay_seconds,omitempty" json:"apply_delay_seconds,omitempty"`
	// ForSeconds is how long one of them has to last; default 360.
	ForSeconds int `yaml:"for_seconds,omitempty" json:"for_seconds,omitempty"`
}

// Off says that no delay is too much.
func (a Alarms) Off() bool {
	return a.DelaySeconds == 0 && a.CaptureSeconds == 0 && a.ApplySeconds == 0
}

// Endpoint is one side. Password and the TLS texts are filled by whoever read
// the files (the command line), never by a file itself.
type Endpoint struct {
	Kind           string    `yaml:"kind,omitempty" json:"kind,omitempty"`
	Host           string    `yaml:"host" json:"host"`
	Port           int       `yaml:"port" json:"port"`
	User           string    `yaml:"user" json:"user"`
	PasswordFile   string    `yaml:"password_file,omitempty" json:"-"`
	PasswordEnv    string    `yaml:"password_env,omitempty" json:"-"`
	Password       string    `yaml:"-" json:"password,omitempty"`
	TLS            TLS       `yaml:"tls,omitempty" json:"tls,omitzero"`
	MaxConnections int       `yaml:"max_connections,omitempty" json:"max_connections,omitempty"`
	MetadataSchema string    `yaml:"metadata_schema,omitempty" json:"metadata_schema,omitempty"`
	DataNodes      []NodeRef `yaml:"data_nodes,omitempty" json:"data_nodes,omitempty"`
}

// String hides host, user and password.
func (e Endpoint) String() string { return "[endpoint]" }

// Format hides host, user and password under every verb.
func (e Endpoint) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[endpoint]")) }

// NodeRef is a data node behind the destination.
type NodeRef struct {
	Host         string `yaml:"host" json:"host"`
	Port         int    `yaml:"port" json:"port"`
	User         string `yaml:"user" json:"user"`
	PasswordFile string `yaml:"password_file,omitempty" json:"-"`
	PasswordEnv  string `yaml:"password_env,omitempty" json:"-"`
	Password     string `yaml:"-" json:"password,omitempty"`
}

// Format hides host, user and password under every verb.
func (n NodeRef) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[data node]")) }

// TLS says how a connection is encrypted and whom it trusts. The _file fields
// are paths on the command line's machine; CA, Cert and Key are their PEM texts.
type TLS struct {
	Mode     string `yaml:"mode,omitempty" json:"mode,omitempty"` // disabled | preferred | required | verify-ca | verify-identity
	CAFile   string `yaml:"ca_file,omitempty" json:"-"`
	CertFile string `yaml:"cert_file,omitempty" json:"-"`
	KeyFile  string `yaml:"key_file,omitempty" json:"-"`
	// CARef, CertRef and KeyRef name files <name>.pem in the workers' folder of certificates.
	CARef         string `yaml:"ca_ref,omitempty" json:"ca_ref,omitempty"`
	CertRef       string `yaml:"cert_ref,omitempty" json:"cert_ref,omitempty"`
	KeyRef        string `yaml:"key_ref,omitempty" json:"key_ref,omitempty"`
	CA            string `yaml:"-" json:"ca,omitempty"`
	Cert          string `yaml:"-" json:"cert,omitempty"`
	Key           string `yaml:"-" json:"key,omitempty"`
	MinVersion    string `yaml:"min_version,omitempty" json:"min_version,omitempty"` // 1.0 | 1.1 | 1.2 | 1.3
	LegacyCiphers bool   `yaml:"legacy_ciphers,omitempty" json:"legacy_ciphers,omitempty"`
}

// Policy says what happens where a user may choose.
type Policy struct {
	DDL        string `yaml:"ddl,omitempty" json:"ddl,omitempty"`               // stop
	Truncate   string `yaml:"truncate,omitempty" json:"truncate,omitempty"`     // apply | stop
	Divergence string `yaml:"divergence,omitempty" json:"divergence,omitempty"` // stop | report
	Sequences  string `yaml:"sequences,omitempty" json:"sequences,omitempty"`   // selected | all
	Apply      string `yaml:"apply,omitempty" json:"apply,omitempty"`           // after-copy | during-copy
	// TableError says what becomes of a table that alone fails: stop the task, or park the table and go on.
	TableError string `yaml:"table_error,omitempty" json:"table_error,omitempty"` // stop | park
}

// ParkTable is the value of Policy.TableError that lets the other tables go on.
const ParkTable = "park"

// DuringCopy is the value of Policy.Apply that applies the binlog beside the copy.
const DuringCopy = "during-copy"

// ParseFile reads a task file. Unknown keys are refused with their line.
// Defaults are set; Validate says whether the values make sense.
func ParseFile(data []byte) (File, error) {
	var f File
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&f); err != nil {
		if errors.Is(err, io.EOF) {
			return f, fault.InvalidFile.New("task file", "it is empty")
		}
		return f, fault.InvalidFile.Wrap(err, "task file")
	}
	f.SetDefaults()
	return f, nil
}

// SetDefaults fills what the file leaves out.
func (f *File) SetDefaults() {
	setDefault(&f.WorkerGroup, "default")
	setDefault(&f.Destination.Kind, "auto")
	setDefault(&f.Source.TLS.Mode, "preferred")
	setDefault(&f.Destination.TLS.Mode, "disabled")
	setDefault(&f.Policy.DDL, "stop")
	setDefault(&f.Policy.Truncate, "apply")
	setDefault(&f.Policy.Divergence, "stop")
	setDefault(&f.Policy.Sequences, "selected")
	setDefault(&f.Policy.Apply, "after-copy")
	setDefault(&f.Policy.TableError, "stop")
	setDefault(&f.Source.Port, 3306)
	setDefault(&f.Destination.Port, 3306)
	setDefault(&f.Source.MaxConnections, 10)
	setDefault(&f.Destination.MaxConnections, 16)
	setDefault(&f.ExpiredDays, 14)
	if !f.Alarms.Off() {
		setDefault(&f.Alarms.ForSeconds, 360)
	}
	if schemas := f.Objects.DestinationSchemas(); len(schemas) > 0 {
		setDefault(&f.Destination.MetadataSchema, schemas[0])
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
