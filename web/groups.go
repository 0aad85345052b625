package main

import (
	"shardlift/internal/contract"
	"shardlift/internal/lifecycle"
	"shardlift/web/api"
)

// renderGroups shows the tables that stand apart from the task.
func renderGroups(t *api.Task, v *contract.View) {
	groups := make([]api.TableGroup, 0, len(v.Groups))
	for _, g := range v.Groups {
		out := api.TableGroup{
			No: g.No, Tables: make([]api.GroupedTable, 0, len(g.Tables)), State: api.TableGroupState(g.State), Since: g.Since,
			Position: renderPosition(g.Position), Added: g.Added,
		}
		for _, n := range g.Tables {
			out.Tables = append(out.Tables, api.GroupedTable{Schema: n.Schema, Table: n.Table})
		}
		if g.Error != nil {
			e := renderError(*g.Error)
			out.Error = &e
		}
		groups = append(groups, out)
	}
	t.Groups = &groups
}

// countGroups puts the tables that stand apart where they are. The counts of the
// task's own copy have them, but for added ones.
func countGroups(t *api.Task, v *contract.View) {
	c := &t.Tables
	if c.Total == nil {
		return
	}
	add := func(count **int, n int) {
		sum := max(value(*count)+n, 0)
		*count = &sum
	}
	for _, g := range v.Groups {
		n := len(g.Tables)
		if g.Added {
			add(&c.Total, n)
		} else {
			switch {
			case v.Phase == lifecycle.PhaseIncremental:
				add(&c.Applying, -n)
			case g.Copied || v.Copy.Done:
				add(&c.Copied, -n)
			default:
				add(&c.Waiting, -n)
			}
		}
		switch g.State {
		case contract.GroupParked:
			add(&c.Parked, n)
		case contract.GroupPlanning:
			add(&c.Waiting, n)
		case contract.GroupCopying:
			add(&c.Copying, n)
		case contract.GroupDropped:
			add(&c.Total, -n)
		default:
			add(&c.Applying, n)
		}
	}
}

// showGroups overlays the lines of `tables` with what the workflow knows.
func showGroups(lines []api.TableProgress, groups []contract.Group) {
	for i := range lines {
		for _, g := range groups {
			for _, n := range g.Tables {
				if n.Schema != lines[i].Schema || n.Table != lines[i].Table {
					continue
				}
				lines[i].State = string(g.State)
				if g.Error != nil {
					lines[i].Error = orNull(g.Error.Code + ": " + g.Error.Message)
				}
			}
		}
	}
}
