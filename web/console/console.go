// Package console holds the pages. For now: sign in, a plain first page that
// lists tasks with links to the Temporal Web UI, and a page of each task with the
// tables that stand apart from it. Everything is escaped by
// html/template; no script is used.
package console

import (
	"embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed *.html style.css
var files embed.FS

// Task is one line of the list.
type Task struct {
	Name, ID, Status, Phase, Attention, Source, Destination, Created, URL string
	// Delay is that of a task that applies changes, "" where it is not known.
	Delay string
}

// Tasks is the first page.
type Tasks struct {
	Tasks []Task
	// More says that there are older tasks.
	More    bool
	Error   string
	WebUI   string
	Version string
}

// TaskPage is the page of one task.
type TaskPage struct {
	ID, Name, Status, LastError, URL string
	Groups                           []Group
	// Error is why a button did nothing.
	Error   string
	Version string
}

// Group is one line of the tables that stand apart; Actions are its buttons.
type Group struct {
	No                          int
	Tables                      []string
	State, Since, Error, Remedy string
	Actions                     []string
}

// SignIn is the page that asks for the token.
type SignIn struct{ Wrong bool }

// Pages renders the pages.
type Pages struct{ templates *template.Template }

// New parses the pages.
func New() (*Pages, error) {
	t, err := template.ParseFS(files, "*.html")
	if err != nil {
		return nil, fmt.Errorf("parse pages: %w", err)
	}
	return &Pages{t}, nil
}

// Tasks writes the first page.
func (p *Pages) Tasks(w io.Writer, data Tasks) error {
	return p.templates.ExecuteTemplate(w, "tasks.html", data) //nolint:wrapcheck // the caller names the page
}

// Task writes the page of a task.
func (p *Pages) Task(w io.Writer, data TaskPage) error {
	return p.templates.ExecuteTemplate(w, "task.html", data) //nolint:wrapcheck // the caller names the page
}

// SignIn writes the sign-in page.
func (p *Pages) SignIn(w io.Writer, data SignIn) error {
	return p.templates.ExecuteTemplate(w, "sign-in.html", data) //nolint:wrapcheck // the caller names the page
}

// Style returns the style sheet.
func Style() ([]byte, error) {
	data, err := files.ReadFile("style.css")
	if err != nil {
		return nil, fmt.Errorf("read style sheet: %w", err)
	}
	return data, nil
}
