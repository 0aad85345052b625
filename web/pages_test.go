package main

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shardlift/web/console"
)

func (r *rig) signIn(given string, headers ...string) answer {
	r.t.Helper()
	return r.ask(http.MethodPost, "/sign-in", url.Values{"token": {given}}.Encode(), append(headers, "Authorization", "", "Content-Type", "application/x-www-form-urlencoded")...)
}

// signedIn reads a page with the cookie that signing in gave.
func (r *rig) signedIn(path string) answer {
	r.t.Helper()
	a := r.signIn(token)
	require.Equal(r.t, http.StatusSeeOther, a.status)
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	return r.ask(http.MethodGet, path, "", "Authorization", "", "Cookie", cookie)
}

func TestSignIn_SetsAStrictCookieForTheRightTokenOnly(t *testing.T) {
	r := newRig(t)
	a := r.ask(http.MethodGet, "/", "", "Authorization", "")
	require.Equal(t, http.StatusSeeOther, a.status)
	require.Equal(t, "/sign-in", a.header.Get("Location"))
	require.Contains(t, r.ask(http.MethodGet, "/sign-in", "").body, `type="password"`)

	for _, wrong := range []string{"", "wrong", token + "x"} {
		a := r.signIn(wrong)
		require.Equal(t, http.StatusUnauthorized, a.status)
		require.Empty(t, a.header.Get("Set-Cookie"))
		require.Contains(t, a.body, "That is not the token")
	}
	cookie := r.signIn(token).header.Get("Set-Cookie")
	require.NotContains(t, cookie, token)
	for _, flag := range []string{"HttpOnly", "SameSite=Strict", "Path=/", "Expires="} {
		require.Contains(t, cookie, flag)
	}
	require.NotContains(t, cookie, "Secure")
	require.Contains(t, r.signIn(token, "X-Forwarded-Proto", "https").header.Get("Set-Cookie"), "Secure")

	a = r.ask(http.MethodGet, "/api/v1/tasks", "", "Authorization", "", "Cookie", cookie)
	require.Equal(t, http.StatusUnauthorized, a.status, "the cookie is for pages")
	require.Equal(t, http.StatusSeeOther, r.ask(http.MethodGet, "/", "", "Authorization", "", "Cookie", "shardlift=9999999999.AAAA").status)
}

func TestFirstPage_ListsTasksWithLinks(t *testing.T) {
	r := newRig(t)
	shop := r.create(name())
	require.Eventually(t, func() bool { return strings.Contains(r.signedIn("/").body, shop.Name) }, time.Minute, 50*time.Millisecond)
	page := r.signedIn("/")
	require.Equal(t, http.StatusOK, page.status)
	require.Contains(t, page.body, "db.internal:3306")
	require.Contains(t, page.body, "migration%2F"+shop.ID)
	require.NotContains(t, page.body, "<script")
	require.NotContains(t, page.body, token)
}

func TestFirstPage_EscapesEveryField(t *testing.T) {
	pages, err := console.New()
	require.NoError(t, err)
	const evil = `<script>alert("x")</script>'"&`
	var out bytes.Buffer
	require.NoError(t, pages.Tasks(&out, console.Tasks{
		Error: evil, WebUI: "javascript:alert(1)", Version: evil,
		Tasks: []console.Task{{Name: evil, ID: evil, Status: evil, Phase: evil, Attention: evil, Source: evil, Destination: evil, Created: evil, URL: "javascript:alert(1)"}},
	}))
	require.NotContains(t, out.String(), "<script")
	require.NotContains(t, out.String(), "javascript:")
	require.Contains(t, out.String(), "&lt;script&gt;")
}
