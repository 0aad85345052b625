package alarm

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"shardlift/internal/fault"
	"shardlift/internal/secret"
)

// SMTP is a mail server. An empty Server is none.
type SMTP struct {
	Server   string // HOST:PORT
	User     string // empty: without authentication
	Password secret.Text
	// TLS is mandatory (STARTTLS, the default), implicit (from the first byte), or none.
	TLS  string
	From string
	To   []string

	roots *x509.CertPool // nil: the system's
}

// TLS modes of a mail server.
const (
	TLSMandatory = "mandatory"
	TLSImplicit  = "implicit"
	TLSNone      = "none"
)

func (m SMTP) check() error {
	if m.Server == "" {
		return nil
	}
	if _, port, err := net.SplitHostPort(m.Server); err != nil || port == "" {
		return fault.InvalidSetting.New("alarm mail server", "want HOST:PORT")
	}
	if len(m.To) == 0 {
		return fault.InvalidSetting.New("alarm recipients", "a mail server without recipients")
	}
	if m.TLS == TLSNone && m.User != "" {
		return fault.InvalidSetting.New("alarm mail server", "a password is never sent without TLS")
	}
	_, err := m.message(Alarm{})
	return err
}

func (m SMTP) message(a Alarm) (*mail.Msg, error) {
	msg := mail.NewMsg()
	if err := msg.From(m.From); err != nil {
		return nil, fault.InvalidSetting.New("alarm sender", "it is no mail address")
	}
	if err := msg.To(m.To...); err != nil {
		return nil, fault.InvalidSetting.New("alarm recipients", "one is no mail address")
	}
	word := "ALARM"
	if !a.Active {
		word = "over"
	}
	msg.Subject(fmt.Sprintf("[shardlift] %s %s: %s", word, a.Name, strings.TrimSpace(a.Kind+" "+a.Code)))
	msg.SetDateWithValue(a.At)
	msg.SetMessageID()
	msg.SetBodyString(mail.TypeTextPlain, a.body())
	return msg, nil
}

func (a Alarm) body() string {
	lines := []string{
		a.Text, "",
		"Task:   " + a.Name + " (" + a.TaskID + ")",
		"Status: " + a.Status,
		"At:     " + a.At.UTC().Format(time.RFC3339),
	}
	if a.Remedy != "" {
		lines = append(lines, "Remedy: "+a.Remedy)
	}
	return strings.Join(append(lines, "", "shardlift show "+a.Name, ""), "\n")
}

func (m SMTP) send(ctx context.Context, a Alarm) error {
	msg, err := m.message(a)
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(m.Server)
	if err != nil {
		return fault.InvalidSetting.New("alarm mail server", "want HOST:PORT")
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return fault.InvalidSetting.New("alarm mail server", "want HOST:PORT")
	}
	options := []mail.Option{
		mail.WithPort(number), mail.WithTimeout(sendTime),
		mail.WithTLSConfig(&tls.Config{ServerName: host, RootCAs: m.roots, MinVersion: tls.VersionTLS12}),
	}
	if m.TLS != TLSImplicit {
		var conn net.Conn
		defer func() {
			if conn != nil { // the client leaves it open where it refuses the server
				_ = conn.Close()
			}
		}()
		options = append(options, mail.WithDialContextFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			var err error
			conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
			return conn, err
		}))
	}
	switch m.TLS {
	case TLSNone:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	case TLSImplicit:
		options = append(options, mail.WithSSL())
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if m.User != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(m.User), mail.WithPassword(m.Password.Reveal()))
	}
	client, err := mail.NewClient(host, options...)
	if err != nil {
		return fault.MailFailed.New("mail", "%v", err)
	}
	if err := client.DialAndSendWithContext(ctx, msg); err != nil {
		return fault.MailFailed.New("mail", "%s", reason(err))
	}
	return nil
}

// reason says why a mail was not taken without the server's own words, which may
// repeat what they answer to: the password.
func reason(err error) string {
	if answer, ok := errors.AsType[*textproto.Error](err); ok {
		return fmt.Sprintf("the server answers %d", answer.Code)
	}
	if refused, ok := errors.AsType[*mail.SendError](err); ok {
		return strings.TrimSpace(fmt.Sprintf("the server answers %d %s", refused.ErrorCode(), refused.EnhancedStatusCode()))
	}
	if _, strange := errors.AsType[textproto.ProtocolError](err); strange {
		return "the server does not speak SMTP"
	}
	return err.Error()
}
