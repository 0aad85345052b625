package destination

import (
	"database/sql"
	"database/sql/driver"
	"io"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
)

// TestSession_LostAnswerIsAnUnknownOutcome: what was sent and not answered may
// have taken effect; what was never sent, and what the server refused, has not.
func TestSession_LostAnswerIsAnUnknownOutcome(t *testing.T) {
	for name, c := range map[string]struct {
		err     error
		sent    bool
		unknown bool
	}{
		"the answer is cut":           {io.ErrUnexpectedEOF, true, true},
		"the driver lost it":          {mysql.ErrInvalidConn, true, true},
		"inside a transaction":        {mysql.ErrInvalidConn, false, false},
		"never sent":                  {driver.ErrBadConn, true, false},
		"the session was over before": {sql.ErrConnDone, true, false},
		"refused":                     {&mysql.MySQLError{Number: 1062}, true, false},
		"a deadlock":                  {&mysql.MySQLError{Number: 1213}, true, false},
	} {
		s := &Session{ended: true} // has no connection to end
		err := s.judge(c.err, c.sent)
		require.Error(t, err, name)
		if c.unknown {
			require.ErrorIs(t, err, ErrUnknownOutcome, name)
		} else {
			require.NotErrorIs(t, err, ErrUnknownOutcome, name)
		}
	}
}
