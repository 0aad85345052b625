package precheck

import (
	"context"
	"slices"

	"shardlift/internal/checkpoint"
	"shardlift/internal/mysqlconn"
)

// keptLine says where the keys of evidence are.
const keptLine = "keys of such rows are kept in the destination's metadata (table shardlift_sample)"

// evidence is what a result may show. The keys that an item found go to the
// destination's metadata instead; that they cannot be kept (no schema yet, no
// right to make a table) hides nothing: counts and the statement that finds the
// rows are in the result.
func (e *Env) evidence(ctx context.Context, code string, f finding) []string {
	if !e.keepSamples(ctx, code, f.samples) {
		return clip(f.evidence)
	}
	return append(clipTo(f.evidence, evidenceLines-1), keptLine)
}

// keepSamples says whether there are samples and they are kept.
func (e *Env) keepSamples(ctx context.Context, code string, found []checkpoint.Sample) bool {
	d, connected := e.destination.have()
	asksRows := slices.ContainsFunc(questions(mysqlconn.Capabilities{}), func(q question) bool { return q.code == code })
	if !connected || !asksRows {
		return false
	}
	schemas, err := e.schemas(ctx)
	if err != nil || !slices.Contains(schemas, e.metadataSchema()) {
		return false
	}
	err = checkpoint.KeepSamples(ctx, d, e.metadataSchema(), e.config.TaskID, code, found)
	return err == nil && len(found) > 0
}
