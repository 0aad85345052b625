package main

import (
	"context"
	"regexp"

	"github.com/labstack/echo/v4"
)

// Who acted, in a task's history: the token lets everybody in who has it, and a
// client may say who uses it. Users with rights of their own come with their own
// issue.
const (
	actorAPI  = "api"
	actorPage = "web"
	// actorHeader is how a client says who uses it.
	actorHeader = "Shardlift-Actor"
)

var actorName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$`)

type actorKey struct{}

// actor is who acts in a request.
func actor(ctx context.Context) string {
	if name, ok := ctx.Value(actorKey{}).(string); ok {
		return name
	}
	return actorAPI
}

func withActor(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, actorKey{}, name)
}

// takeActor takes over what a client says of its user. It is a client's word, so
// that it never looks like the system's own name.
func takeActor(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		name := c.Request().Header.Get(actorHeader)
		if name == "" {
			return next(c)
		}
		if !actorName.MatchString(name) {
			return invalid(actorHeader, "must have 1 to 64 letters, digits and . _ @ + -")
		}
		c.SetRequest(c.Request().WithContext(withActor(c.Request().Context(), name+" ("+actorAPI+")")))
		return next(c)
	}
}
