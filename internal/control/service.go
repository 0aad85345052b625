package control

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/secret"
)

const (
	// workerTime is how long a command or a query waits for a worker.
	workerTime = 5 * time.Second
	// temporalTime is how long Temporal's own answers are waited for, and never
	// less than a worker's.
	temporalTime = 5 * time.Second
	// acceptedTime is how long an accepted command is waited for: a step on a
	// database of at most 20 s, or a pause of 3 s. It goes on after that.
	acceptedTime = 25 * time.Second
)

// Service is safe for concurrent use.
type Service struct {
	Temporal client.Client
	// Namespace is the Temporal namespace of the client.
	Namespace string
	// Workers returns the workers' public key.
	Workers func() (secret.PublicKey, error)
	// Own is web's own key ring: what pages show of endpoints, and answers of inspections.
	Own *secret.KeyRing
	// HeartbeatTimeout of new tasks.
	HeartbeatTimeout time.Duration
	// WorkerTime is how long a command or a query waits for a worker, 5 s when zero.
	WorkerTime time.Duration
	// CommandTime is how long an accepted command is waited for, 25 s when zero.
	CommandTime time.Duration
	// WebUI is the base URL of the Temporal Web UI, without a slash at the end.
	WebUI string
}

func (s *Service) workerTime() time.Duration {
	if s.WorkerTime > 0 {
		return s.WorkerTime
	}
	return workerTime
}

func (s *Service) temporalTime() time.Duration { return max(s.workerTime(), temporalTime) }

func (s *Service) commandTime() time.Duration {
	if s.CommandTime > 0 {
		return s.CommandTime
	}
	return acceptedTime
}

// Unknown says that a command's outcome is not known: no worker answered in
// time, and it may still be applied when one comes.
type Unknown struct {
	OperationID string
	Cause       error
}

// Error says what is not known.
func (u *Unknown) Error() string {
	return "outcome unknown: no worker answered in time; the command may still be applied"
}

// Unwrap returns why nothing was answered.
func (u *Unknown) Unwrap() error { return u.Cause }

// Refused is a command that the task refused; nothing has changed.
type Refused struct{ contract.Refusal }

// Error prints code and message.
func (r *Refused) Error() string { return r.Code + ": " + r.Message }

// Invalid holds the wrong fields of a request.
type Invalid struct{ Fields []FieldError }

// FieldError names one wrong field.
type FieldError struct{ Field, Message string }

// Error prints every field.
func (i *Invalid) Error() string {
	parts := make([]string, len(i.Fields))
	for n, f := range i.Fields {
		parts[n] = f.Field + ": " + f.Message
	}
	return fault.InvalidField.Code + ": " + strings.Join(parts, "; ")
}

var idPattern = regexp.MustCompile(`^[0-9a-f]{32}$`)

// Resolve turns a name or an id into an id. Names are found through the
// workflow that reserves them, because visibility lags.
func (s *Service) Resolve(ctx context.Context, task string) (string, error) {
	if idPattern.MatchString(task) {
		return task, nil
	}
	holder, err := s.nameHolder(ctx, task)
	return holder.taskID, err
}

func decode(p *commonpb.Payload, into any) error {
	if p == nil {
		return errors.New("missing")
	}
	if err := converter.GetDefaultDataConverter().FromPayload(p, into); err != nil {
		return fmt.Errorf("decode payload: %w", err)
	}
	return nil
}

// unavailable tells a missing task from a Temporal that does not answer.
func unavailable(err error, object string) error {
	var missing *serviceerror.NotFound
	var invalid *serviceerror.InvalidArgument
	if errors.As(err, &missing) || errors.As(err, &invalid) { // a name that cannot be one
		return fault.UnknownTask.New(object, "")
	}
	return fault.TemporalUnavailable.Wrap(err, object)
}

// newID returns a fresh task id, or the id that belongs to an idempotency key.
func newID(key string) (string, error) {
	if key != "" {
		sum := sha256.Sum256([]byte("shardlift/task\x00" + key))
		return hex.EncodeToString(sum[:16]), nil
	}
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return "", fmt.Errorf("make task id: %w", err)
	}
	return hex.EncodeToString(id[:]), nil
}

// URL is the task's page in the Temporal Web UI.
func (s *Service) URL(taskID string) string {
	return fmt.Sprintf("%s/namespaces/%s/workflows/%s", s.WebUI, s.Namespace, strings.ReplaceAll(contract.MigrationID(taskID), "/", "%2F"))
}
