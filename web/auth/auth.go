package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"shardlift/internal/fault"
)

const (
	cookieName = "shardlift"
	cookieLife = 12 * time.Hour
)

// Guard holds the token. It is safe for concurrent use.
type Guard struct{ token string }

// New returns the guard of a token, which must not be empty.
func New(token string) (*Guard, error) {
	if token == "" {
		return nil, fault.Unauthorized.New("API token", "it is empty")
	}
	return &Guard{token}, nil
}

// API lets requests with the bearer token through.
func (g *Guard) API(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		given, ok := strings.CutPrefix(c.Request().Header.Get(echo.HeaderAuthorization), "Bearer ")
		if !ok || !g.matches(given) {
			c.Response().Header().Set(echo.HeaderWWWAuthenticate, "Bearer")
			return fault.Unauthorized.New("request", "")
		}
		return next(c)
	}
}

// Page lets requests with a valid cookie through and sends others to the sign-in page.
func (g *Guard) Page(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		cookie, err := c.Cookie(cookieName)
		if err != nil || !g.validCookie(cookie.Value, time.Now()) {
			return c.Redirect(http.StatusSeeOther, "/sign-in")
		}
		return next(c)
	}
}

// SignIn sets the cookie when the token is right.
func (g *Guard) SignIn(c echo.Context, token string) bool {
	if !g.matches(strings.TrimSpace(token)) {
		return false
	}
	until := time.Now().Add(cookieLife)
	c.SetCookie(&http.Cookie{
		Name: cookieName, Value: g.sign(until), Path: "/", Expires: until,
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: c.Scheme() == "https",
	})
	return true
}

// Loopback lets requests from this machine through, but not what a proxy on it
// passes on.
func Loopback(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		host, _, err := net.SplitHostPort(c.Request().RemoteAddr)
		forwarded := slices.ContainsFunc([]string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"}, func(header string) bool {
			return c.Request().Header.Get(header) != ""
		})
		if err != nil || forwarded || !net.ParseIP(host).IsLoopback() {
			return echo.ErrNotFound
		}
		return next(c)
	}
}

func (g *Guard) matches(given string) bool {
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(g.token))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

func (g *Guard) sign(until time.Time) string {
	body := strconv.FormatInt(until.Unix(), 10)
	return body + "." + base64.RawURLEncoding.EncodeToString(g.mac(body))
}

func (g *Guard) mac(body string) []byte {
	h := hmac.New(sha256.New, []byte("shardlift/cookie\x00"+g.token))
	fmt.Fprint(h, body)
	return h.Sum(nil)
}

func (g *Guard) validCookie(value string, now time.Time) bool {
	body, signature, ok := strings.Cut(value, ".")
	if !ok {
		return false
	}
	given, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil || !hmac.Equal(given, g.mac(body)) {
		return false
	}
	until, err := strconv.ParseInt(body, 10, 64)
	return err == nil && now.Unix() < until
}
