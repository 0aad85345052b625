package main

import (
	"bytes"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"shardlift/internal/control"
	"shardlift/web/auth"
	"shardlift/web/console"
)

// shownTasks is how many tasks the first page lists.
const shownTasks = 100

func registerPages(e *echo.Echo, h *handlers, guard *auth.Guard, pages *console.Pages) {
	e.GET("/", h.firstPage(pages), guard.Page)
	e.GET("/static/style.css", func(c echo.Context) error {
		style, err := console.Style()
		if err != nil {
			return err
		}
		return c.Blob(http.StatusOK, "text/css; charset=utf-8", style)
	})
	e.GET("/sign-in", func(c echo.Context) error { return signInPage(c, pages, http.StatusOK, console.SignIn{}) })
	e.POST("/sign-in", func(c echo.Context) error {
		if !guard.SignIn(c, c.FormValue("token")) {
			return signInPage(c, pages, http.StatusUnauthorized, console.SignIn{Wrong: true})
		}
		return c.Redirect(http.StatusSeeOther, "/")
	})
}

func signInPage(c echo.Context, pages *console.Pages, status int, data console.SignIn) error {
	var page bytes.Buffer
	if err := pages.SignIn(&page, data); err != nil {
		return err
	}
	return c.HTMLBlob(status, page.Bytes())
}

func (h *handlers) firstPage(pages *console.Pages) echo.HandlerFunc {
	return func(c echo.Context) error {
		data := console.Tasks{WebUI: h.service.WebUI, Version: h.version}
		lines, next, err := h.service.List(c.Request().Context(), control.Filter{Limit: shownTasks})
		if err != nil {
			p := problem(err)
			data.Error = p.Code + ": " + value(p.Detail) + "; " + value(p.Remedy)
		}
		data.More = next != ""
		delays := h.service.Delays(c.Request().Context(), lines)
		for _, l := range lines {
			t := renderLine(h.service, l)
			delay := ""
			if ms, known := delays[l.TaskID]; known {
				delay = (time.Duration(ms) * time.Millisecond).Round(100 * time.Millisecond).String()
			}
			data.Tasks = append(data.Tasks, console.Task{
				Delay: delay, Name: t.Name, ID: t.ID, Status: t.StatusLabel, Phase: t.Phase, Attention: t.Attention, Source: value(t.SourceEndpoint),
				Destination: value(t.DestinationEndpoint), Created: t.CreatedAt.UTC().Format(time.RFC3339), URL: h.service.URL(t.ID),
			})
		}
		var page bytes.Buffer
		if err := pages.Tasks(&page, data); err != nil {
			return err
		}
		return c.HTMLBlob(http.StatusOK, page.Bytes())
	}
}
