package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Class says what has to happen before the same step can work.
type Class string

const (
	// Retry: the step is repeated by itself (network, locks, a busy server).
	Retry Class = "retry"
	// Operator: the task stops until somebody has changed something, then resumes.
	Operator Class = "operator"
	// Fatal: only a reset or a new task helps (history lost, data diverged).
	Fatal Class = "fatal"
)

// Error is one occurrence of a Definition.
type Error struct {
	// Code is the stable code, e.g. "SL-2007".
	Code string
	// Class decides about retries.
	Class Class
	// Object names what is concerned: a table, a chunk, a position, a field. Never a row value.
	Object string
	// Table is the source table that alone is concerned ("schema.table"): without
	// it the others could go on. Empty when more is concerned.
	Table string
	// Message says what is wrong, lower case, without the object's name.
	Message string
	// Remedy says what to do, with the exact statement or command where there is one.
	Remedy string
	// Err is the cause, may be nil.
	Err error
}

// Error prints code, object, message and cause.
func (e *Error) Error() string {
	text := e.Code + ": " + e.Message
	if e.Object != "" {
		text = e.Code + ": " + e.Object + ": " + e.Message
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is(err, definition) true for each occurrence of a definition.
func (e *Error) Is(target error) bool {
	def, ok := target.(Definition)
	return ok && def.Code == e.Code
}

// Definition is one line of the catalogue. It is an error itself only so that
// errors.Is(err, fault.BinlogPurged) works; return New or Wrap of it instead.
type Definition struct {
	Code    string
	Class   Class
	Message string
	Remedy  string
}

// Error prints code and message.
func (d Definition) Error() string { return d.Code + ": " + d.Message }

// New returns an occurrence of the definition for an object, with more detail
// when format is not empty.
func (d Definition) New(object, format string, args ...any) *Error {
	e := &Error{Code: d.Code, Class: d.Class, Object: object, Message: d.Message, Remedy: d.Remedy}
	if format != "" {
		e.Message += ": " + fmt.Sprintf(format, args...)
	}
	return e
}

// Wrap returns an occurrence of the definition caused by err.
func (d Definition) Wrap(err error, object string) *Error {
	e := d.New(object, "")
	e.Err = err
	return e
}

// WithRemedy returns the occurrence with a remedy of its own.
func (e *Error) WithRemedy(format string, args ...any) *Error {
	e.Remedy = fmt.Sprintf(format, args...)
	return e
}

// OfTable says that err concerns one source table alone. An error without a
// Definition stays as it is.
func OfTable(err error, table string) error {
	e, ok := As(err)
	if !ok || e.Table == table {
		return err
	}
	of := *e
	of.Table = table
	return &tableError{err, &of}
}

// CausedByTable is OfTable for errors of kinds that the rows or the definition of
// one table bring about. What a server refuses to all stays as it is: a disk that
// is full, an account without rights, a network.
func CausedByTable(err error, table string) error {
	e, ok := As(err)
	if !ok || e.Class == Retry || !ofOneTable(e.Code) {
		return err
	}
	return OfTable(err, table)
}

func ofOneTable(code string) bool {
	if strings.HasPrefix(code, "SL-35") { // mappings
		return true
	}
	for _, d := range []Definition{
		ObjectMissing, ValueRefused, StatementRefused, PacketTooLarge, TableMissing, TableUnsupported,
		PartialImage, PartialJSON, DefinitionMismatch, DDLStopped, DefinitionUnknown,
		DestinationTable, UnreadableDefinition, TableChanged, SourceWritten, AddedNotEmpty, Divergence, VirtualUnlogged,
	} {
		if d.Code == code {
			return true
		}
	}
	return false
}

// tableError keeps err's text and shows of to As.
type tableError struct {
	error
	of *Error
}

func (t *tableError) As(target any) bool {
	if e, ok := target.(**Error); ok {
		*e = t.of
		return true
	}
	return false
}

func (t *tableError) Unwrap() error { return t.error }

// As returns the outermost Error in err's chain.
func As(err error) (*Error, bool) {
	return errors.AsType[*Error](err)
}

// ClassOf returns the class of err; an error without one is retried, because
// most unknown errors are a network's or a server's passing trouble, and the
// task shows each attempt.
func ClassOf(err error) Class {
	if e, ok := As(err); ok {
		return e.Class
	}
	return Retry
}
