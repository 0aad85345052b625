package auth

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"shardlift/internal/fault"
)

func call(t *testing.T, middleware echo.MiddlewareFunc, edit func(*http.Request)) (*httptest.ResponseRecorder, error) {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	edit(request)
	recorder := httptest.NewRecorder()
	err := middleware(func(c echo.Context) error { return c.NoContent(http.StatusOK) })(echo.New().NewContext(request, recorder))
	return recorder, err
}

func TestGuard_APINeedsTheToken(t *testing.T) {
	g, err := New("canary")
	require.NoError(t, err)
	for header, ok := range map[string]bool{"": false, "Bearer wrong": false, "canary": false, "Basic canary": false, "Bearer canary": true} {
		_, err := call(t, g.API, func(r *http.Request) { r.Header.Set("Authorization", header) })
		if ok {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, fault.Unauthorized, header)
		}
	}
	_, err = New("")
	require.Error(t, err)
}

func TestGuard_CookieIsSignedAndExpires(t *testing.T) {
	g, err := New("canary")
	require.NoError(t, err)
	now := time.Now()
	value := g.sign(now.Add(time.Minute))
	require.NotContains(t, value, "canary")
	require.True(t, g.validCookie(value, now))
	require.False(t, g.validCookie(value, now.Add(2*time.Minute)))
	require.False(t, g.validCookie("9"+value, now))
	other, err := New("other")
	require.NoError(t, err)
	require.False(t, other.validCookie(value, now))

	recorder, err := call(t, g.Page, func(*http.Request) {})
	require.NoError(t, err)
	require.Equal(t, "/sign-in", recorder.Header().Get("Location"))
	recorder, err = call(t, g.Page, func(r *http.Request) { r.AddCookie(&http.Cookie{Name: cookieName, Value: value}) })
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, recorder.Code)
}

func TestLoopback_HidesFromOthers(t *testing.T) {
	for remote, ok := range map[string]bool{"127.0.0.1:1": true, "[::1]:1": true, "10.0.0.1:1": false, "nonsense": false} {
		_, err := call(t, Loopback, func(r *http.Request) { r.RemoteAddr = remote })
		require.Equal(t, ok, err == nil, remote)
	}
	_, err := call(t, Loopback, func(r *http.Request) { r.RemoteAddr = "127.0.0.1:1"; r.Header.Set("X-Forwarded-For", "10.0.0.1") })
	require.Error(t, err)
}
