package binlog

import (
	"encoding/binary"
	"fmt"
	"strings"

	"shardlift/internal/ddl"
)

// modeOf reads from a query event's status variables how its text was read:
// flags, sql_mode, catalogue, increments and the client's character set.
func modeOf(status []byte) ddl.Mode {
	const (
		ansiQuotes         = 1 << 2
		noBackslashEscapes = 1 << 20
	)
	var m ddl.Mode
	for r := (reader{data: status}); len(r.data) > 0 && r.err == nil; {
		switch r.little(1) {
		case 0: // Q_FLAGS2_CODE
			r.take(4)
		case 1: // Q_SQL_MODE_CODE
			mode := r.little(8)
			m.ANSIQuotes, m.NoBackslashEscapes = mode&ansiQuotes != 0, mode&noBackslashEscapes != 0
		case 2: // Q_CATALOG_CODE: with a NUL at its end
			r.take(int(r.little(1)) + 1)
		case 3: // Q_AUTO_INCREMENT
			r.take(4)
		case 4: // Q_CHARSET_CODE: client, connection, server
			charset := r.take(6)
			m.Foreign, m.DoubleByte = charsetClass(binary.LittleEndian.Uint16(charset))
			return m
		case 6: // Q_CATALOG_NZ_CODE
			r.take(int(r.little(1)))
		default: // what comes after is of no interest
			return m
		}
	}
	return m
}

// mysqlVersion reads "8.0.36-log" as 80036; 0 for anything else, MariaDB included.
func mysqlVersion(text string) int {
	var major, minor, patch int
	if strings.Contains(text, "MariaDB") {
		return 0
	}
	if n, _ := fmt.Sscanf(text, "%d.%d.%d", &major, &minor, &patch); n != 3 {
		return 0
	}
	return major*10000 + minor*100 + patch
}

// charsetClass says whether a client's collation is not of UTF-8 (or ASCII),
// and whether its second bytes may be ASCII: the collations of big5, sjis, gbk,
// cp932 and gb18030.
func charsetClass(id uint16) (foreign, doubleByte bool) {
	switch id {
	case 1, 84, 13, 88, 28, 87, 95, 96, 248, 249, 250:
		return true, true
	case 11, 65, 33, 83, 45, 46, 63, 76, 255, 0:
		return false, false
	}
	if id >= 1024 && id < 2048 { // MariaDB's collations without padding
		return charsetClass(id - 1024)
	}
	utf8 := id >= 192 && id <= 247 || id >= 256 && id <= 323 || id >= 2048
	return !utf8, false
}
