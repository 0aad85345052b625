package alarm

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
	"shardlift/internal/secret"
)

func example() Alarm {
	return Alarm{
		TaskID: "t1", Name: "shop-to-ddm", Kind: "failed", Active: true, Status: "INCRE_TRANSFER_FAILED", Code: "SL-2513",
		Text: "a statement on the source changes selected tables", Remedy: "make the same change, then resume", At: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC),
	}
}

func TestSend_WebhookGetsSignedJSON(t *testing.T) {
	var body []byte
	var header http.Header
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		header = r.Header
		body, _ = io.ReadAll(r.Body)
	}))
	defer server.Close()
	s, err := New(Config{Webhook: secret.NewText(server.URL + "/canary-token"), Secret: secret.NewText("canary-key")})
	require.NoError(t, err)
	require.NoError(t, s.Send(t.Context(), example()))
	var got map[string]any
	require.NoError(t, json.Unmarshal(body, &got))
	require.Equal(t, Schema, got["schema"])
	require.Equal(t, "failed", got["kind"])
	require.Equal(t, true, got["active"])
	mac := hmac.New(sha256.New, []byte("canary-key"))
	mac.Write(body)
	require.Equal(t, "sha256="+hex.EncodeToString(mac.Sum(nil)), header.Get(SignatureHeader))
}

func TestSend_WebhookThatRefusesIsAnErrorWithoutItsURL(t *testing.T) {
	server := httptest.NewServer(http.RedirectHandler("http://127.0.0.1:1/", http.StatusFound))
	s, err := New(Config{Webhook: secret.NewText(server.URL + "/canary-token")})
	require.NoError(t, err)
	err = s.Send(t.Context(), example())
	require.ErrorIs(t, err, fault.WebhookFailed, "a redirect is not followed")
	server.Close()
	err = s.Send(t.Context(), example())
	require.ErrorIs(t, err, fault.WebhookFailed)
	require.NotContains(t, err.Error(), "canary")
}

func TestNew_RefusesWhatCannotWork(t *testing.T) {
	for name, c := range map[string]Config{
		"no URL":          {Webhook: secret.NewText("canary-token")},
		"no port":         {SMTP: SMTP{Server: "mail", From: "a@x.org", To: []string{"b@x.org"}}},
		"nobody":          {SMTP: SMTP{Server: "mail:25", From: "a@x.org"}},
		"no sender":       {SMTP: SMTP{Server: "mail:25", To: []string{"b@x.org"}}},
		"no address":      {SMTP: SMTP{Server: "mail:25", From: "a@x.org", To: []string{"b x"}}},
		"password, plain": {SMTP: SMTP{Server: "mail:25", TLS: TLSNone, User: "u", From: "a@x.org", To: []string{"b@x.org"}}},
	} {
		_, err := New(c)
		require.ErrorIs(t, err, fault.InvalidSetting, name)
		require.NotContains(t, fmt.Sprint(err), "canary", name)
	}
	var none *Sender
	require.False(t, none.Configured())
}

func TestSend_MailArrives(t *testing.T) {
	got := make(chan string, 1)
	server := smtpServer(t, got, "250 ok")
	s, err := New(Config{SMTP: SMTP{Server: server, TLS: TLSNone, From: "shardlift@x.org", To: []string{"dba@x.org", "ops@x.org"}}})
	require.NoError(t, err)
	require.True(t, s.Configured())
	require.NoError(t, s.Send(t.Context(), example()))
	mail := <-got
	require.Contains(t, mail, "RCPT TO:<dba@x.org>")
	require.Contains(t, mail, "RCPT TO:<ops@x.org>")
	require.Contains(t, mail, "ALARM shop-to-ddm: failed SL-2513")
	require.Contains(t, mail, "Remedy: make the same change, then resume")
}

func TestSend_MailThatIsRefusedIsAnError(t *testing.T) {
	server := smtpServer(t, make(chan string, 1), "550 no such user")
	s, err := New(Config{SMTP: SMTP{Server: server, TLS: TLSNone, From: "shardlift@x.org", To: []string{"dba@x.org"}}})
	require.NoError(t, err)
	require.ErrorIs(t, s.Send(t.Context(), example()), fault.MailFailed)
	// And a server without STARTTLS is refused where TLS is wanted.
	s, err = New(Config{SMTP: SMTP{Server: smtpServer(t, make(chan string, 1), "250 ok"), From: "shardlift@x.org", To: []string{"dba@x.org"}}})
	require.NoError(t, err)
	require.ErrorIs(t, s.Send(t.Context(), example()), fault.MailFailed)
}

// smtpServer takes one mail; recipients get the answer given. It speaks no TLS.
func smtpServer(t *testing.T, got chan<- string, recipient string) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	t.Cleanup(func() { _ = listener.Close(); <-done })
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		serveMail(conn, got, recipient)
	}()
	return listener.Addr().String()
}

func serveMail(conn net.Conn, got chan<- string, recipient string) {
	var seen strings.Builder
	say := func(line string) { _, _ = io.WriteString(conn, line+"\r\n") }
	say("220 test")
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		line := lines.Text()
		seen.WriteString(line + "\n")
		switch verb, _, _ := strings.Cut(strings.ToUpper(line), " "); verb {
		case "EHLO", "HELO", "MAIL", "NOOP", "RSET":
			say("250 ok")
		case "RCPT":
			say(recipient)
		case "DATA":
			say("354 go on")
			for lines.Scan() && lines.Text() != "." {
				seen.WriteString(lines.Text() + "\n")
			}
			got <- seen.String()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("502 not known")
		}
	}
}
