package destination

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"

	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/table"
)

// describe reads a table's definition by the statements that every middleware
// of the family answers rightly: SHOW FULL COLUMNS, SHOW KEYS, SHOW CREATE TABLE.
func (d *Destination) describe(ctx context.Context, n table.Name) (*table.Table, error) {
	t := &table.Table{Name: n, Rows: -1, Bytes: -1}
	from := " FROM " + dialect.QuoteName(n.Table) + " FROM " + dialect.QuoteName(n.Schema)
	columns, err := records(ctx, d.db, "SHOW FULL COLUMNS"+from)
	if err != nil {
		return nil, err
	}
	keys, err := records(ctx, d.db, "SHOW KEYS"+from)
	if err != nil {
		return nil, err
	}
	created, err := records(ctx, d.db, "SHOW CREATE TABLE "+dialect.QuoteName(n.Schema, n.Table))
	if err != nil {
		return nil, err
	}
	for _, r := range columns {
		c, err := mysqlconn.ParseColumn(columnText(r))
		if err != nil {
			return nil, fault.UnreadableDefinition.Wrap(err, n.String())
		}
		t.Columns = append(t.Columns, c)
	}
	if len(t.Columns) == 0 || len(created) != 1 {
		return nil, fault.UnreadableDefinition.New(n.String(), "no columns or no text of the table")
	}
	if err := addKeys(t, keys); err != nil {
		return nil, err
	}
	if d.info.Kind == dialect.Vitess {
		if err := d.markGenerated(ctx, t); err != nil {
			return nil, err
		}
	}
	text := options(created[0]["create table"])
	t.Engine = cmp.Or(option(text, engineOption), "InnoDB")
	t.Charset, t.Collation = charsetName(option(text, charsetOption)), charsetName(option(text, collateOption))
	return t, nil
}

func columnText(r record) mysqlconn.ColumnText {
	extra := r["extra"]
	_, hasDefault := r["default"] // it may be ''
	return mysqlconn.ColumnText{
		Name: r["field"], Type: r["type"], Collation: r["collation"], Extra: extra,
		Nullable:   strings.EqualFold(r["null"], "YES"),
		HasDefault: hasDefault || strings.Contains(strings.ToUpper(extra), "DEFAULT_GENERATED"),
	}
}

// addKeys takes the parts in the order in which they are listed for each key.
func addKeys(t *table.Table, keys []record) error {
	for _, r := range keys {
		part := table.KeyPart{Column: -1, Prefix: r.int("sub_part")}
		if name := r["column_name"]; name != "" {
			if part.Column = t.Column(name); part.Column < 0 {
				return fault.UnreadableDefinition.New(t.Name.String(), "key %s has column %s, which the table has not", r["key_name"], name)
			}
		}
		at := slices.IndexFunc(t.Keys, func(k table.Key) bool { return k.Name == r["key_name"] })
		if at < 0 {
			t.Keys = append(t.Keys, table.Key{Name: r["key_name"], Unique: r["non_unique"] == "0"})
			at = len(t.Keys) - 1
		}
		t.Keys[at].Parts = append(t.Keys[at].Parts, part)
	}
	slices.SortStableFunc(t.Keys, func(a, b table.Key) int {
		return cmp.Or(rank(a)-rank(b), cmp.Compare(a.Name, b.Name))
	})
	return nil
}

func rank(k table.Key) int {
	if k.Name == table.PrimaryName {
		return 0
	}
	return 1
}

var (
	engineOption        = regexp.MustCompile(`(?i)\bENGINE\s*=\s*(\w+)`)
	charsetOption       = regexp.MustCompile(`(?i)\bCHARSET\s*=\s*(\w+)`)
	collateOption       = regexp.MustCompile(`(?i)\bCOLLATE\s*=\s*(\w+)`)
	autoIncrementOption = regexp.MustCompile(`(?i)\bAUTO_INCREMENT\s*=\s*(\d+)`)
)

// options cuts the table options off the text of SHOW CREATE TABLE: what follows
// the column list, whose end is the last line that begins with a parenthesis.
func options(text string) string {
	if at := strings.LastIndex(text, "\n)"); at >= 0 {
		return text[at:]
	}
	return text
}

// option reads one table option; empty when it is not printed.
func option(text string, pattern *regexp.Regexp) string {
	if m := pattern.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// charsetName is how mysqlconn names character sets and collations.
func charsetName(printed string) string {
	return strings.Replace(strings.ToLower(printed), "utf8mb3", "utf8", 1)
}
