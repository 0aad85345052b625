package checkpoint

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"shardlift/internal/fault"
	"shardlift/internal/position"
	"shardlift/internal/table"
)

// TableGroup is an apply group beside group 0 (docs/decisions/0011): tables with a
// position of their own, or tables that were dropped.
type TableGroup struct {
	No     int          `json:"-"`
	Tables []GroupTable `json:"tables"`
	// From is the position after which the stream holds everything that the
	// group's copy does not.
	From position.Position `json:"from"`
	// Planned: its copy was planned for the group, with From as its start position.
	Planned bool `json:"planned,omitempty"`
	// Added: its tables have never been in group 0.
	Added bool `json:"added,omitempty"`
	// Dropped: the task goes on without them for good.
	Dropped bool `json:"dropped,omitempty"`
}

// GroupTable is a source table of a group with its number in the plan.
type GroupTable struct {
	table.Name
	No int `json:"no"`
}

// Names are the tables of the group on the source.
func (g TableGroup) Names() []table.Name {
	out := make([]table.Name, len(g.Tables))
	for i, t := range g.Tables {
		out[i] = t.Name
	}
	return out
}

// Has says whether a table is in the group.
func (g TableGroup) Has(n table.Name) bool {
	return slices.ContainsFunc(g.Tables, func(t GroupTable) bool { return t.Name == n })
}

// Groups returns all groups beside group 0, in the order of their numbers.
func (s *Store) Groups(ctx context.Context) ([]TableGroup, error) {
	var out []TableGroup
	err := s.each(ctx, fmt.Sprintf("SELECT no, body FROM %s WHERE task = %s ORDER BY no", s.t(tableGroup), s.task), func(scan func(...any) error) error {
		var g TableGroup
		var data []byte
		if err := scan(&g.No, &data); err != nil {
			return err
		}
		err := read(data, &g, fmt.Sprintf("group %d", g.No))
		out = append(out, g)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the groups: %w", err)
	}
	return out, nil
}

// Group returns one group, nil when there is none of that number.
func (s *Store) Group(ctx context.Context, no int) (*TableGroup, error) {
	groups, err := s.Groups(ctx)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(groups, func(g TableGroup) bool { return g.No == no }); i >= 0 {
		return &groups[i], nil
	}
	return nil, nil
}

// groupOfTable returns the number of a table's group; a dropped one is none's: -1.
func groupOfTable(groups []TableGroup, n table.Name) int {
	for _, g := range groups {
		if g.Has(n) {
			if g.Dropped {
				return -1
			}
			return g.No
		}
	}
	return 0
}

// members is the condition on plan numbers, " AND …", for the tables of a group.
// Group 0 has all tables that are in no other and were not dropped.
func (s *Store) members(ctx context.Context, group int, column string) (string, error) {
	groups, err := s.Groups(ctx)
	if err != nil {
		return "", err
	}
	if group == 0 {
		return condition(column, groups, true, func(TableGroup) bool { return true }), nil
	}
	return condition(column, groups, false, func(g TableGroup) bool { return g.No == group && !g.Dropped }), nil
}

// notDropped is the condition for all tables that the task still has.
func (s *Store) notDropped(ctx context.Context, column string) (string, error) {
	groups, err := s.Groups(ctx)
	return condition(column, groups, true, func(g TableGroup) bool { return g.Dropped }), err
}

func condition(column string, groups []TableGroup, not bool, chosen func(TableGroup) bool) string {
	var numbers []string
	for _, g := range groups {
		for _, t := range g.Tables {
			if chosen(g) {
				numbers = append(numbers, strconv.Itoa(t.No))
			}
		}
	}
	switch {
	case not && len(numbers) == 0:
		return ""
	case not:
		return fmt.Sprintf(" AND %s NOT IN (%s)", column, strings.Join(numbers, ", "))
	case len(numbers) == 0:
		return fmt.Sprintf(" AND %s = -1", column)
	default:
		return fmt.Sprintf(" AND %s IN (%s)", column, strings.Join(numbers, ", "))
	}
}

// Oldest returns the checkpoint with the oldest position of all groups, from
// where the source's binlog is still needed; nil when group 0 has none yet.
func (s *Store) Oldest(ctx context.Context) (*Checkpoint, error) {
	oldest, err := s.Load(ctx, 0)
	if err != nil || oldest == nil {
		return nil, err
	}
	groups, err := s.Groups(ctx)
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		c, err := s.Load(ctx, g.No)
		if err != nil {
			return nil, err
		}
		if c == nil {
			continue
		}
		// Where none covers the other, CheckHistory of either sees a purge.
		if covers, err := oldest.Position.Covers(c.Position); err == nil && covers && !samePosition(oldest.Position, c.Position) {
			oldest = c
		}
	}
	return oldest, nil
}

// CopyUnits names the units that may hold chunks of a group: its own lanes, and
// whoever has claimed a chunk of its tables.
func (s *Store) CopyUnits(ctx context.Context, group int, tables []GroupTable) ([]string, error) {
	found := map[string]bool{}
	note := func(scan func(...any) error) error {
		var unit string
		err := scan(&unit)
		found[unit] = true
		return err
	}
	err := s.each(ctx, fmt.Sprintf("SELECT unit FROM %s WHERE task = %s AND unit LIKE %s", s.t(tableOwner), s.task, str(copyPrefix(group)+"%")), note)
	if err == nil && len(tables) > 0 {
		held := condition("tbl", []TableGroup{{Tables: tables}}, false, func(TableGroup) bool { return true })
		err = s.each(ctx, fmt.Sprintf("SELECT DISTINCT unit FROM %s WHERE task = %s AND state = %d%s", s.t(tableChunk), s.task, ChunkClaimed, held), note)
	}
	if err != nil {
		return nil, fmt.Errorf("read the lanes of group %d: %w", group, err)
	}
	out := make([]string, 0, len(found))
	for unit := range found {
		out = append(out, unit)
	}
	slices.Sort(out)
	return out, nil
}

// GroupTables finds tables in the plan. Fault TableUnplanned.
func (s *Store) GroupTables(ctx context.Context, names []table.Name) ([]GroupTable, error) {
	planned, err := s.Tables(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]GroupTable, 0, len(names))
	for _, n := range names {
		i := slices.IndexFunc(planned, func(t Table) bool { return t.Source == n })
		if i < 0 {
			return nil, fault.TableUnplanned.New(n.String(), "")
		}
		out = append(out, GroupTable{n, planned[i].No})
	}
	return out, nil
}

// hold makes sure, inside a transaction, that a fence's unit has no newer owner,
// and that none comes before the transaction ends.
func (s *Store) hold(ctx context.Context, tx *sql.Tx, f *Fence) error {
	n, err := run(ctx, tx, fmt.Sprintf("UPDATE %s SET counter = counter + 1 WHERE %s AND token = %s", s.t(tableOwner), s.whereUnit(f.unit), str(f.token.String())))
	if err == nil && n != 1 {
		err = fault.Fenced.New(f.unit, "")
	}
	return err
}

func samePosition(a, b position.Position) bool {
	back, err := b.Covers(a)
	if err != nil || !back {
		return false
	}
	there, err := a.Covers(b)
	return err == nil && there
}
