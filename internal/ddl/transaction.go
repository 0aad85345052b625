package ddl

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// transaction reads what follows BEGIN, START, COMMIT, ROLLBACK, SAVEPOINT,
// RELEASE and XA.
func (c *cursor) transaction(first string) ([]Effect, bool) {
	switch first {
	case "BEGIN":
		if c.accept("NOT") { // MariaDB's compound statement
			return []Effect{{Kind: DML, Opaque: true}}, true
		}
		c.accept("WORK")
		return c.single(Effect{Kind: Begin})
	case "START":
		if !c.accept("TRANSACTION") { // START REPLICA, GROUP_REPLICATION, …
			return []Effect{{Kind: Irrelevant}}, true
		}
		return []Effect{{Kind: Begin}}, true
	case "COMMIT":
		return []Effect{{Kind: Commit}}, true
	case "ROLLBACK":
		c.accept("WORK")
		if c.accept("TO") {
			c.accept("SAVEPOINT")
			return c.savepoint(RollbackTo)
		}
		return []Effect{{Kind: Rollback}}, true
	case "SAVEPOINT":
		return c.savepoint(Savepoint)
	case "RELEASE":
		if !c.accept("SAVEPOINT") {
			return nil, false
		}
		return c.savepoint(ReleaseSavepoint)
	default:
		return c.xa()
	}
}

func (c *cursor) single(e Effect) ([]Effect, bool) { return []Effect{e}, c.done() }

func (c *cursor) savepoint(kind Kind) ([]Effect, bool) {
	name := c.next()
	if !name.isName() {
		return nil, false
	}
	// Servers compare savepoints without regard to case.
	return c.single(Effect{Kind: kind, Argument: strings.ToLower(name.value)})
}

func (c *cursor) xa() ([]Effect, bool) {
	kinds := map[string]Kind{
		"START": XAStart, "BEGIN": XAStart, "END": XAEnd, "PREPARE": XAPrepare,
		"COMMIT": XACommit, "ROLLBACK": XARollback, "RECOVER": Irrelevant,
	}
	kind, ok := kinds[c.next().upper]
	if !ok {
		return nil, false
	}
	if kind == Irrelevant {
		return []Effect{{Kind: kind}}, true
	}
	xid, ok := c.xid()
	if !ok {
		return nil, false
	}
	e := Effect{Kind: kind, Argument: xid, OnePhase: c.accept("ONE", "PHASE")}
	c.acceptAny("JOIN", "RESUME")
	if c.accept("SUSPEND") {
		c.accept("FOR", "MIGRATE")
	}
	return c.single(e)
}

// xid reads gtrid[,bqual[,format]] and gives it in the server's own form.
func (c *cursor) xid() (string, bool) {
	var parts [2][]byte
	format := "1"
	for i := range 3 {
		t := c.next()
		switch {
		case i < 2 && (t.kind == text || t.kind == number):
			b, ok := literal(t)
			if !ok {
				return "", false
			}
			parts[i] = b
		case i == 2 && t.kind == number:
			format = t.value
		default:
			return "", false
		}
		if !c.accept(",") {
			break
		}
	}
	return FormatXID(parts[0], parts[1], format), true
}

// FormatXID prints an XA transaction's id as servers write it into the binlog.
func FormatXID(gtrid, bqual []byte, format string) string {
	return fmt.Sprintf("X'%x',X'%x',%s", gtrid, bqual, format)
}

// literal returns the bytes of 'text', X'6869' or 0x6869.
func literal(t token) ([]byte, bool) {
	v := t.value
	switch {
	case strings.HasPrefix(v, "0x"):
		b, err := hex.DecodeString(v[2:])
		return b, err == nil
	case len(v) > 2 && (v[0] == 'x' || v[0] == 'X'):
		b, err := hex.DecodeString(v[2 : len(v)-1])
		return b, err == nil
	case len(v) >= 2 && (v[0] == '\'' || v[0] == '"') && !strings.ContainsRune(v, '\\'):
		quote := v[:1]
		return []byte(strings.ReplaceAll(v[1:len(v)-1], quote+quote, quote)), true
	default:
		return nil, false
	}
}
