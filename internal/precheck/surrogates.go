package precheck

import (
	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/table"
)

// firstWithoutHalves is the first MySQL that takes no half of a surrogate pair in
// utf8, lastHalvesInUTF32 the last one known to take it in utf32. In ucs2 all
// take them, in utf16 none.
const (
	firstWithoutHalves = 80000
	lastHalvesInUTF32  = 80015
)

// halfSurrogates: halves of surrogate pairs are no characters. Old servers store
// them one by one, such as from programs that know no characters of four bytes;
// newer ones refuse them.
func halfSurrogates(source mysqlconn.Capabilities, d *destination.Destination, c, to table.Column, name string) string {
	info := d.Info()
	number := versionNumber(info.Version)
	known := info.Kind == dialect.MySQL
	where := "(" + destination.Unrepresentable(name, "utf16") + ")"
	strict := to.Charset == "utf16" || to.Charset == "utf16le"
	switch {
	case c.Charset == "ucs2" && !strict, info.Kind == dialect.MariaDB && !strict:
		return ""
	case c.Charset == "ucs2":
		return where
	case c.Charset == "utf32" && (strict || !known || number > lastHalvesInUTF32):
		return where
	case hasUTF8(c) && (source.Flavor == position.MariaDB || source.Number < firstWithoutHalves) && (strict || !known || number >= firstWithoutHalves):
		// Every half begins with this byte, and few characters do.
		return "INSTR(CAST(" + name + " AS BINARY), 0xED) > 0 AND " + where
	default:
		return ""
	}
}

func hasUTF8(c table.Column) bool { return c.Charset == "utf8" || c.Charset == "utf8mb4" }
