package config

import (
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Log is how a program logs.
type Log struct {
	// Level is debug, info, warn or error.
	Level string
	// Format is console, json, or empty for console on a terminal and json elsewhere.
	Format string
}

// Roles of a worker process: which queues it serves.
const (
	RoleControl = "control" // workflows, triggers
	RoleShort   = "short"   // pre-check, plan, inspection, sequences
	RoleCopy    = "copy"    // copy lanes and comparisons
	RoleApply   = "apply"   // binlog apply and source watch
)

// Worker is the settings of shardlift-worker.
type Worker struct {
	Log
	// Data is the data directory, absolute.
	Data string
	// KeysFile is the workers' key ring.
	KeysFile string
	// Roles is not empty and holds no role twice.
	Roles []string
	// Group is the worker group, whose members reach the same databases.
	Group string
	// HTTP is the listen address of /healthz, /readyz and /metrics; empty for none.
	HTTP string
	// MemoryMiB is what the activities of this process may use together.
	MemoryMiB int
	// Certificates is the folder of certificates that tasks refer to by name.
	Certificates string
	// Alarms says whom to tell of tasks that need somebody.
	Alarms Alarms
}

// Alarms is how a worker tells of alarms; without WebhookFile and SMTP nobody is
// told. What may hold a token or a password stands in files.
type Alarms struct {
	WebhookFile, SecretFile string
	SMTP, SMTPUser, SMTPTLS string
	SMTPPasswordFile, From  string
	To                      []string
}

// Web is the settings of shardlift-web.
type Web struct {
	Log
	Data string
	// KeysFile is the workers' key ring; web reads the public part beside it.
	KeysFile string
	// KeyFile is web's own key pair.
	KeyFile   string
	TokenFile string
	Listen    string
	// BehindProxy allows a listen address beyond loopback without TLS.
	BehindProxy      bool
	TLSCert, TLSKey  string
	HeartbeatTimeout time.Duration
	// TemporalUI is the base URL of the Temporal Web UI for links, without a slash at the end.
	TemporalUI string
}

// CommandLine is the settings of shardlift.
type CommandLine struct {
	// Server is the base URL of web, without a slash at the end.
	Server string
	// TokenFile holds the API token.
	TokenFile string
}

// ReadWorker reads the settings of shardlift-worker.
func ReadWorker(args []string, env func(string) string, out io.Writer) (Worker, error) {
	var w Worker
	s := NewSet("shardlift-worker", "shardlift-worker runs the workflows and the activities that reach the databases.")
	dataSettings(s, &w.Data, &w.KeysFile)
	s.Var("roles", "SHARDLIFT_ROLES", "control,short,copy,apply", "which queues to serve: control, short, copy, apply", w.takeRoles)
	s.Var("group", "SHARDLIFT_WORKER_GROUP", "default", "worker group: the tasks of this group come here", name(&w.Group))
	s.Var("http", "SHARDLIFT_WORKER_HTTP", "", "listen address of /healthz, /readyz and /metrics; empty for none", optionalAddress(&w.HTTP))
	s.Var("memory", "SHARDLIFT_MEMORY_MIB", "2048", "MiB that the activities of this process may use together", number(&w.MemoryMiB, 256, 1<<20))
	s.Var("certificates", "SHARDLIFT_CERTIFICATES", "", "folder of the certificates that tasks refer to by name (ca_ref); empty is certificates in the data directory", text(&w.Certificates))
	alarmSettings(s, &w.Alarms)
	logSettings(s, &w.Log)
	if err := s.Parse(args, env, out); err != nil {
		return Worker{}, err
	}
	w.KeysFile = within(w.Data, w.KeysFile, "keys.json")
	w.Certificates = within(w.Data, w.Certificates, "certificates")
	return w, nil
}

// ReadWeb reads the settings of shardlift-web.
func ReadWeb(args []string, env func(string) string, out io.Writer) (Web, error) {
	var w Web
	s := NewSet("shardlift-web", "shardlift-web serves the HTTP API and the pages.")
	s.Var("listen", "SHARDLIFT_LISTEN", "127.0.0.1:8080", "listen address; beyond loopback it needs --tls-cert and --tls-key, or --behind-proxy", address(&w.Listen))
	s.Var("behind-proxy", "SHARDLIFT_BEHIND_PROXY", "false", "a proxy in front speaks TLS: allows plain HTTP beyond loopback", boolean(&w.BehindProxy))
	s.Var("tls-cert", "SHARDLIFT_TLS_CERT", "", "certificate file (PEM)", text(&w.TLSCert))
	s.Var("tls-key", "SHARDLIFT_TLS_KEY", "", "private key file (PEM)", text(&w.TLSKey))
	dataSettings(s, &w.Data, &w.KeysFile)
	s.Var("web-key-file", "SHARDLIFT_WEB_KEY_FILE", "", "web's own key pair, made at the first start; empty is web-key.json in the data directory", text(&w.KeyFile))
	s.Var("token-file", "SHARDLIFT_TOKEN_FILE", "", "API token, made at the first start; empty is the file token in the data directory", text(&w.TokenFile))
	s.Var("heartbeat-timeout", "SHARDLIFT_HEARTBEAT_TIMEOUT", "60s", "heartbeat timeout of new tasks: after so long without a sign a step is given to another worker", duration(&w.HeartbeatTimeout, 5*time.Second, time.Hour))
	s.Var("temporal-ui", "SHARDLIFT_TEMPORAL_UI", "http://127.0.0.1:8233", "base URL of the Temporal Web UI, for links", baseURL(&w.TemporalUI))
	logSettings(s, &w.Log)
	if err := s.Parse(args, env, out); err != nil {
		return Web{}, err
	}
	w.KeysFile = within(w.Data, w.KeysFile, "keys.json")
	w.KeyFile = within(w.Data, w.KeyFile, "web-key.json")
	w.TokenFile = within(w.Data, w.TokenFile, "token")
	return w, w.checkReach()
}

// ReadCommandLine gives the environment and the defaults; the command line's own
// flags (--server, --token-file) come on top.
func ReadCommandLine(env func(string) string) (CommandLine, error) {
	var c CommandLine
	var data string
	s := NewSet("shardlift", "")
	s.Var("server", "SHARDLIFT_SERVER", "http://127.0.0.1:8080", "base URL of web", baseURL(&c.Server))
	s.Var("token-file", "SHARDLIFT_TOKEN_FILE", "", "API token", text(&c.TokenFile))
	s.Var("data", "SHARDLIFT_DATA", "./data", "data directory", directory(&data))
	if err := s.Parse(nil, env, io.Discard); err != nil {
		return CommandLine{}, err
	}
	c.TokenFile = within(data, c.TokenFile, "token")
	return c, nil
}

func dataSettings(s *Set, data, keys *string) {
	s.Var("data", "SHARDLIFT_DATA", "./data", "data directory: keys and token", directory(data))
	s.Var("keys-file", "SHARDLIFT_KEYS_FILE", "", "workers' key ring, made by the first worker; empty is keys.json in the data directory", text(keys))
}

func alarmSettings(s *Set, a *Alarms) {
	s.Var("alarm-webhook-file", "SHARDLIFT_ALARM_WEBHOOK_FILE", "", "file with the URL that gets alarms as JSON; empty for none", text(&a.WebhookFile))
	s.Var("alarm-secret-file", "SHARDLIFT_ALARM_SECRET_FILE", "", "file with the key that signs the webhook's body; empty for none", text(&a.SecretFile))
	s.Var("alarm-smtp", "SHARDLIFT_ALARM_SMTP", "", "mail server for alarms, HOST:PORT; empty for none", optionalAddress(&a.SMTP))
	s.Var("alarm-smtp-user", "SHARDLIFT_ALARM_SMTP_USER", "", "user at the mail server; empty for none", text(&a.SMTPUser))
	s.Var("alarm-smtp-password-file", "SHARDLIFT_ALARM_SMTP_PASSWORD_FILE", "", "file with the user's password", text(&a.SMTPPasswordFile))
	s.Var("alarm-smtp-tls", "SHARDLIFT_ALARM_SMTP_TLS", "mandatory", "mandatory (STARTTLS), implicit or none", oneOf(&a.SMTPTLS, "mandatory", "implicit", "none"))
	s.Var("alarm-from", "SHARDLIFT_ALARM_FROM", "", "sender of the mails", text(&a.From))
	s.Var("alarm-to", "SHARDLIFT_ALARM_TO", "", "comma list of recipients, at most 10", func(v string) error {
		a.To = strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' })
		if len(a.To) > 10 {
			return errors.New("want at most 10 addresses")
		}
		return nil
	})
}

func logSettings(s *Set, l *Log) {
	s.Var("log-level", "SHARDLIFT_LOG_LEVEL", "info", "debug, info, warn or error", oneOf(&l.Level, "debug", "info", "warn", "error"))
	s.Var("log-format", "SHARDLIFT_LOG_FORMAT", "", "console or json; empty is console on a terminal, json elsewhere", oneOf(&l.Format, "", "console", "json"))
}

// everyVariable lists the variables of all programs.
func everyVariable() []string {
	return []string{
		"SHARDLIFT_DATA", "SHARDLIFT_KEYS_FILE", "SHARDLIFT_WEB_KEY_FILE", "SHARDLIFT_HEARTBEAT_TIMEOUT", "SHARDLIFT_LISTEN",
		"SHARDLIFT_TOKEN_FILE", "SHARDLIFT_SERVER", "SHARDLIFT_LOG_LEVEL", "SHARDLIFT_LOG_FORMAT", "SHARDLIFT_ROLES",
		"SHARDLIFT_WORKER_GROUP", "SHARDLIFT_WORKER_HTTP", "SHARDLIFT_MEMORY_MIB", "SHARDLIFT_BEHIND_PROXY",
		"SHARDLIFT_TLS_CERT", "SHARDLIFT_TLS_KEY", "SHARDLIFT_TEMPORAL_UI",
		"SHARDLIFT_CERTIFICATES", "SHARDLIFT_ALARM_WEBHOOK_FILE", "SHARDLIFT_ALARM_SECRET_FILE", "SHARDLIFT_ALARM_SMTP", "SHARDLIFT_ALARM_SMTP_USER",
		"SHARDLIFT_ALARM_SMTP_PASSWORD_FILE", "SHARDLIFT_ALARM_SMTP_TLS", "SHARDLIFT_ALARM_FROM", "SHARDLIFT_ALARM_TO",
	}
}

func (w *Worker) takeRoles(v string) error {
	w.Roles = nil
	for role := range strings.SplitSeq(v, ",") {
		role = strings.TrimSpace(role)
		if !slices.Contains([]string{RoleControl, RoleShort, RoleCopy, RoleApply}, role) {
			return errors.New("want a comma list of control, short, copy, apply")
		}
		if !slices.Contains(w.Roles, role) {
			w.Roles = append(w.Roles, role)
		}
	}
	return nil
}

// within is path, or the file called fallback in the data directory.
func within(data, path, fallback string) string {
	if path == "" {
		return filepath.Join(data, fallback)
	}
	return path
}

func text(to *string) func(string) error {
	return func(v string) error { *to = v; return nil }
}

func name(to *string) func(string) error {
	return func(v string) error {
		if v == "" || strings.ContainsAny(v, " /\t\n") {
			return errors.New("want a name without blanks and slashes")
		}
		*to = v
		return nil
	}
}

func directory(to *string) func(string) error {
	return func(v string) (err error) {
		*to, err = filepath.Abs(v)
		return err
	}
}

func number(to *int, least, most int) func(string) error {
	return func(v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < least || n > most {
			return fmt.Errorf("want a number from %d to %d", least, most)
		}
		*to = n
		return nil
	}
}

func boolean(to *bool) func(string) error {
	return func(v string) error {
		b, err := strconv.ParseBool(v)
		if err != nil {
			return errors.New("want true or false")
		}
		*to = b
		return nil
	}
}

func duration(to *time.Duration, least, most time.Duration) func(string) error {
	return func(v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d < least || d > most {
			return fmt.Errorf("want a duration from %s to %s", least, most)
		}
		*to = d
		return nil
	}
}

func oneOf(to *string, values ...string) func(string) error {
	return func(v string) error {
		if !slices.Contains(values, v) {
			return fmt.Errorf("want one of: %s", strings.TrimPrefix(strings.Join(values, ", "), ", "))
		}
		*to = v
		return nil
	}
}

func address(to *string) func(string) error {
	return func(v string) error {
		_, port, err := net.SplitHostPort(v)
		if n, e := strconv.Atoi(port); err != nil || e != nil || n < 0 || n > 65535 {
			return errors.New("want HOST:PORT")
		}
		*to = v
		return nil
	}
}

func optionalAddress(to *string) func(string) error {
	return func(v string) error {
		if v == "" {
			*to = ""
			return nil
		}
		return address(to)(v)
	}
}
