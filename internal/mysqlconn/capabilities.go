package mysqlconn

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"shardlift/internal/position"
)

// Capabilities is what a server says of itself. Middlewares report fake
// versions: decide by variables and by trying, use Number for words only.
type Capabilities struct {
	Flavor  position.Flavor
	Version string // as printed, e.g. "10.11.6-MariaDB-log"
	Number  int    // 10000*major + 100*minor + patch: 50722, 101106
	// ServerUUID is empty before 5.6 and on MariaDB.
	ServerUUID string
	ServerID   uint32
	// GTID: every transaction has one (MySQL gtid_mode=ON, MariaDB from 10.0).
	GTID bool
	// Encrypted: this connection uses TLS.
	Encrypted bool

	variables map[string]string
}

// Identity names the server in positions: server_uuid, or "id:<server_id>".
func (c Capabilities) Identity() string {
	if c.ServerUUID != "" {
		return c.ServerUUID
	}
	return "id:" + strconv.FormatUint(uint64(c.ServerID), 10)
}

// Variable returns a global variable by its lower-case name; ok is false when
// the server does not have it.
func (c Capabilities) Variable(name string) (value string, ok bool) {
	value, ok = c.variables[name]
	return value, ok
}

// VariableOr returns a global variable, or what servers without it do.
func (c Capabilities) VariableOr(name, old string) string {
	if value, ok := c.variables[name]; ok {
		return value
	}
	return old
}

// IsOn says whether a variable has one of the values that mean "on".
func (c Capabilities) IsOn(name string) bool {
	switch strings.ToUpper(c.variables[name]) {
	case "ON", "1", "YES", "TRUE":
		return true
	default:
		return false
	}
}

// Probe asks a server what it is.
func Probe(ctx context.Context, q Querier) (Capabilities, error) {
	c := Capabilities{Flavor: position.MySQL}
	if err := q.QueryRowContext(ctx, "SELECT VERSION()").Scan(&c.Version); err != nil {
		return c, fmt.Errorf("ask the version: %w", Fault(err, "server"))
	}
	variables, err := pairs(ctx, q, "SHOW GLOBAL VARIABLES")
	if err != nil {
		return c, fmt.Errorf("read the server's variables: %w", Fault(err, "server"))
	}
	c.variables = variables
	c.Number = versionNumber(c.Version)
	c.ServerUUID = variables["server_uuid"]
	id, _ := strconv.ParseUint(variables["server_id"], 10, 32)
	c.ServerID = uint32(id)
	_, domains := variables["gtid_domain_id"]
	if domains || strings.Contains(c.Version, "MariaDB") {
		c.Flavor, c.GTID, c.ServerUUID = position.MariaDB, domains, ""
	} else {
		c.GTID = variables["gtid_mode"] == "ON"
	}
	c.Encrypted, err = encrypted(ctx, q)
	return c, err
}

// encrypted asks this connection's cipher; a middleware that does not answer
// counts as not encrypted.
func encrypted(ctx context.Context, q Querier) (bool, error) {
	status, err := pairs(ctx, q, "SHOW SESSION STATUS LIKE 'Ssl_cipher'")
	if err != nil && Number(err) == 0 {
		return false, Fault(err, "server")
	}
	return status["ssl_cipher"] != "", nil
}

// pairs reads a result of names and values; names become lower case.
func pairs(ctx context.Context, q Querier, query string) (map[string]string, error) {
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	out := map[string]string{}
	for rows.Next() {
		var name string
		var value []byte
		if err := rows.Scan(&name, &value); err != nil {
			return nil, err
		}
		out[strings.ToLower(name)] = string(value)
	}
	return out, rows.Err()
}

// versionNumber reads the leading numbers; "5.5.5-10.11.6-MariaDB" is what
// MariaDB tells old replicas and means 10.11.6.
func versionNumber(text string) int {
	if rest, ok := strings.CutPrefix(text, "5.5.5-"); ok && strings.Contains(rest, "MariaDB") {
		text = rest
	}
	number, factor := 0, 10000
	for part := range strings.SplitSeq(text, ".") {
		digits := part
		if end := strings.IndexFunc(part, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
			digits = part[:end]
		}
		n, err := strconv.Atoi(digits)
		if err != nil || factor == 0 {
			break
		}
		number += n * factor
		factor /= 100
		if len(digits) != len(part) {
			break
		}
	}
	return number
}
