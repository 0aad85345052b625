package activities

import (
	"context"
	"encoding/json"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/table"
)

// objectsPage reads a page of the source's tables and says where the task's
// rules send each.
func objectsPage(ctx context.Context, t *resolved, in contract.InspectIn) (contract.ObjectsAnswer, error) {
	answer := contract.ObjectsAnswer{Objects: []contract.SourceObject{}}
	var after table.Name
	if in.After != "" && json.Unmarshal([]byte(in.After), &after) != nil {
		return answer, fault.InvalidField.New("after", "must be the cursor of a former page")
	}
	src, err := openSource(ctx, t, 1)
	if err != nil {
		return answer, err
	}
	defer func() { _ = src.Close() }()
	limit := min(max(in.Limit, 0), mostPage)
	if limit == 0 {
		limit = usualPage
	}
	found, err := src.Objects(ctx, in.Search, after, limit+1)
	if err != nil {
		return answer, err
	}
	if len(found) > limit {
		found = found[:limit]
		next, err := json.Marshal(found[limit-1].Name)
		if err != nil {
			return answer, fault.Internal.Wrap(err, "cursor")
		}
		cursor := string(next)
		answer.Next = &cursor
	}
	for _, o := range found {
		line := contract.SourceObject{Name: o.Name, Engine: o.Engine, RowsEstimated: o.Rows, BytesEstimated: o.Bytes}
		if to, _, ok := t.Spec.Objects.Match(o.Name); ok {
			line.To = &to
		}
		answer.Objects = append(answer.Objects, line)
	}
	return answer, nil
}
