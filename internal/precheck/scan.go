package precheck

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/table"
)

// scan reads rows of source tables within a time. A server that ends long
// statements by itself is asked about whole tables; where that takes too long,
// and on an older one always, about the first and the newest rows: a statement
// that we give up goes on there.
type scan struct {
	env    *Env
	ctx    context.Context
	cancel context.CancelFunc
	src    *server
}

const (
	// scanRows is how many rows are looked at where not all are, from each end.
	scanRows = 200_000
	// wholeRows is how many rows a table may have to be looked at as a whole.
	wholeRows = 10_000_000
	// Tables of so many rows and bytes are looked at together, so many at once.
	smallRows  = 20_000
	smallBytes = 16 << 20
	together   = 50
)

func (e *Env) newScan(ctx context.Context) (*scan, error) {
	src, err := e.src(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, itemTime)
	return &scan{env: e, ctx: ctx, cancel: cancel, src: src}, nil
}

func (s *scan) end() { s.cancel() }

// run finds the answers of all tables, small tables first: what the time is not
// enough for are the largest ones.
func (s *scan) run(all []*answer) error {
	var jobs [][]*answer // of one table each
	for _, a := range all {
		if last := len(jobs) - 1; last >= 0 && jobs[last][0].table == a.table {
			jobs[last] = append(jobs[last], a)
		} else {
			jobs = append(jobs, []*answer{a})
		}
	}
	slices.SortStableFunc(jobs, func(a, b []*answer) int { return cmp.Compare(a[0].table.Rows, b[0].table.Rows) })
	large := slices.IndexFunc(jobs, func(j []*answer) bool { return !isSmall(j[0].table) })
	if large < 0 {
		large = len(jobs)
	}
	for batch := range slices.Chunk(jobs[:large], together) {
		if err := s.together(batch); err != nil {
			return err
		}
	}
	for _, job := range jobs[large:] {
		if err := s.alone(job); err != nil {
			return err
		}
	}
	for _, a := range all {
		if err := s.keys(a); err != nil {
			return err
		}
	}
	return nil
}

func isSmall(t *table.Table) bool {
	return t.Rows >= 0 && t.Rows <= smallRows && t.Bytes >= 0 && t.Bytes <= smallBytes
}

// part selects the conditions of a job from at most limit rows of its table.
func part(job []*answer, from string) string {
	conditions := make([]string, len(job))
	for i, a := range job {
		conditions[i] = fmt.Sprintf("(%s) AS c%d", a.where, i)
	}
	return "SELECT " + strings.Join(conditions, ", ") + " FROM " + from
}

// together asks about several small tables with one statement.
func (s *scan) together(jobs [][]*answer) error {
	parts := make([]string, len(jobs))
	for i, job := range jobs {
		sums := make([]string, len(job))
		for c := range job {
			sums[c] = fmt.Sprintf("COALESCE(SUM(c%d), 0)", c)
		}
		parts[i] = fmt.Sprintf("SELECT %d AS job, COUNT(*) AS looked, CONCAT_WS(',', %s) AS found FROM (%s LIMIT %d) AS looked",
			i, strings.Join(sums, ", "), part(job, quoted(job[0].table)), scanRows)
	}
	if s.ctx.Err() != nil {
		return nil
	}
	rows, err := records(s.ctx, s.src.db, strings.Join(parts, " UNION ALL "))
	if s.gaveUp(err) {
		for _, job := range jobs {
			if err := s.alone(job); err != nil {
				return err
			}
		}
		return nil
	}
	if err != nil {
		return mysqlconn.Fault(err, "source")
	}
	for _, r := range rows {
		at, err := strconv.Atoi(r["job"])
		if err != nil || at >= len(jobs) {
			return fmt.Errorf("read the answers about rows: no table %q", r["job"])
		}
		looked, _ := strconv.ParseInt(r["looked"], 10, 64)
		for c, text := range strings.Split(r["found"], ",") {
			jobs[at][c].n, _ = strconv.ParseInt(text, 10, 64)
			jobs[at][c].whole = looked < scanRows
		}
	}
	return nil
}

// alone asks about one table: as a whole, or its first and its newest rows.
// A column that begins an index is asked about as a whole anyway.
func (s *scan) alone(job []*answer) error {
	var rest []*answer
	for _, a := range job {
		if !indexed(a.table, a.column) || !s.src.limited() && a.table.Rows > wholeRows {
			rest = append(rest, a)
			continue
		}
		values, whole, err := s.ask("SELECT COUNT(*) FROM "+quoted(a.table)+" WHERE "+a.where, 1)
		if err != nil {
			return err
		}
		if a.n, a.whole = values[0], whole; !whole {
			rest = append(rest, a)
		}
	}
	if len(rest) == 0 {
		return nil
	}
	t := rest[0].table
	if s.src.limited() && t.Rows <= wholeRows {
		whole, err := s.sum(rest, part(rest, quoted(t)), 0)
		if whole || err != nil {
			return err
		}
	}
	whole, err := s.sum(rest, part(rest, quoted(t)), scanRows)
	if whole || err != nil || t.Primary() == nil {
		return err
	}
	_, err = s.sum(rest, part(rest, quoted(t)+newestFirst(t)), scanRows)
	return err
}

// sum adds up the conditions of a select; limit 0 is none. It says whether the
// whole table was looked at, and keeps the larger counts.
func (s *scan) sum(job []*answer, selected string, limit int64) (whole bool, err error) {
	if limit > 0 {
		selected += fmt.Sprintf(" LIMIT %d", limit)
	}
	sums := make([]string, len(job))
	for c := range job {
		sums[c] = fmt.Sprintf("SUM(c%d)", c)
	}
	values, whole, err := s.ask("SELECT COUNT(*), "+strings.Join(sums, ", ")+" FROM ("+selected+") AS looked", len(job)+1)
	whole = whole && (limit == 0 || values[0] < limit)
	for c, a := range job {
		a.n, a.whole = max(a.n, values[c+1]), whole
	}
	return whole, err
}

func newestFirst(t *table.Table) string {
	var columns []string
	for _, c := range t.Primary().Columns() {
		columns = append(columns, dialect.QuoteName(t.Columns[c].Name)+" DESC")
	}
	return " ORDER BY " + strings.Join(columns, ", ")
}

func quoted(t *table.Table) string { return dialect.QuoteName(t.Name.Schema, t.Name.Table) }

// sampleKeys is how many keys are kept of each place.
const sampleKeys = 5

// keys reads the primary keys of some of the rows that were found.
func (s *scan) keys(a *answer) error {
	primary := a.table.Primary()
	if a.n == 0 || primary == nil || s.ctx.Err() != nil {
		return nil
	}
	var parts []string
	for _, c := range primary.Columns() {
		parts = append(parts, keyText(a.table.Columns[c]))
	}
	key := "CONCAT_WS(', ', " + strings.Join(parts, ", ") + ")"
	query := fmt.Sprintf("SELECT %s AS k FROM %s WHERE %s LIMIT %d", key, quoted(a.table), a.where, sampleKeys)
	if !a.whole {
		query = fmt.Sprintf("SELECT k FROM (SELECT %s AS k, (%s) AS c FROM %s LIMIT %d) AS looked WHERE c LIMIT %d", key, a.where, quoted(a.table), scanRows, sampleKeys)
	}
	rows, err := records(s.ctx, s.src.db, query)
	if s.gaveUp(err) {
		return nil
	}
	if err != nil {
		return mysqlconn.Fault(err, "source")
	}
	for _, r := range rows {
		a.keys = append(a.keys, clip([]string{r["k"]})...)
	}
	return nil
}

// keyText writes one column of a key as "name=value".
func keyText(c table.Column) string {
	name := dialect.QuoteName(c.Name)
	value := name
	switch c.Type {
	case table.TypeText:
		value = "CONVERT(" + name + " USING utf8)"
	case table.TypeBinary, table.TypeFixedBinary, table.TypeBit:
		value = "CONCAT('0x', HEX(" + name + "))"
	default:
	}
	return "CONCAT('" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(c.Name) + "=', " + value + ")"
}

// indexed says whether an index begins with the column.
func indexed(t *table.Table, column int) bool {
	for _, k := range t.Keys {
		if len(k.Parts) > 0 && k.Parts[0].Column == column && k.Parts[0].Prefix == 0 {
			return true
		}
	}
	return false
}

// ask runs a query of numbers; one that takes too long gives zeros and whole false.
func (s *scan) ask(query string, columns int) (values []int64, whole bool, err error) {
	values = make([]int64, columns)
	if s.ctx.Err() != nil {
		return values, false, nil
	}
	found := make([]sql.NullInt64, columns)
	into := make([]any, columns)
	for i := range found {
		into[i] = &found[i]
	}
	err = s.src.db.QueryRowContext(s.ctx, query).Scan(into...)
	if s.gaveUp(err) {
		return values, false, nil
	}
	if err != nil {
		return values, false, mysqlconn.Fault(err, "source")
	}
	for i, v := range found {
		values[i] = v.Int64
	}
	return values, true, nil
}

// gaveUp says whether the server ended the statement for its time, or we did.
func (s *scan) gaveUp(err error) bool {
	if err == nil {
		return false
	}
	return tookTooLong(err) || s.ctx.Err() != nil && errors.Is(context.Cause(s.ctx), context.DeadlineExceeded)
}

// tookTooLong knows what servers say when they end a statement for its time.
func tookTooLong(err error) bool {
	switch mysqlconn.Number(err) {
	case 3024, 1969, 1317, 1028:
		return true
	default:
		return false
	}
}
