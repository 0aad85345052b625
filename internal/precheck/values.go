package precheck

import (
	"context"
	"fmt"
	"slices"

	"shardlift/internal/checkpoint"
	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/table"
)

// Items that ask about the values of rows.
const (
	codeDates      = "srcDateRange"
	codeEnums      = "srcEnumErrorValue"
	codeCharacters = "srcUnrepresentableValues"
	codeShardNull  = "dstShardingKeyNullable"
)

func valueItems() []item {
	i := func(code, title string, run func(context.Context, *Env) (finding, error)) item {
		return item{code: code, group: groupSource, title: title, needs: onBoth, skippable: true, run: run}
	}
	return []item{
		i(codeDates, "Destination takes every date", oldDates),
		i(codeEnums, "No ENUM has its error value", enumErrors),
		i(codeCharacters, "Destination's character sets hold every value", characters),
		i(codeTimes, "Destination takes every time", timesTooLong),
		i(codeDocuments, "JSON documents have types that a text tells", documentTypes),
	}
}

// question is what an item wants to know of rows: a condition on a column, for
// the columns that it concerns.
type question struct {
	code  string
	where condition
}

// condition returns the condition on the quoted name of a column, empty for
// columns that are not concerned.
type condition func(d *destination.Destination, p pair, column int, name string) string

func questions(source mysqlconn.Capabilities) []question {
	return []question{
		{codeDates, before1583},
		{codeEnums, enumError},
		{codeCharacters, lossyCharacters(source)},
		{codeShardNull, shardWithoutValue},
		{codeTimes, longTimes(source)},
		{codeDocuments, typedDocuments(source)},
		{codeUnreadable, unreadableDocuments(source)},
	}
}

// answer is how many rows meet a question's condition.
type answer struct {
	code   string
	table  *table.Table
	column int
	to     *table.Column // of the destination, nil when it has none
	where  string
	n      int64
	whole  bool // all rows were looked at
	keys   []string
}

type answers []*answer

// amount is the count in words.
func (a *answer) amount() string {
	if a.whole {
		return fmt.Sprint(a.n)
	}
	return fmt.Sprintf("at least %d", a.n)
}

func (a *answer) String() string { return a.table.Name.String() + "." + a.table.Columns[a.column].Name }

// answersOf returns the answers to one item's questions. The rows are read once
// for all items.
func (e *Env) answersOf(ctx context.Context, code string) (answers, error) {
	all, err := e.valueAnswers.get(func() (answers, error) { return e.askRows(ctx) })
	var out answers
	for _, a := range all {
		if a.code == code {
			out = append(out, a)
		}
	}
	return out, err
}

func (e *Env) askRows(ctx context.Context) (answers, error) {
	pairs, err := e.present(ctx)
	if err != nil {
		return nil, err
	}
	d, err := e.dst(ctx)
	if err != nil {
		return nil, err
	}
	s, err := e.newScan(ctx)
	if err != nil {
		return nil, err
	}
	defer s.end()
	all := answers{}
	for _, p := range pairs {
		for i, c := range p.source.Columns {
			for _, q := range questions(s.src.capabilities) {
				where := q.where(d, p, i, dialect.QuoteName(c.Name))
				if where == "" {
					continue
				}
				a := &answer{code: q.code, table: p.source, column: i, where: where}
				if at := p.destination.Column(c.Name); at >= 0 {
					a.to = &p.destination.Columns[at]
				}
				all = append(all, a)
			}
		}
	}
	return all, s.run(all)
}

// samples are the keys of the rows that were found.
func (as answers) samples() []checkpoint.Sample {
	var out []checkpoint.Sample
	for _, a := range as {
		if len(a.keys) > 0 {
			out = append(out, checkpoint.Sample{Object: a.String(), Keys: a.keys})
		}
	}
	return out
}

// find writes the statement that finds the rows of the first answer with any.
func (as answers) find() string {
	for _, a := range as {
		if a.n > 0 {
			return fmt.Sprintf("SELECT * FROM %s WHERE %s;", quoted(a.table), a.where)
		}
	}
	return ""
}

// before1583: DDM refuses DATETIME values with a year up to 1582 (D-34), zero
// dates among them.
func before1583(d *destination.Destination, p pair, column int, name string) string {
	switch p.source.Columns[column].Type {
	case table.TypeDate, table.TypeDateTime, table.TypeTimestamp:
	default:
		return ""
	}
	if !isDDM(d) {
		return ""
	}
	return name + " < '1583-01-01'"
}

// oldDates: the manual does not name DATE, so those are an alarm.
func oldDates(ctx context.Context, e *Env) (finding, error) {
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	if !isDDM(d) {
		return pass("%s takes every date that a source may hold", d.Info().Kind), nil
	}
	found, err := e.answersOf(ctx, codeDates)
	if err != nil {
		return finding{}, err
	}
	var g graded
	for _, a := range found {
		switch {
		case a.n > 0 && a.table.Columns[a.column].Type != table.TypeDate:
			g.fail("%s: %s rows before 1583", a, a.amount())
		case a.n > 0:
			g.alarm("%s: %s rows before 1583 (DATE: the manual does not say whether it is refused)", a, a.amount())
		case !a.whole:
			g.alarm("%s: not all rows were looked at", a)
		}
	}
	f := g.finding("no date is before 1583", "DDM refuses dates with a year up to 1582, zero dates among them", "there may be dates that DDM refuses; such a row stops the copy",
		"on the source set the values to NULL or to a date that DDM takes, or exclude the tables: "+found.find())
	f.samples = found.samples()
	return f, nil
}

// enumError: ENUM's index 0 is what a server without strict mode stored for a
// label that it does not have; no strict session may write it.
func enumError(_ *destination.Destination, p pair, column int, name string) string {
	if p.source.Columns[column].Type != table.TypeEnum {
		return ""
	}
	return name + " = 0"
}

func enumErrors(ctx context.Context, e *Env) (finding, error) {
	return refusedRows(ctx, e, codeEnums, "have the error value (index 0)", "no ENUM column has its error value",
		"ENUM columns have the error value, which a strict session refuses", "there may be ENUM columns with the error value; such a row stops the copy",
		"on the source give the rows a label of the column, or NULL: ")
}

// refusedRows fails for each column with rows that a scan's condition found, and
// alarms for each that was not looked at as a whole; the rows stand behind the remedy.
func refusedRows(ctx context.Context, e *Env, code, what, passed, failed, alarmed, remedy string) (finding, error) {
	found, err := e.answersOf(ctx, code)
	if err != nil {
		return finding{}, err
	}
	var g graded
	for _, a := range found {
		switch {
		case a.n > 0:
			g.fail("%s: %s rows %s", a, a.amount(), what)
		case !a.whole:
			g.alarm("%s: not all rows were looked at", a)
		}
	}
	f := g.finding(passed, failed, alarmed, remedy+found.find())
	f.samples = found.samples()
	return f, nil
}

// withHoles are character sets in which some codes are no character of any
// other set, so that not even Unicode holds every value.
var withHoles = []string{"big5", "cp932", "eucjpms", "euckr", "gb2312", "gbk", "sjis", "ujis"}

// lossyCharacters: a character that the destination's set does not hold becomes
// a question mark, and halves of surrogate pairs are none.
func lossyCharacters(source mysqlconn.Capabilities) condition {
	return func(d *destination.Destination, p pair, column int, name string) string {
		c := p.source.Columns[column]
		at := p.destination.Column(c.Name)
		if c.Type != table.TypeText || at < 0 {
			return ""
		}
		to := p.destination.Columns[at].Charset
		if to == "" || c.Charset == "" || to == "binary" || c.Charset == "binary" {
			return ""
		}
		halves := halfSurrogates(source, d, c, p.destination.Columns[at], name)
		if to == c.Charset || holds(to, c.Charset) && !slices.Contains(withHoles, c.Charset) {
			return halves
		}
		lossy := destination.Unrepresentable(name, to)
		if halves != "" {
			return lossy + " OR " + halves
		}
		return lossy
	}
}

// characters: dbCharacterSetConsistency says which columns could lose values;
// this says whether they do.
func characters(ctx context.Context, e *Env) (finding, error) {
	found, err := e.answersOf(ctx, codeCharacters)
	if err != nil {
		return finding{}, err
	}
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	var g graded
	for _, a := range found {
		from := a.table.Columns[a.column]
		switch {
		case a.n > 0 && isDDM(d) && holds(a.to.Charset, from.Charset) && !slices.Contains(withHoles, from.Charset):
			g.alarm("%s: %s rows have halves of surrogate pairs, which data nodes of MySQL 8.0 refuse", a, a.amount())
		case a.n > 0:
			g.fail("%s: %s rows have characters that %s does not hold", a, a.amount(), a.to.Charset)
		case holds(a.to.Charset, from.Charset) && (a.whole || hasUTF8(from)):
		case holds(a.to.Charset, from.Charset):
			g.alarm("%s: %s has codes that are no characters; not all rows were looked at", a, from.Charset)
		case !a.whole:
			g.alarm("%s: %s has not all characters of %s; not all rows were looked at", a, a.to.Charset, from.Charset)
		default:
			g.alarm("%s: %s has not all characters of %s; no row needs them now", a, a.to.Charset, from.Charset)
		}
	}
	f := g.finding("the destination's character sets hold every value", "values have characters that the destination's character set does not hold",
		"a value with a character that the destination's set lacks stops the task",
		"ALTER TABLE <schema>.<table> CONVERT TO CHARACTER SET utf8mb4; on the destination. The rows: "+found.find())
	f.samples = found.samples()
	return f, nil
}
