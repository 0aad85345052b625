package precheck

import (
	"context"

	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/table"
)

const (
	codeTimes     = "srcTimeRange"
	codeDocuments = "srcJsonValueTypes"
	// codeUnreadable is a question of codeDocuments' own.
	codeUnreadable = codeDocuments + "/unreadable"
)

// longTimes: MariaDB has fractions of a second beyond 838:59:59, MySQL has not.
func longTimes(c mysqlconn.Capabilities) condition {
	return func(d *destination.Destination, p pair, column int, name string) string {
		one := p.source.Columns[column]
		if c.Flavor != position.MariaDB || d.Info().Kind == dialect.MariaDB || one.Type != table.TypeTime || one.Fraction == 0 {
			return ""
		}
		return name + " > '838:59:59' OR " + name + " < '-838:59:59'"
	}
}

func timesTooLong(ctx context.Context, e *Env) (finding, error) {
	return refusedRows(ctx, e, codeTimes, "beyond 838:59:59", "no TIME is beyond what the destination takes",
		"MySQL refuses times beyond 838:59:59.000000", "there may be times that MySQL refuses; such a row stops the copy",
		"on the source give the rows a time within the range: ")
}

// sizeOfDocuments is the first MySQL 5.7 that tells how a document is stored.
const sizeOfDocuments = 50722

// typedDocuments: a document whose text, read again, is not stored in as many
// bytes has a value whose type the text does not tell. (One way only: some, such
// as large whole doubles of 5.7, take as many bytes.)
func typedDocuments(c mysqlconn.Capabilities) condition {
	return func(_ *destination.Destination, p pair, column int, name string) string {
		if p.source.Columns[column].Type != table.TypeJSON || c.Number < sizeOfDocuments {
			return ""
		}
		size := "JSON_STORAGE_SIZE(" + name + ")"
		if c.Number >= 80000 {
			size += " - JSON_STORAGE_FREE(" + name + ")"
		}
		text := "CAST(" + name + " AS CHAR)"
		return "IF(JSON_VALID(" + text + "), " + size + " <> JSON_STORAGE_SIZE(CAST(" + text + " AS JSON)), " + name + " IS NOT NULL)"
	}
}

// unreadableDocuments: MySQL 5.7 prints a binary of more than 57 bytes with line
// breaks inside the string, which no JSON parser takes.
func unreadableDocuments(c mysqlconn.Capabilities) condition {
	return func(_ *destination.Destination, p pair, column int, name string) string {
		if p.source.Columns[column].Type != table.TypeJSON || c.Number >= 80000 {
			return ""
		}
		return "NOT JSON_VALID(CAST(" + name + " AS CHAR))"
	}
}

func documentTypes(ctx context.Context, e *Env) (finding, error) {
	found, err := e.answersOf(ctx, codeDocuments)
	if err != nil {
		return finding{}, err
	}
	unreadable, err := e.answersOf(ctx, codeUnreadable)
	if err != nil {
		return finding{}, err
	}
	var g graded
	for _, a := range unreadable {
		if a.n > 0 {
			g.fail("%s: %s documents have a binary of more than 57 bytes", a, a.amount())
		}
	}
	if len(g.fails) > 0 {
		f := g.finding("", "MySQL 5.7 prints JSON documents with longer binaries so that they cannot be read again; such a row stops the copy", "",
			"on the source replace the binaries by texts (TO_BASE64 without line breaks), or exclude the tables. The rows: "+unreadable.find())
		f.samples = unreadable.samples()
		return f, nil
	}
	for _, a := range found {
		if a.n > 0 {
			g.alarm("%s: %s documents", a, a.amount())
		}
	}
	f := g.finding("no JSON document was seen that has values of types that its text does not tell", "",
		"JSON documents have values whose types their text does not tell: dates, times and binaries become strings, some DECIMALs become DOUBLEs; on MySQL 5.7 whole DOUBLEs become integers. The values stay the same",
		"nothing, unless the application asks for JSON_TYPE of such values. The rows: "+found.find())
	f.samples = found.samples()
	return f, nil
}
