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
	if s, is := errors.AsType[*sqlerror.SQLError](err); is {
		return s
	}
	if m, is := errors.AsType[*gomysql.MyError](err); is {
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
	if m, is := errors.AsType[*gomysql.MyError](err); is {
		return int(m.Code)
	}
	if s, is := errors.AsType[*sqlerror.SQLError](err); is {
		return int(s.Num)
	}
	return 0
}
