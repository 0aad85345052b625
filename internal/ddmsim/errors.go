package ddmsim

import (
	"errors"
	"fmt"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"
	"vitess.io/vitess/go/mysql/sqlerror"
)

// refuse is the answer to a statement that DDM does not support: error 1105
// whose text names the rule of DDM's manual by its number (D-NN).
func refuse(rule, format string, args ...any) error {
	return sqlError(1105, "HY000", "ddmsim: "+rule+": "+fmt.Sprintf(format, args...))
}

// unsupported is the answer to what this stand-in does not do, whatever DDM does.
func unsupported(format string, args ...any) error {
	return sqlError(1105, "HY000", "ddmsim: not supported by this stand-in: "+fmt.Sprintf(format, args...))
}

func syntaxError(what string) error {
	return sqlError(1064, "42000", "ddmsim: syntax error: "+what)
}

func sqlError(code int, state, message string) *sqlerror.SQLError {
	return &sqlerror.SQLError{Num: sqlerror.ErrorCode(code), State: state, Message: message}
}

// asSQLError gives the error the form in which the listener sends its number:
// it looks at the outermost type only.
func asSQLError(err error) error {
	if err == nil {
		return nil
	}
	var s *sqlerror.SQLError
	if errors.As(err, &s) {
		return s
	}
	var m *gomysql.MyError
	if errors.As(err, &m) {
		return sqlError(int(m.Code), stateOf(m.State), m.Message)
	}
	return sqlError(1105, "HY000", "ddmsim: "+err.Error())
}

func stateOf(s string) string {
	if len(s) != 5 {
		return "HY000"
	}
	return s
}

// errorCode returns the number of a data node's error, 0 for any other.
func errorCode(err error) int {
	var m *gomysql.MyError
	if errors.As(err, &m) {
		return int(m.Code)
	}
	var s *sqlerror.SQLError
	if errors.As(err, &s) {
		return int(s.Num)
	}
	return 0
}
