package alarm

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
	"shardlift/internal/secret"
)

const (
	mailUser     = "canary-user"
	mailPassword = "canary-password"
)

// strictServer is a mail server that takes mail over TLS from who has signed in
// only, and ends a session at the first thing that RFC 5321, 3207 or 4954 does
// not allow.
type strictServer struct {
	address  string
	config   *tls.Config
	implicit bool
	// refuse answers the recipients, echo the sign-in.
	refuse, echo bool

	mu       sync.Mutex
	mails    []string
	offences []string
	// clear is what came before TLS.
	clear strings.Builder
}

// authority makes a certificate for a name and the pool that trusts it.
func authority(t *testing.T, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// start listens until the test ends.
func (s *strictServer) start(t *testing.T) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.address = listener.Addr().String()
	var sessions sync.WaitGroup
	sessions.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			sessions.Go(func() {
				defer func() { _ = conn.Close() }()
				_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
				s.serve(conn)
			})
		}
	})
	t.Cleanup(func() { _ = listener.Close(); sessions.Wait() })
}

// session is one connection.
type session struct {
	*strictServer
	conn            net.Conn
	lines           *bufio.Reader
	secure          bool
	greeted, signed bool
	sender          bool
	recipients      int
}

func (s *strictServer) serve(conn net.Conn) {
	one := &session{strictServer: s, conn: conn}
	if s.implicit {
		one.conn, one.secure = tls.Server(conn, s.config), true
	}
	one.lines = bufio.NewReader(one.conn)
	one.say("220 strict ESMTP")
	for {
		line, err := one.read()
		if err != nil {
			return
		}
		if err := one.command(line); err != nil {
			if !errors.Is(err, io.EOF) {
				s.mu.Lock()
				s.offences = append(s.offences, err.Error())
				s.mu.Unlock()
			}
			return
		}
	}
}

func (s *session) say(line string) { _, _ = io.WriteString(s.conn, line+"\r\n") }

func (s *session) read() (string, error) {
	line, err := s.lines.ReadString('\n')
	if err != nil {
		return "", err
	}
	if !s.secure {
		s.mu.Lock()
		s.clear.WriteString(line)
		s.mu.Unlock()
	}
	text, ok := strings.CutSuffix(line, "\r\n")
	if !ok || len(text) > 998 || strings.ContainsAny(text, "\r\x00") {
		return "", fmt.Errorf("line %q", line)
	}
	return text, nil
}

func (s *session) command(line string) error {
	verb, rest, _ := strings.Cut(line, " ")
	switch verb = strings.ToUpper(verb); {
	case verb == "EHLO" && rest != "":
		s.greeted = true
		switch {
		case !s.secure:
			s.say("250-strict\r\n250-8BITMIME\r\n250 STARTTLS")
		default:
			s.say("250-strict\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN")
		}
	case verb == "STARTTLS" && s.greeted && !s.secure:
		s.say("220 go on")
		if s.lines.Buffered() > 0 {
			return errors.New("bytes behind STARTTLS")
		}
		upgraded := tls.Server(s.conn, s.config)
		if err := upgraded.Handshake(); err != nil {
			return io.EOF // the client does not trust the server
		}
		s.conn, s.secure, s.greeted, s.lines = upgraded, true, false, bufio.NewReader(upgraded)
	case verb == "AUTH" && s.greeted && s.secure && !s.signed:
		return s.signIn(rest)
	case verb == "MAIL" && s.signed && !s.sender && strings.HasPrefix(rest, "FROM:<"):
		s.sender = true
		s.say("250 ok")
	case verb == "RCPT" && s.sender && strings.HasPrefix(rest, "TO:<"):
		if s.refuse {
			s.say("550 5.1.1 nobody here")
			return nil
		}
		s.recipients++
		s.say("250 ok")
	case verb == "DATA" && s.recipients > 0:
		return s.take()
	case verb == "RSET" || verb == "NOOP":
		s.sender, s.recipients = false, 0
		s.say("250 ok")
	case verb == "QUIT":
		s.say("221 bye")
		return io.EOF
	default:
		s.say("503 not now")
		return fmt.Errorf("%q: secure %v, greeted %v, signed in %v", verb, s.secure, s.greeted, s.signed)
	}
	return nil
}

func (s *session) signIn(rest string) error {
	method, initial, _ := strings.Cut(rest, " ")
	ask := func(prompt string) (string, error) {
		s.say("334 " + base64.StdEncoding.EncodeToString([]byte(prompt)))
		answer, err := s.read()
		if err != nil {
			return "", err
		}
		text, err := base64.StdEncoding.DecodeString(answer)
		return string(text), err
	}
	var user, password string
	switch method {
	case "PLAIN":
		text, err := base64.StdEncoding.DecodeString(initial)
		parts := strings.Split(string(text), "\x00")
		if err != nil || len(parts) != 3 {
			return fmt.Errorf("AUTH PLAIN %q", initial)
		}
		user, password = parts[1], parts[2]
	case "LOGIN":
		var err error
		if user, err = ask("Username:"); err != nil {
			return err
		}
		if password, err = ask("Password:"); err != nil {
			return err
		}
	default:
		return fmt.Errorf("AUTH %q", method)
	}
	if s.echo {
		s.say("535 5.7.8 not " + user + " with " + password + " " + initial)
		return nil
	}
	if user != mailUser || password != mailPassword {
		s.say("535 5.7.8 wrong")
		return nil
	}
	s.signed = true
	s.say("235 2.7.0 welcome")
	return nil
}

// take reads the mail up to its dot and undoes the doubling of dots.
func (s *session) take() error {
	s.say("354 go on")
	var mail []string
	for {
		line, err := s.read()
		if err != nil {
			return err
		}
		if line == "." {
			break
		}
		mail = append(mail, strings.TrimPrefix(line, "."))
	}
	s.mu.Lock()
	s.mails = append(s.mails, strings.Join(mail, "\n"))
	s.mu.Unlock()
	s.sender, s.recipients = false, 0
	s.say("250 2.0.0 taken")
	return nil
}

// TestSend_MailOverTLS: both ways of TLS, with a password, at a server that bears
// no fault; the alarm's text may begin lines with dots and hold other letters.
func TestSend_MailOverTLS(t *testing.T) {
	certificate, roots := authority(t, "127.0.0.1")
	for mode, implicit := range map[string]bool{TLSMandatory: false, "": false, TLSImplicit: true} {
		server := &strictServer{config: &tls.Config{Certificates: []tls.Certificate{certificate}}, implicit: implicit}
		server.start(t)
		s, err := New(Config{SMTP: server.settings(mode, roots)})
		require.NoError(t, err)
		a := example()
		a.Text = ".a table of “Übergröße”\n.\n..: " + strings.Repeat("long ", 300)
		require.NoError(t, s.Send(t.Context(), a), mode)
		require.NoError(t, s.Send(t.Context(), example()), "a second one")
		server.check(t, func(mails, offences []string, clear string) {
			require.Empty(t, offences, mode)
			require.Len(t, mails, 2)
			require.Contains(t, mails[1], "Remedy: make the same change, then resume")
			if implicit {
				require.Empty(t, clear)
			} else {
				require.Equal(t, []string{"EHLO", "STARTTLS", "EHLO", "STARTTLS"}, verbs(clear), "nothing else in clear")
			}
		})
	}
}

func (s *strictServer) settings(mode string, roots *x509.CertPool) SMTP {
	return SMTP{Server: s.address, TLS: mode, User: mailUser, Password: secret.NewText(mailPassword), From: "shardlift@x.org", To: []string{"dba@x.org", "ops@x.org"}, roots: roots}
}

func (s *strictServer) check(t *testing.T, look func(mails, offences []string, clear string)) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	look(slices.Clone(s.mails), slices.Clone(s.offences), s.clear.String())
}

func verbs(text string) (out []string) {
	for line := range strings.Lines(text) {
		verb, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		out = append(out, verb)
	}
	return out
}

// TestSend_MailKeepsItsPassword: it goes to no server whose certificate does not
// fit or whose TLS is too old, and into no error, whatever the server answers.
func TestSend_MailKeepsItsPassword(t *testing.T) {
	own, roots := authority(t, "127.0.0.1")
	other, othersRoots := authority(t, "mail.example.org")
	for name, c := range map[string]struct {
		server *strictServer
		roots  *x509.CertPool
		want   string
	}{
		"unknown authority": {&strictServer{config: &tls.Config{Certificates: []tls.Certificate{own}}}, nil, "certificate"},
		"another's name":    {&strictServer{config: &tls.Config{Certificates: []tls.Certificate{other}}}, othersRoots, "certificate"},
		"old TLS":           {&strictServer{config: &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}}, roots, "protocol version"},
		"echo":              {&strictServer{config: &tls.Config{Certificates: []tls.Certificate{own}}, echo: true}, roots, "the server answers 535"},
		"no such recipient": {&strictServer{config: &tls.Config{Certificates: []tls.Certificate{own}}, refuse: true}, roots, "the server answers 550"},
	} {
		for _, implicit := range []bool{false, true} {
			server := &strictServer{config: c.server.config, implicit: implicit, echo: c.server.echo, refuse: c.server.refuse}
			server.start(t)
			s, err := New(Config{SMTP: server.settings(map[bool]string{false: TLSMandatory, true: TLSImplicit}[implicit], c.roots)})
			require.NoError(t, err)
			err = s.Send(t.Context(), example())
			require.ErrorIs(t, err, fault.MailFailed, name)
			require.ErrorContains(t, err, c.want, name)
			for _, hidden := range []string{mailUser, mailPassword, base64.StdEncoding.EncodeToString([]byte("\x00" + mailUser + "\x00" + mailPassword))} {
				require.NotContains(t, err.Error(), hidden, name)
			}
			server.check(t, func(mails, _ []string, clear string) {
				require.Empty(t, mails, name)
				require.NotContains(t, clear, "AUTH", name)
			})
		}
	}
}
