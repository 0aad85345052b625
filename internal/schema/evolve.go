package schema

import (
	"slices"
	"strings"

	"shardlift/internal/binlog"
	"shardlift/internal/ddl"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/table"
)

// state is what a statement leaves of a table: nil when it is gone. Not known:
// the statement alone does not say enough.
type state struct {
	table *table.Table
	known bool
}

// after follows a statement's effects from the definitions before it. today is
// the definition that the source has now, nil for none: a column that is still
// there as the statement made it is taken from it, with what the server filled in.
func (h *History) after(ev binlog.Event, n table.Name, today *table.Table) state {
	if !ev.Parsed || ev.Foreign {
		return state{}
	}
	states := map[table.Name]state{}
	get := func(n table.Name) state {
		if s, ok := states[n]; ok {
			return s
		}
		t, err := h.Table(n)
		return state{t, err == nil}
	}
	for _, e := range ev.Effects {
		switch e.Kind {
		case ddl.Alter, ddl.CreateIndex, ddl.DropIndex:
			for _, one := range e.Tables {
				states[one] = evolve(get(one), e, today)
			}
		case ddl.Rename:
			for i := 0; i+1 < len(e.Tables); i += 2 {
				s := get(e.Tables[i])
				states[e.Tables[i]] = state{known: true}
				states[e.Tables[i+1]] = renamed(s, e.Tables[i+1])
			}
		case ddl.Drop:
			for _, one := range e.Tables {
				states[one] = state{known: true}
			}
		case ddl.DropSchema:
			if n.Schema == e.Tables[0].Schema {
				states[n] = state{known: true}
			}
		case ddl.CreateTable:
			for _, one := range e.Tables {
				if !e.Conditional || !h.Has(one) {
					states[one] = state{}
				}
			}
		default: // the rest leaves definitions alone
		}
	}
	return get(n)
}

func renamed(s state, n table.Name) state {
	if s.table == nil {
		return state{}
	}
	out := *s.table
	out.Name = n
	return state{&out, s.known}
}

// evolve applies one ALTER TABLE, CREATE INDEX or DROP INDEX in the order in
// which servers do (mysql_prepare_alter_table): columns that stay keep their
// place with their new definitions, then new and moved ones find theirs.
func evolve(before state, e ddl.Effect, today *table.Table) state {
	if !before.known || before.table == nil || e.Kind == ddl.Alter && !e.ColumnsKnown {
		return state{}
	}
	old := before.table
	changes, ok := effective(e.Columns, old)
	if !ok {
		return state{}
	}
	columns := make([]table.Column, 0, len(old.Columns)+len(changes))
	for _, c := range old.Columns {
		i := slices.IndexFunc(changes, func(x ddl.ColumnChange) bool {
			return x.Op != ddl.AddColumn && strings.EqualFold(x.Name, c.Name)
		})
		switch {
		case i < 0:
			columns = append(columns, c)
		case changes[i].Op == ddl.RenameColumn:
			c.Name = changes[i].NewName
			columns = append(columns, c)
		case changes[i].Op == ddl.ChangeColumn && !placed(changes[i]):
			made, ok := column(changes[i], old, today)
			if !ok {
				return state{}
			}
			columns = append(columns, made)
		}
	}
	for _, x := range changes {
		if x.Op != ddl.AddColumn && (x.Op != ddl.ChangeColumn || !placed(x)) {
			continue
		}
		made, ok := column(x, old, today)
		at := place(x, columns)
		if !ok || at < 0 {
			return state{}
		}
		columns = slices.Insert(columns, at, made)
	}
	out := *old
	out.Columns = columns
	out.Keys, ok = keys(old, &out, changes, e.Dropped)
	return state{&out, ok}
}

// effective leaves out what IF EXISTS and IF NOT EXISTS leave out; not ok when
// a change names a column that is not there, or one column twice.
func effective(changes []ddl.ColumnChange, t *table.Table) ([]ddl.ColumnChange, bool) {
	var out []ddl.ColumnChange
	touched := map[string]bool{}
	for _, x := range changes {
		there := t.Column(x.Name) >= 0
		if x.Conditional && there == (x.Op == ddl.AddColumn) {
			continue
		}
		name := strings.ToLower(x.Name)
		if x.Op != ddl.AddColumn {
			if !there || touched[name] {
				return nil, false
			}
			touched[name] = true
		}
		out = append(out, x)
	}
	return out, true
}

func placed(x ddl.ColumnChange) bool { return x.First || x.After != "" }

// place is the ordinal of a new or moved column, -1 when the one before it is missing.
func place(x ddl.ColumnChange, columns []table.Column) int {
	switch {
	case x.First:
		return 0
	case x.After == "":
		return len(columns)
	}
	i := slices.IndexFunc(columns, func(c table.Column) bool { return strings.EqualFold(c.Name, x.After) })
	if i < 0 {
		return -1
	}
	return i + 1
}

// column makes a column of its definition.
func column(x ddl.ColumnChange, t, today *table.Table) (table.Column, bool) {
	d := x.Definition
	name := x.NewName
	if x.Op == ddl.AddColumn {
		name = x.Name
	}
	collation := d.Collation
	if collation == "" && d.Charset == "" {
		collation = t.Collation
	}
	c, err := mysqlconn.ParseColumn(mysqlconn.ColumnText{Name: name, Type: d.Type, Collation: collation, Nullable: d.Nullable, HasDefault: d.HasDefault})
	if err != nil || c.Type == table.TypeUnknown {
		return c, false
	}
	c.AutoIncrement, c.Invisible, c.Generated = d.AutoIncrement, d.Invisible, d.Generated
	if c.Type == table.TypeVector && c.Length == 0 {
		return c, false
	}
	if today != nil {
		if i := today.Column(name); i >= 0 && sameColumn(today.Columns[i], c, d.Charset) {
			return today.Columns[i], true
		}
	}
	text := c.Type == table.TypeText || c.Type == table.TypeEnum || c.Type == table.TypeSet
	// The default collation of a character set differs between servers, JSON is
	// LONGTEXT on MariaDB, VARCHAR of binary is VARBINARY: they are known only
	// where today's column has them.
	return c, (!text || c.Collation != "" && c.Charset != "binary") && c.Type != table.TypeJSON
}

// sameColumn says whether what the source has today can be what the statement
// made; charset is the one that the statement names without a collation.
func sameColumn(today, made table.Column, charset string) bool {
	if charset == "utf8mb3" {
		charset = "utf8"
	}
	switch {
	case today.Generated != made.Generated, !slices.Equal(today.Labels, made.Labels):
		return false
	case made.Type == table.TypeJSON && today.Type == table.TypeText: // MariaDB
		return today.Length == 1<<32-1 && today.Charset == "utf8mb4"
	case made.Collation != "" && today.Collation != made.Collation:
		return false
	case made.Collation == "" && charset != "" && today.Charset != charset:
		return false
	}
	return today.Type == made.Type && today.Bits == made.Bits && today.Unsigned == made.Unsigned && today.Length == made.Length &&
		today.Precision == made.Precision && today.Scale == made.Scale && today.Fraction == made.Fraction
}

// keys are the table's keys over the columns as they stand now. New unique ones
// are not here: the destination has them after the same change, and a mapping
// minds the keys of both sides. Not ok when the primary key loses a column.
func keys(old, now *table.Table, changes []ddl.ColumnChange, dropped []string) ([]table.Key, bool) {
	ordinal := func(was int) int {
		name := old.Columns[was].Name
		for _, x := range changes {
			if x.Op == ddl.AddColumn || !strings.EqualFold(x.Name, name) {
				continue
			}
			if x.Op == ddl.DropColumn {
				return -1
			}
			name = x.NewName
			break
		}
		return now.Column(name)
	}
	var out []table.Key
	for _, k := range old.Keys {
		if slices.ContainsFunc(dropped, func(n string) bool { return strings.EqualFold(n, k.Name) }) {
			continue
		}
		parts := make([]table.KeyPart, 0, len(k.Parts))
		for _, p := range k.Parts {
			if p.Column >= 0 {
				p.Column = ordinal(p.Column)
				if p.Column < 0 {
					if k.Name == table.PrimaryName {
						return nil, false
					}
					continue
				}
			}
			parts = append(parts, p)
		}
		if len(parts) > 0 {
			out = append(out, table.Key{Name: k.Name, Unique: k.Unique, Parts: parts})
		}
	}
	return out, true
}

// sameShape says whether rows of both definitions are read and told apart alike.
func sameShape(a, b *table.Table) bool {
	names := func(t *table.Table) []string {
		var out []string
		if k := t.Primary(); k != nil {
			for _, c := range k.Columns() {
				out = append(out, strings.ToLower(t.Columns[c].Name))
			}
		}
		return out
	}
	return slices.EqualFunc(a.Columns, b.Columns, func(x, y table.Column) bool {
		return strings.EqualFold(x.Name, y.Name) && sameColumn(x, y, "") && sameColumn(y, x, "")
	}) && slices.Equal(names(a), names(b))
}
