package alarm

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"shardlift/internal/fault"
	"shardlift/internal/secret"
)

// Schema is the version of an alarm's JSON.
const Schema = "shardlift.alarm/v1"

// SignatureHeader holds "sha256=" and the HMAC of the body, when there is a secret.
const SignatureHeader = "X-Shardlift-Signature"

// sendTime bounds one transport.
const sendTime = 20 * time.Second

// Alarm is what is told. Names may be added, none is renamed.
type Alarm struct {
	Schema string `json:"schema"`
	TaskID string `json:"task_id"`
	Name   string `json:"name"`
	// Kind is failed, expired, divergence, delay, purge, or what comes later.
	Kind string `json:"kind"`
	// Active is false when the reason has gone.
	Active bool      `json:"active"`
	Status string    `json:"status"`
	Code   string    `json:"code,omitempty"` // SL-NNNN
	Text   string    `json:"text"`
	Remedy string    `json:"remedy,omitempty"`
	At     time.Time `json:"at"`
}

// Config says whom to tell. Without Webhook and SMTP nobody is.
type Config struct {
	// Webhook is an http or https URL; it may hold a token.
	Webhook secret.Text
	// Secret signs the webhook's body.
	Secret secret.Text
	SMTP   SMTP
}

// Sender is safe for concurrent use.
type Sender struct {
	config Config
	http   *http.Client
}

// New checks a configuration; nothing is sent yet.
func New(c Config) (*Sender, error) {
	if address := c.Webhook.Reveal(); address != "" {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fault.InvalidSetting.New("alarm webhook", "want an http or https URL") // never the URL itself
		}
	}
	if err := c.SMTP.check(); err != nil {
		return nil, err
	}
	// A redirect would carry the alarm to somebody nobody named.
	client := &http.Client{Timeout: sendTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &Sender{config: c, http: client}, nil
}

// Configured says whether anybody is told.
func (s *Sender) Configured() bool {
	return s != nil && (!s.config.Webhook.IsEmpty() || s.config.SMTP.Server != "")
}

// Send tells everybody. Errors are fault.WebhookFailed and fault.MailFailed.
func (s *Sender) Send(ctx context.Context, a Alarm) error {
	a.Schema = Schema
	var errs []error
	if !s.config.Webhook.IsEmpty() {
		errs = append(errs, s.post(ctx, a))
	}
	if s.config.SMTP.Server != "" {
		errs = append(errs, s.config.SMTP.send(ctx, a))
	}
	return errors.Join(errs...)
}

func (s *Sender) post(ctx context.Context, a Alarm) error {
	body, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode alarm: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.config.Webhook.Reveal(), bytes.NewReader(body))
	if err != nil {
		return fault.WebhookFailed.New("webhook", "the request cannot be made")
	}
	request.Header.Set("Content-Type", "application/json")
	if key := s.config.Secret.Reveal(); key != "" {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write(body)
		request.Header.Set(SignatureHeader, "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	answer, err := s.http.Do(request)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // the URL may hold a token
		}
		return fault.WebhookFailed.New("webhook", "%v", err)
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection is used again
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fault.WebhookFailed.New("webhook", "it answers %s", answer.Status)
	}
	return nil
}
