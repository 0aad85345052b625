package mysqlconn

import (
	"regexp"
	"strings"

	"github.com/go-sql-driver/mysql"

	"shardlift/internal/fault"
)

// Middlewares answer nearly everything with error 1105: a data node that does
// not answer, a pool that is full, and what they refuse for good. Only texts that
// are certain are taken for the last: those in which a MySQL server refuses a
// value, handed on, and those of the MyCAT family about sharding columns. They
// stand before the first quote, behind which values may follow. All the rest may
// pass when it is repeated.
var (
	valueTexts = regexp.MustCompile(`(?i)^[^'"]{0,120}?(` + strings.Join([]string{
		`incorrect [a-z]+ value: `,
		`data too long for column `,
		`data truncated for column `,
		`data truncation: `,
		`out of range value for column `,
		`column '[^']*' cannot be null`,
		`field '[^']*' doesn't have a default value`,
		`invalid json text`,
	}, "|") + `)`)
	shardTexts = regexp.MustCompile(`(?i)^[^'"]{0,120}?(sharding column[^'"]{0,80}not provided|sharding column can't be (null|updated))`)
)

// classify maps a server's error to what it means for a task.
func classify(answer *mysql.MySQLError) fault.Definition {
	number := Number(answer)
	if number != errUnknown {
		return classifyNumber(number)
	}
	switch {
	case strings.HasPrefix(string(answer.SQLState[:]), "22"), valueTexts.MatchString(answer.Message): // class 22 is a data exception
		return fault.ValueRefused
	case shardTexts.MatchString(answer.Message):
		return fault.StatementRefused
	default:
		return classifyNumber(number)
	}
}
