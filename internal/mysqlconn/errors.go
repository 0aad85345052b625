package mysqlconn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/go-sql-driver/mysql"

	"shardlift/internal/fault"
)

// Error numbers of MySQL and MariaDB servers that are told apart.
const (
	errUnknown          = 1105
	errUnknownCharset   = 1115
	errNoTable          = 1146
	errUnknownVariable  = 1193
	errDuplicateKey     = 1062
	errDuplicateKeyName = 1586
	errLockTimeout      = 1205
	errDeadlock         = 1213
	errNoSuchThread     = 1094
)

// Number returns the server's error number, 0 when err came from elsewhere.
// vtgate's "table x not found", which comes as an unknown error, is 1146.
func Number(err error) uint16 {
	e, ok := errors.AsType[*mysql.MySQLError](err)
	switch {
	case !ok:
		return 0
	case e.Number == errUnknown && strings.HasPrefix(e.Message, "table ") && strings.HasSuffix(e.Message, " not found"):
		return errNoTable
	default:
		return e.Number
	}
}

// IsDuplicateKey says whether a unique key refused a row.
func IsDuplicateKey(err error) bool {
	n := Number(err)
	return n == errDuplicateKey || n == errDuplicateKeyName
}

// IsDeadlock says whether the same transaction may pass when it is repeated:
// a deadlock (1213) or a lock wait that took too long (1205).
func IsDeadlock(err error) bool {
	n := Number(err)
	return n == errDeadlock || n == errLockTimeout
}

// IsNoSuchThread says whether KILL found nobody.
func IsNoSuchThread(err error) bool { return Number(err) == errNoSuchThread }

// IsUnknownVariable says whether the server does not know a system variable.
func IsUnknownVariable(err error) bool { return Number(err) == errUnknownVariable }

// IsAccessDenied says whether user, password or a privilege is the matter.
func IsAccessDenied(err error) bool { return classifyNumber(Number(err)) == fault.AccessDenied }

// IsSyntax says whether the server does not know the statement (1064, 1235,
// 1295): how capabilities are found by trying.
func IsSyntax(err error) bool {
	n := Number(err)
	return n == 1064 || n == 1235 || n == 1295 || n == 1047
}

// IsConnectionLost says whether the connection is gone, so that the outcome of
// the last statement is unknown.
func IsConnectionLost(err error) bool {
	switch Number(err) {
	case 0:
	case 1053, 1077, 1079, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 2006, 2013, 3032, 4031:
		return true
	default:
		return false
	}
	var network net.Error
	return errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.As(err, &network) ||
		errors.Is(err, mysql.ErrMalformPkt) || errors.Is(err, mysql.ErrPktSync) || errors.Is(err, mysql.ErrPktSyncMul) || errors.Is(err, mysql.ErrBusyBuffer)
}

// Fault turns a server's or network's error into a fault about object. Errors
// that are faults already and ends of the context pass unchanged; host, user
// and values never appear in the text: a server's message is dropped and its
// number kept.
func Fault(err error, object string) error {
	if err == nil {
		return nil
	}
	if _, ok := fault.As(err); ok || errors.Is(err, context.Canceled) {
		return err
	}
	var answer *mysql.MySQLError
	switch {
	case errors.As(err, &answer):
		number := Number(err)
		text := fmt.Sprintf("error %d (%s)", number, strings.TrimRight(string(answer.SQLState[:]), "\x00"))
		return classify(answer).Wrap(quiet{err, text}, object)
	case isTLSError(err):
		return fault.TLSFailed.Wrap(quiet{err, tlsReason(err)}, object)
	case errors.Is(err, errGreeting):
		return fault.MalformedAnswer.Wrap(quiet{err, "its first packet is no greeting"}, object)
	case isDialError(err):
		return fault.ServerUnreachable.Wrap(quiet{err, dialReason(err)}, object)
	case errors.Is(err, context.DeadlineExceeded):
		return fault.ServerUnreachable.Wrap(quiet{err, "no answer in time"}, object)
	case IsConnectionLost(err):
		return fault.ConnectionLost.Wrap(quiet{err, "while a statement or its answer was under way"}, object)
	case errors.Is(err, mysql.ErrUnknownPlugin), errors.Is(err, mysql.ErrOldPassword), errors.Is(err, mysql.ErrCleartextPassword), errors.Is(err, mysql.ErrNativePassword):
		return fault.AccessDenied.Wrap(quiet{err, "the account's authentication plugin is not supported"}, object)
	default:
		return err
	}
}

// quiet stands for a cause whose own text may name host, user or a value: it
// answers errors.Is and errors.As for the cause, prints a text of its own and
// does not unwrap, so that no printer of chains finds more.
type quiet struct {
	cause error
	text  string
}

func (q quiet) Error() string        { return q.text }
func (q quiet) Is(target error) bool { return errors.Is(q.cause, target) }
func (q quiet) As(target any) bool   { return errors.As(q.cause, target) }

// classifyNumber maps the error numbers that servers send to what they mean for a task.
// What locks an account (3118, 3955) or a host (1129) out counts as access denied,
// which is never retried.
func classifyNumber(number uint16) fault.Definition {
	switch number {
	case 1044, 1045, 1129, 1130, 1142, 1143, 1227, 1251, 1275, 1370, 1396, 1410, 1698, 1820, 1862, 3118, 3159, 3955, 4151:
		return fault.AccessDenied
	case 1040, 1203, 1226, 1135:
		return fault.TooManyConnections
	case errLockTimeout, errDeadlock, 3572, 1317, 3024, 1969, 1180, 1637:
		return fault.ServerBusy
	case 1049, 1051, 1054, 1072, 1146, 1091:
		return fault.ObjectMissing
	case 1048, 1062, 1264, 1265, 1292, 1366, 1364, 1406, 1411, 1416, 1441, 1451, 1452, 1467, 1586, 1690, 3140, 3156, 3819, 4025:
		return fault.ValueRefused
	case 1064, 1235, 1295, 1286, 1193, 1231, 1238, 1136, 1110, 1115, 1273, 1305:
		return fault.StatementRefused
	case 1153, 1301, 1162:
		return fault.PacketTooLarge
	case 1290, 1792, 1836, 3100:
		return fault.ServerReadOnly
	case 1021, 1114, 3675:
		return fault.ServerFull
	case 1053, 1077, 1079, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 2006, 2013, 3032, 4031:
		return fault.ConnectionLost
	default:
		return fault.ServerError
	}
}

func isDialError(err error) bool {
	var operation *net.OpError
	var lookup *net.DNSError
	return errors.As(err, &lookup) || errors.As(err, &operation) && operation.Op == "dial"
}

func dialReason(err error) string {
	var lookup *net.DNSError
	switch {
	case errors.As(err, &lookup):
		return "its name cannot be resolved"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	default:
		return "no connection"
	}
}

// isTLSError says whether encryption is what failed.
func isTLSError(err error) bool {
	var alert tls.AlertError
	var record tls.RecordHeaderError
	var verification *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.Is(err, mysql.ErrNoTLS) || errors.Is(err, errTLSRefused) || errors.As(err, &alert) || errors.As(err, &record) || errors.As(err, &verification) ||
		errors.As(err, &unknown) || errors.As(err, &host) || errors.As(err, &invalid) ||
		strings.Contains(err.Error(), "tls: ") || strings.Contains(err.Error(), "verify the server's certificate")
}

func tlsReason(err error) string {
	var host x509.HostnameError
	text := err.Error()
	switch {
	case errors.Is(err, mysql.ErrNoTLS):
		return "the server does not support TLS"
	case errors.Is(err, errTLSRefused), strings.Contains(text, "protocol version"):
		return "the server speaks only older TLS versions than allowed"
	case strings.Contains(text, "handshake failure"):
		return "no cipher in common, or the server wants a client certificate"
	case errors.As(err, &host):
		return "the certificate is for another name"
	case strings.Contains(text, "certificate"):
		return "the certificate is not trusted"
	default:
		return "the handshake failed"
	}
}
