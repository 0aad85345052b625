package precheck

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/table"
)

func structureItems() []item {
	return []item{
		{code: "srcTableColumnTypes", group: groupSource, title: "Column types are supported", needs: onBoth, run: columnTypes},
		{code: "dbTableStructureConsistency", group: groupDependency, title: "Columns and keys fit the destination", needs: onBoth, run: tableStructure},
		{code: "dbCharacterSetConsistency", group: groupParameters, title: "Character sets fit the destination", needs: onBoth, run: characterSets},
		{code: "dbGeneratedColumnConsistency", group: groupDependency, title: "Generated columns are computed alike", needs: onBoth, run: generatedColumns},
	}
}

// columnTypes: DDM has no spatial types (PC-D13); types that nobody here knows
// cannot be moved at all.
func columnTypes(ctx context.Context, e *Env) (finding, error) {
	pairs, err := e.selectedOnSource(ctx)
	if err != nil {
		return finding{}, err
	}
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	var g graded
	for _, p := range pairs {
		for _, c := range p.source.Columns {
			switch {
			case c.Type == table.TypeUnknown:
				g.fail("%s.%s: type %s is not supported", p.source.Name, c.Name, c.SQLType)
			case isDDM(d) && (c.Type == table.TypeGeometry || c.Type == table.TypeVector):
				g.fail("%s.%s: DDM has no type %s", p.source.Name, c.Name, c.SQLType)
			}
		}
	}
	return g.finding("every type is supported", "types are not supported", "", "exclude the tables, or change the columns' types on the source"), nil
}

func tableStructure(ctx context.Context, e *Env) (finding, error) {
	pairs, err := e.present(ctx)
	if err != nil {
		return finding{}, err
	}
	var g graded
	var remedies []string
	for _, p := range pairs {
		_, err := dialect.NewMapping(p.source, p.destination, p.placement)
		if errors.Is(err, fault.NoPrimaryKey) && p.source.Primary() == nil {
			continue // said by srcHasNoPkTable
		}
		if f, ok := fault.As(err); ok {
			object := f.Object
			g.fail("%s: %s", object, f.Message)
			if !slices.Contains(remedies, f.Remedy) {
				remedies = append(remedies, f.Remedy)
			}
		} else if err != nil {
			return finding{}, err
		}
		for _, narrow := range narrower(p) {
			g.fail("%s", narrow)
		}
		for _, column := range withoutDefault(p) {
			g.alarm("%s: the source has a default, the destination none", column)
		}
	}
	if len(g.fails) > 0 && len(remedies) == 0 {
		remedies = append(remedies, "ALTER TABLE on the destination so that its columns hold every value of the source's")
	}
	if len(g.alarms) > 0 {
		remedies = append(remedies, "ALTER TABLE <schema>.<table> ALTER COLUMN <column> SET DEFAULT <the source's>; on the destination, or let the application name the columns in each INSERT")
	}
	return g.finding(fmt.Sprintf("columns and keys of %d tables fit", len(pairs)), "columns or keys do not fit",
		"defaults are missing: after the switch an INSERT of the application that leaves the columns out fails or stores NULL", strings.Join(remedies, "\n")), nil
}

// withoutDefault names columns that an INSERT may leave out on the source and gets
// another value, or none, on the destination (PC-D3). The task itself writes every column.
func withoutDefault(p pair) []string {
	var out []string
	for _, from := range p.source.Columns {
		at := p.destination.Column(from.Name)
		if at < 0 || !from.HasDefault || from.AutoIncrement || from.Generated != table.NotGenerated {
			continue
		}
		if to := p.destination.Columns[at]; !to.HasDefault && !to.AutoIncrement && to.Generated == table.NotGenerated {
			out = append(out, p.to.String()+"."+to.Name)
		}
	}
	return out
}

// narrower names destination columns that would refuse some of the values that
// the source's column may hold.
func narrower(p pair) []string {
	var out []string
	for i := range p.source.Columns {
		from := &p.source.Columns[i]
		at := p.destination.Column(from.Name)
		if at < 0 {
			continue
		}
		to := &p.destination.Columns[at]
		if !to.Writable() || to.Type != from.Type {
			continue
		}
		if why := narrows(from, to); why != "" {
			out = append(out, fmt.Sprintf("%s.%s: %s (source %s, destination %s)", p.to, to.Name, why, from.SQLType, to.SQLType))
		}
	}
	return out
}

func narrows(from, to *table.Column) string {
	if from.Nullable && !to.Nullable {
		return "the source may hold NULL, the destination not"
	}
	switch from.Type {
	case table.TypeInt:
		switch {
		case to.Unsigned && !from.Unsigned:
			return "the destination takes no negative numbers"
		case to.Bits < from.Bits, from.Unsigned && !to.Unsigned && to.Bits == from.Bits:
			return "the destination's range is smaller"
		}
	case table.TypeDecimal:
		if to.Precision-to.Scale < from.Precision-from.Scale || to.Unsigned && !from.Unsigned {
			return "the destination's range is smaller"
		}
	case table.TypeFloat, table.TypeDouble:
		if to.Unsigned && !from.Unsigned {
			return "the destination takes no negative numbers"
		}
		if to.SQLType != from.SQLType && strings.Contains(to.SQLType, "(") {
			return "the destination rounds"
		}
	case table.TypeText, table.TypeBinary, table.TypeFixedBinary:
		if to.Length < from.Length {
			return "the destination is shorter"
		}
	default:
	}
	return ""
}

// ddmCharsets are what DDM's data nodes may have (PC-D17).
var ddmCharsets = []string{"ascii", "latin1", "binary", "utf8", "utf8mb4"}

// characterSets: a value is sent with its own character set, and the server
// converts it; that loses nothing only where the destination's set has every
// character of the source's.
func characterSets(ctx context.Context, e *Env) (finding, error) {
	pairs, err := e.present(ctx)
	if err != nil {
		return finding{}, err
	}
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	var g graded
	for _, p := range pairs {
		for _, c := range p.source.Columns {
			if c.Charset == "" {
				continue
			}
			at := p.destination.Column(c.Name)
			if isDDM(d) && !slices.Contains(ddmCharsets, c.Charset) {
				g.fail("%s.%s: DDM does not know character set %s", p.source.Name, c.Name, c.Charset)
				continue
			}
			if at < 0 || p.destination.Columns[at].Charset == "" {
				continue
			}
			if to := p.destination.Columns[at].Charset; !holds(to, c.Charset) {
				if c.Type != table.TypeText || c.Charset == "binary" || to == "binary" {
					g.fail("%s.%s: from %s to %s, which has not all of its characters", p.to, c.Name, c.Charset, to)
					continue
				}
				g.alarm("%s.%s: from %s to %s, which has not all of its characters", p.to, c.Name, c.Charset, to)
			}
		}
	}
	return g.finding("every character of the source can be stored", "character sets do not fit", "character sets of the destination are smaller; srcUnrepresentableValues counts the rows that need more",
		"ALTER TABLE <schema>.<table> CONVERT TO CHARACTER SET utf8mb4; on the destination (on both sides for sets that DDM does not know)"), nil
}

// holds says whether a character set has every character of another one.
func holds(to, from string) bool {
	switch {
	case to == from, from == "ascii" && to != "swe7":
		return true
	case to == "utf8mb4", to == "utf16", to == "utf32", to == "gb18030" && strings.HasPrefix(from, "gb"):
		return from != "binary"
	case to == "utf8", to == "ucs2":
		return from == "utf8" || from == "ucs2" || !slices.Contains([]string{"utf8mb4", "utf16", "utf16le", "utf32", "gb18030", "binary"}, from)
	default:
		return false
	}
}

// generatedColumns compares the expressions of columns that both sides compute.
func generatedColumns(ctx context.Context, e *Env) (finding, error) {
	pairs, err := e.present(ctx)
	if err != nil {
		return finding{}, err
	}
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	var g graded
	for _, p := range pairs {
		for _, to := range p.destination.Columns {
			if to.Generated == table.NotGenerated {
				continue
			}
			at := p.source.Column(to.Name)
			switch {
			case at < 0:
				g.alarm("%s.%s is computed by the destination only", p.to, to.Name)
			case p.source.Columns[at].Generated == table.NotGenerated:
				g.fail("%s.%s: the destination computes it, the source stores it", p.to, to.Name)
			default:
				same, err := e.sameExpression(ctx, d, p, to.Name)
				if err != nil {
					return finding{}, err
				}
				if !same {
					g.alarm("%s.%s: the expressions are not written alike", p.to, to.Name)
				}
			}
		}
	}
	return g.finding("no generated column, or computed alike", "the destination would compute columns that the source stores", "generated columns may differ",
		"give the destination's column the source's expression, or make it a plain column: computed values of the source are stored in it then"), nil
}

// sameExpression asks both sides for a column's expression; a middleware that
// does not tell it counts as not the same.
func (e *Env) sameExpression(ctx context.Context, d *destination.Destination, p pair, column string) (bool, error) {
	s, err := e.src(ctx)
	if err != nil {
		return false, err
	}
	if !plain(d) {
		return false, nil
	}
	const query = "SELECT GENERATION_EXPRESSION FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND COLUMN_NAME = ?"
	from, err := one(ctx, s.db, query, p.source.Name.Schema, p.source.Name.Table, column)
	if err == nil {
		var to string
		to, err = one(ctx, d.DB(), query, p.to.Schema, p.to.Table, column)
		if err == nil {
			return from == to, nil
		}
	}
	if refused(err) {
		return false, nil
	}
	return false, err
}
