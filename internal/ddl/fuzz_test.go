package ddl

import (
	"slices"
	"strings"
	"testing"

	"shardlift/internal/table"
)

// dangerous are statements on the table orders of the default schema.
var dangerous = []string{
	"DROP TABLE orders", "DROP TABLE IF EXISTS a, orders CASCADE", "TRUNCATE TABLE orders", "RENAME TABLE orders TO a, b TO orders",
	"ALTER TABLE orders ADD COLUMN x INT", "ALTER TABLE orders DROP PRIMARY KEY, ADD PRIMARY KEY (b)", "CREATE UNIQUE INDEX u ON orders (a)",
	"DROP INDEX u ON orders", "ALTER TABLE a EXCHANGE PARTITION p WITH TABLE orders", "CREATE TABLE orders (id INT)", "CREATE TABLE a LIKE orders",
	"ALTER TABLE orders RENAME a", "INSERT INTO orders SELECT 1", "UPDATE a JOIN orders ON 1 SET orders.x = 1", "DELETE orders FROM orders JOIN a",
	"LOAD DATA INFILE 1 INTO TABLE orders", "CREATE OR REPLACE TABLE orders SELECT 1", "ALTER IGNORE TABLE orders ENGINE = MyISAM", "REPLACE orders VALUES (1)",
}

// FuzzAnalyze_UnparsedTextNamesItsTables: whatever is done to a statement, as
// long as the table's name stands in it as a word of its own, it is either read
// to its end or the name is among those that it may be about (rule 11). Quotes
// and comments, in which a word means something else, have tests of their own.
func FuzzAnalyze_UnparsedTextNamesItsTables(f *testing.F) {
	for i := range dangerous {
		f.Add(uint8(i), uint16(i*5), uint8(0), " ( ")
		f.Add(uint8(i), uint16(i*7), uint8(3), ",")
		f.Add(uint8(i), uint16(0), uint8(0), "SET x = 1; ")
		f.Add(uint8(i), uint16(200), uint8(0), " PARTITION BY \x80\xff x.y")
	}
	f.Fuzz(func(t *testing.T, which uint8, at uint16, cut uint8, insert string) {
		if strings.ContainsAny(insert, "'\"`#/*-\\!") {
			return
		}
		text := dangerous[int(which)%len(dangerous)]
		from := min(int(at), len(text))
		text = text[:from] + insert + text[min(from+int(cut), len(text)):]
		words := strings.FieldsFunc(text, func(r rune) bool { return r < 0x80 && !isWordByte(byte(r)) })
		if !slices.Contains(words, "orders") {
			return
		}
		r := Analyze("shop", text, Mode{})
		if r.Parsed {
			return
		}
		if !slices.ContainsFunc(r.Names, func(n table.Name) bool { return n.Table == "orders" }) {
			t.Fatalf("%q is not read to its end and names %v", text, r.Names)
		}
	})
}

// FuzzAnalyze_ADropIsNeverHarmless: a statement that begins with a dangerous
// word and is read to its end has the table among its effects, whatever follows.
func FuzzAnalyze_ADropIsNeverHarmless(f *testing.F) {
	for i := range len(heads) {
		for _, tail := range []string{"", ", b", " ADD INDEX (a)", ";", " COMMENT 'x'", " /* a */", " /*!50000 ADD COLUMN x INT */", " -- a", " `b`", " \x00", " RESTRICT"} {
			f.Add(uint8(i), tail, false)
			f.Add(uint8(i), tail, true)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, tail string, ansi bool) {
		text := heads[int(which)%len(heads)] + tail
		if tail != "" && (isWordByte(tail[0]) || tail[0] == '.') || strings.HasPrefix(strings.TrimLeft(tail, " \t\n\r\v\f\x00"), ".") {
			return // another name
		}
		r := Analyze("shop", text, Mode{ANSIQuotes: ansi})
		if !slices.ContainsFunc(allNames(r), func(n table.Name) bool { return n == table.Name{Schema: "shop", Table: "orders"} }) {
			t.Fatalf("%q: %+v", text, r)
		}
		for _, e := range r.Effects {
			if r.Parsed && e.Kind == Irrelevant {
				t.Fatalf("%q is taken for harmless", text)
			}
		}
	})
}

var heads = []string{"DROP TABLE orders", "TRUNCATE orders", "ALTER TABLE orders", "RENAME TABLE orders TO a", "CREATE TABLE orders", "DROP INDEX a ON orders"}
