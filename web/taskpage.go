package main

import (
	"bytes"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"shardlift/internal/contract"
	"shardlift/internal/control"
	"shardlift/internal/fault"
	"shardlift/internal/lifecycle"
	"shardlift/web/auth"
	"shardlift/web/console"
)

func registerTaskPage(e *echo.Echo, h *handlers, guard *auth.Guard, pages *console.Pages) {
	e.GET("/tasks/:id", func(c echo.Context) error { return h.taskPage(c, pages, http.StatusOK, "") }, guard.Page)
	e.POST("/tasks/:id/tables", func(c echo.Context) error {
		if err := h.pressed(c); err != nil {
			p := problem(err)
			return h.taskPage(c, pages, p.Status, p.Code+": "+value(p.Detail)+"; "+value(p.Remedy))
		}
		return c.Redirect(http.StatusSeeOther, "/tasks/"+c.Param("id"))
	}, guard.Page, ownOrigin)
}

// ownOrigin refuses forms of other sites, which the strict cookie keeps out of
// newer browsers only.
func ownOrigin(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if from := c.Request().Header.Get("Sec-Fetch-Site"); from != "" && from != "same-origin" {
			return echo.ErrForbidden
		}
		return next(c)
	}
}

// pressed carries out a button of a group.
func (h *handlers) pressed(c echo.Context) error {
	ctx := withActor(c.Request().Context(), actorPage)
	id, err := h.service.Resolve(ctx, c.Param("id"))
	if err != nil {
		return err
	}
	view, err := h.service.View(ctx, id)
	if err != nil {
		return err
	}
	for _, g := range view.Groups {
		if strconv.Itoa(g.No) != c.FormValue("group") {
			continue
		}
		r := contract.TablesRequest{Command: command(ctx, &view.Revision), Kind: c.FormValue("kind")}
		if r.Kind == contract.TablesAdd {
			break
		}
		tables := make([]control.TableChange, 0, len(g.Tables))
		for _, n := range g.Tables {
			tables = append(tables, control.TableChange{Name: n})
		}
		_, err := h.service.ChangeTables(ctx, id, r, tables, "")
		return err
	}
	return fault.RetryTable.New("group "+c.FormValue("group"), "")
}

func (h *handlers) taskPage(c echo.Context, pages *console.Pages, status int, failure string) error {
	ctx := c.Request().Context()
	id, err := h.service.Resolve(ctx, c.Param("id"))
	if err != nil {
		return err
	}
	t, err := h.task(ctx, id)
	if err != nil {
		return err
	}
	data := console.TaskPage{ID: id, Name: t.Name, Status: t.StatusLabel, URL: t.Temporal.URL, Version: h.version, Error: failure}
	if e := t.LastError; e != nil {
		data.LastError = e.Code + ": " + e.Message
	}
	for _, g := range value(t.Groups) {
		group := console.Group{No: g.No, State: string(g.State), Since: g.Since.UTC().Format(time.RFC3339)}
		for _, n := range g.Tables {
			group.Tables = append(group.Tables, n.Schema+"."+n.Table)
		}
		if e := g.Error; e != nil {
			group.Error, group.Remedy = e.Code+": "+e.Message, e.Remedy
		}
		if g.State == "parked" {
			group.Actions = groupActions(lifecycle.Status(t.Status))
		}
		data.Groups = append(data.Groups, group)
	}
	var page bytes.Buffer
	if err := pages.Task(&page, data); err != nil {
		return err
	}
	return c.HTMLBlob(status, page.Bytes())
}

// groupActions are the buttons of a parked group.
func groupActions(s lifecycle.Status) []string {
	var out []string
	for _, a := range []struct {
		action lifecycle.Action
		kind   string
	}{
		{lifecycle.RetryTable, contract.TablesRetry}, {lifecycle.RecopyTable, contract.TablesRecopy}, {lifecycle.DropTable, contract.TablesDrop},
	} {
		if a.action.Allowed(s) {
			out = append(out, a.kind)
		}
	}
	return out
}
