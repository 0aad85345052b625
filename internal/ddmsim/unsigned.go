package ddmsim

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"slices"

	"vitess.io/vitess/go/mysql"
)

// The listener library reads an argument's unsigned flag at the place where
// column definitions have it (0x20) and not where COM_STMT_EXECUTE has it
// (0x80): uint64 above 1<<63 would arrive negative. There is no hook below the
// handler, so the connection's reader is replaced by one that moves the flag.

const (
	comStmtExecute   = 0x17
	argumentUnsigned = 0x80
	columnUnsigned   = 0x20
)

// correctUnsigned puts the filter into the connection, after the handshake and
// TLS, before the first command.
func correctUnsigned(c *mysql.Conn) error {
	f := reflect.ValueOf(c).Elem().FieldByName("bufferedReader")
	if !f.IsValid() || f.Type() != reflect.TypeFor[*bufio.Reader]() {
		return errors.New("the listener library's connection has no bufferedReader")
	}
	field := reflect.NewAt(f.Type(), f.Addr().UnsafePointer()).Elem()
	under := field.Interface().(*bufio.Reader)
	field.Set(reflect.ValueOf(bufio.NewReaderSize(&argumentFilter{from: under, conn: c}, 64<<10)))
	return nil
}

// argumentFilter passes the client's packets on and moves the flag in
// COM_STMT_EXECUTE. It is read on the connection's goroutine only.
type argumentFilter struct {
	from  *bufio.Reader
	conn  *mysql.Conn
	ready []byte // changed bytes to hand out first
	left  int    // bytes of the packet that pass unchanged
}

// Read implements io.Reader.
func (a *argumentFilter) Read(p []byte) (int, error) {
	if len(a.ready) == 0 && a.left == 0 {
		if err := a.packet(); err != nil {
			return 0, err
		}
	}
	if len(a.ready) > 0 {
		n := copy(p, a.ready)
		a.ready = a.ready[n:]
		return n, nil
	}
	n, err := a.from.Read(p[:min(len(p), a.left)])
	a.left -= n
	return n, err
}

// packet reads a header and, of an execution, all up to the argument types.
func (a *argumentFilter) packet() error {
	header := make([]byte, 4)
	if _, err := io.ReadFull(a.from, header); err != nil {
		return err
	}
	size := int(header[0]) | int(header[1])<<8 | int(header[2])<<16
	a.ready, a.left = header, size
	if header[3] != 0 || size < 10 {
		return nil
	}
	start, err := a.from.Peek(5)
	if err != nil || start[0] != comStmtExecute {
		return nil // the error comes again with the next read
	}
	st := a.conn.PrepareData[binary.LittleEndian.Uint32(start[1:])]
	if st == nil || st.ParamsCount == 0 {
		return nil
	}
	n := int(st.ParamsCount)
	bound := 10 + (n+7)/8 // command, id, flags, iterations, NULL bitmap
	prefix := make([]byte, min(size, bound+1+2*n))
	if _, err := io.ReadFull(a.from, prefix); err != nil {
		return err
	}
	if len(prefix) == bound+1+2*n && prefix[bound] == 1 {
		for i := bound + 2; i < len(prefix); i += 2 {
			if prefix[i]&argumentUnsigned != 0 {
				prefix[i] = columnUnsigned
			}
		}
	}
	a.ready, a.left = slices.Concat(header, prefix), size-len(prefix)
	return nil
}
