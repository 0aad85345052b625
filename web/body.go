package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"shardlift/internal/control"
)

// strictJSON reads request bodies: it refuses unknown fields and wrong types,
// all of them at once, and never repeats a value.
type strictJSON struct{ echo.DefaultJSONSerializer }

// unknownFields are fields that no request has.
type unknownFields []control.FieldError

// Error counts them.
func (u unknownFields) Error() string { return strconv.Itoa(len(u)) + " unknown fields" }

// Deserialize decodes a body.
func (strictJSON) Deserialize(c echo.Context, into any) error {
	data, err := io.ReadAll(c.Request().Body)
	switch {
	case err != nil:
		return err //nolint:wrapcheck // an HTTPError of the body limit
	case len(bytes.TrimSpace(data)) == 0:
		return io.EOF // no body: the generated code knows where it may be missing
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var body any
	if err := decoder.Decode(&body); err != nil {
		return echo.NewHTTPError(http.StatusBadRequest)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return echo.NewHTTPError(http.StatusBadRequest) // more than one value
	}
	var found fields
	found.check(reflect.TypeOf(into).Elem(), body, "")
	switch {
	case len(found.wrong) > 0:
		return &control.Invalid{Fields: append(found.wrong, found.unknown...)}
	case len(found.unknown) > 0:
		return unknownFields(found.unknown)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return echo.NewHTTPError(http.StatusBadRequest)
	}
	return nil
}

// onlyJSON refuses bodies of other types, which Echo would bind by other rules.
func onlyJSON(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Request().ContentLength != 0 {
			kind, _, err := mime.ParseMediaType(c.Request().Header.Get(echo.HeaderContentType))
			if err != nil || kind != echo.MIMEApplicationJSON {
				return echo.ErrUnsupportedMediaType
			}
		}
		return next(c)
	}
}

// fields collects what is wrong with a body.
type fields struct{ wrong, unknown []control.FieldError }

// check compares a decoded value with the type that it is for.
func (f *fields) check(t reflect.Type, v any, path string) {
	for t.Kind() == reflect.Pointer {
		if v == nil {
			return
		}
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		f.custom(t, v, path)
		return
	}
	ok := false
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		var object map[string]any
		if object, ok = v.(map[string]any); ok {
			f.object(t, object, path)
		}
	case reflect.Slice:
		var list []any
		list, ok = v.([]any)
		for i, element := range list {
			f.check(t.Elem(), element, path+"["+strconv.Itoa(i)+"]")
		}
	case reflect.String:
		_, ok = v.(string)
	case reflect.Bool:
		_, ok = v.(bool)
	default:
		var n json.Number
		if n, ok = v.(json.Number); ok {
			_, err := strconv.ParseInt(string(n), 10, t.Bits())
			ok = err == nil
		}
	}
	if !ok {
		f.wrong = append(f.wrong, control.FieldError{Field: orBody(path), Message: "must be " + kindOf(t)})
	}
}

func (f *fields) object(t reflect.Type, object map[string]any, path string) {
	for _, key := range slices.Sorted(maps.Keys(object)) {
		at := strings.TrimPrefix(path+"."+key, ".")
		if t.Kind() == reflect.Map {
			f.check(t.Elem(), object[key], at)
			continue
		}
		if field, ok := fieldOf(t, key); ok {
			f.check(field, object[key], at)
		} else {
			f.unknown = append(f.unknown, control.FieldError{Field: at, Message: "is unknown"})
		}
	}
}

// custom lets a type with a decoder of its own try.
func (f *fields) custom(t reflect.Type, v any, path string) {
	data, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(data, reflect.New(t).Interface())
	}
	if err != nil {
		f.wrong = append(f.wrong, control.FieldError{Field: orBody(path), Message: "must be a time as RFC 3339 has it"})
	}
}

func fieldOf(t reflect.Type, key string) (reflect.Type, bool) {
	for field := range t.Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name == key {
			return field.Type, true
		}
	}
	return nil, false
}

func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice:
		return "a list"
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	default:
		return "a whole number"
	}
}

func orBody(path string) string {
	if path == "" {
		return "body"
	}
	return path
}
