package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"shardlift/internal/fault"
	"shardlift/internal/task"
	"shardlift/web/api"
)

// fieldErrors are the wrong fields of a task file; it stands under an InvalidFile or InvalidField.
type fieldErrors struct{ list []api.FieldError }

// Error prints every field.
func (e *fieldErrors) Error() string {
	texts := make([]string, len(e.list))
	for i, f := range e.list {
		texts[i] = f.Field + ": " + f.Message
	}
	return strings.Join(texts, "; ")
}

// parseTaskFile reads and validates a task file ("-" is standard input) without
// opening the files that it names.
func (a *app) parseTaskFile(path string) (task.File, error) {
	var f task.File
	if path == "" {
		return f, fault.Usage.New("--file", "name the task file with -f; `shardlift init` writes one")
	}
	data, err := a.readInput(path)
	if err != nil {
		return f, err
	}
	f, err = task.ParseFile(data)
	if err != nil {
		return f, unreadable(err, path)
	}
	if a.objectList != "" {
		list, err := a.readObjectList(a.objectList)
		if err != nil {
			return f, err
		}
		f.Objects = narrowTo(f.Objects, list)
		f.SetDefaults()
	}
	return f, a.wrongFields(f, data, path)
}

// validate says what is wrong with a complete file, or with a draft.
func (a *app) validate(f task.File) []task.FieldError {
	if a.draft {
		return f.ValidateDraft()
	}
	return f.Validate()
}

// readTaskFile reads a task file with the passwords and certificates it names,
// as the API takes it. Names of files are relative to the task file.
func (a *app) readTaskFile(path string) (task.File, api.TaskFile, error) {
	var sent api.TaskFile
	f, err := a.parseTaskFile(path)
	if err != nil {
		return f, sent, err
	}
	r := reader{folder: filepath.Dir(path), env: a.env}
	r.endpoint("source", &f.Source)
	r.endpoint("destination", &f.Destination)
	if len(r.wrong) > 0 {
		return f, sent, fault.InvalidFile.Wrap(&fieldErrors{r.wrong}, path)
	}
	if wrong := a.validate(f); len(wrong) > 0 { // certificates can be judged only now
		return f, sent, fault.InvalidFile.Wrap(located(wrong, nil), path)
	}
	data, err := json.Marshal(f)
	if err == nil {
		err = json.Unmarshal(data, &sent)
	}
	if err != nil {
		return f, sent, fault.InvalidFile.New(path, "it does not fit the API")
	}
	return f, sent, nil
}

func (a *app) readInput(path string) ([]byte, error) {
	var data []byte
	var err error
	if path == "-" {
		data, err = io.ReadAll(a.in)
	} else {
		data, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fault.FileUnusable.Wrap(err, path)
	}
	return data, nil
}

var (
	yamlLine   = regexp.MustCompile(`line (\d+): (.*)`)
	unknownKey = regexp.MustCompile(`field (\S+) not found in type \S+`)
)

// unreadable gives what the YAML reader says a line and our words.
func unreadable(err error, path string) error {
	var wrong []api.FieldError
	for _, m := range yamlLine.FindAllStringSubmatch(err.Error(), -1) {
		message := m[2]
		if key := unknownKey.FindStringSubmatch(message); key != nil {
			message = fmt.Sprintf("unknown key %q", key[1])
			if key[1] == "password" {
				message += "; passwords do not stand in the file: name password_file or password_env"
			}
		}
		wrong = append(wrong, api.FieldError{Field: "line " + m[1], Message: message})
	}
	if f, ok := fault.As(err); len(wrong) == 0 && ok {
		f.Object = path
		return f
	}
	return fault.InvalidFile.Wrap(&fieldErrors{wrong}, path)
}

func (a *app) wrongFields(f task.File, data []byte, path string) error {
	wrong := a.validate(f)
	if len(wrong) == 0 {
		return nil
	}
	var document yaml.Node
	_ = yaml.Unmarshal(data, &document) // it was read before
	return fault.InvalidFile.Wrap(located(wrong, &document), path)
}

// located adds the line of each field that stands in the document.
func located(wrong []task.FieldError, document *yaml.Node) *fieldErrors {
	out := &fieldErrors{}
	for _, w := range wrong {
		field := w.Field
		if line := lineOf(document, w.Field); line > 0 {
			field = fmt.Sprintf("line %d, %s", line, w.Field)
		}
		out.list = append(out.list, api.FieldError{Field: field, Message: w.Message})
	}
	return out
}

// lineOf finds a path such as objects[0].schema; 0 when it is not there. For a
// missing field it is the line of what it is missing in.
func lineOf(node *yaml.Node, path string) int {
	if node == nil || len(node.Content) == 0 {
		return 0
	}
	node, line := node.Content[0], 0
	for step := range strings.SplitSeq(strings.NewReplacer("[", ".", "]", "").Replace(path), ".") {
		next := child(node, step)
		if next == nil {
			return line
		}
		node, line = next, next.Line
	}
	return line
}

func child(node *yaml.Node, step string) *yaml.Node {
	if node.Kind == yaml.SequenceNode {
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(node.Content) {
			return node.Content[i]
		}
		return nil
	}
	if node.Kind != yaml.MappingNode {
		return nil
	}
	i := slices.IndexFunc(node.Content, func(n *yaml.Node) bool { return n.Value == step })
	for ; i >= 0 && i+1 < len(node.Content); i += 2 {
		if i%2 == 0 && node.Content[i].Value == step {
			return node.Content[i+1]
		}
	}
	return nil
}

// reader opens what endpoints name.
type reader struct {
	folder string
	env    func(string) string
	wrong  []api.FieldError
}

func (r *reader) endpoint(at string, e *task.Endpoint) {
	e.Password = r.password(at, e.PasswordFile, e.PasswordEnv)
	e.TLS.CA = r.text(at+".tls.ca_file", e.TLS.CAFile)
	e.TLS.Cert = r.text(at+".tls.cert_file", e.TLS.CertFile)
	e.TLS.Key = r.text(at+".tls.key_file", e.TLS.KeyFile)
	for i := range e.DataNodes {
		n := &e.DataNodes[i]
		n.Password = r.password(fmt.Sprintf("%s.data_nodes[%d]", at, i), n.PasswordFile, n.PasswordEnv)
	}
}

func (r *reader) password(at, file, variable string) string {
	switch {
	case file != "" && variable != "":
		r.fail(at+".password_env", "password_file stands beside it: name one of them")
		return ""
	case file != "":
		return withoutNewline(r.text(at+".password_file", file))
	case variable != "":
		password := r.env(variable)
		if password == "" {
			r.fail(at+".password_env", "the environment variable "+variable+" is empty or not set")
		}
		return password
	default:
		return "" // an account without a password
	}
}

func (r *reader) text(field, path string) string {
	if path == "" {
		return ""
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.folder, path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		if cause, ok := errors.AsType[*os.PathError](err); ok {
			err = cause.Err
		}
		r.fail(field, path+": "+err.Error())
	}
	return string(data)
}

func (r *reader) fail(field, message string) {
	r.wrong = append(r.wrong, api.FieldError{Field: field, Message: message})
}

// withoutNewline drops the line end that editors and echo put behind a password.
func withoutNewline(s string) string {
	return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")
}
