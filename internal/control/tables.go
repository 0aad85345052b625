package control

import (
	"context"
	"slices"

	"shardlift/internal/contract"
	"shardlift/internal/selection"
	"shardlift/internal/table"
)

// TableChange is one table of ChangeTables. To is its name on the destination,
// for additions; what is empty in it is as the task's rules have it for the schema.
type TableChange struct{ Name, To table.Name }

// ChangeTables retries, recopies or drops parked tables, or adds tables to the
// running task. Names that cannot be are Invalid.
func (s *Service) ChangeTables(ctx context.Context, taskID string, r contract.TablesRequest, tables []TableChange, key string) (Outcome, error) {
	for _, t := range tables {
		r.Tables = append(r.Tables, t.Name)
	}
	if r.Kind == contract.TablesAdd {
		view, err := s.View(ctx, taskID)
		if err != nil {
			return Outcome{}, err
		}
		if r.Revision == 0 {
			r.Revision = view.Revision // the rules were read of this one
		}
		r.Objects = rulesFor(tables, view.Spec.Objects)
		for _, err := range r.Objects.Validate() {
			return Outcome{}, &Invalid{[]FieldError{{"tables", err.Error()}}}
		}
	}
	return Send(ctx, s, taskID, contract.UpdateTables, r, key)
}

// rulesFor selects exactly the tables, in the order of their schemas. A schema
// that the task knows keeps its destination.
func rulesFor(tables []TableChange, known selection.Selection) selection.Selection {
	var out selection.Selection
	for _, t := range tables {
		to := t.To.Schema
		if i := slices.IndexFunc(known, func(r selection.Rule) bool { return r.Schema == t.Name.Schema }); to == "" && i >= 0 {
			to = known[i].To
		}
		i := slices.IndexFunc(out, func(r selection.Rule) bool { return r.Schema == t.Name.Schema && r.To == to })
		if i < 0 {
			i, out = len(out), append(out, selection.Rule{Schema: t.Name.Schema, To: to})
		}
		out[i].Tables = append(out[i].Tables, t.Name.Table)
		if t.To.Table != "" && t.To.Table != t.Name.Table {
			if out[i].Rename == nil {
				out[i].Rename = map[string]string{}
			}
			out[i].Rename[t.Name.Table] = t.To.Table
		}
	}
	return out
}
