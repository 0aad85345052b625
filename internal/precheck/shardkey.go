package precheck

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"shardlift/internal/dialect"
	"shardlift/internal/mysqlconn"
)

// codeShardKeyParameter is what items with statements over all shards need.
const codeShardKeyParameter = "dstContainsShardKey"

// withoutShardKey (PC-D19): with contains_shard_key ON, DDM refuses statements
// that do not name the sharding key; the copy's and the comparison's ranges, and
// most deletes after a crash, do not.
func withoutShardKey(ctx context.Context, e *Env) (finding, error) {
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	if !isDDM(d) {
		return pass("%s has no parameter contains_shard_key", d.Info().Kind), nil
	}
	pairs, err := e.sharded(ctx)
	if err != nil {
		return finding{}, err
	}
	tried := map[string]bool{}
	var g graded
	for _, p := range pairs {
		if tried[p.to.Schema] {
			continue
		}
		tried[p.to.Schema] = true
		_, err := records(ctx, d.DB(), d.Hint()+"SELECT 1 FROM "+dialect.QuoteName(p.to.Schema, p.to.Table)+" LIMIT 1")
		switch {
		case err == nil, mysqlconn.IsAccessDenied(err): // said by dstDbPrivilegesIsEnough
		case refused(err):
			g.fail("%s: the destination refuses a SELECT without the sharding key (error %d)", p.to, mysqlconn.Number(err))
		default:
			return finding{}, mysqlconn.Fault(err, p.to.String())
		}
	}
	return g.finding("statements without the sharding key are taken", "the destination refuses statements without the sharding key", "",
		"in DDM's console set the instance parameter contains_shard_key to OFF"), nil
}

// updatesOfShardKeys (PC-D11): the task itself moves such rows by delete and
// insert; after the switch DDM refuses the application's UPDATE (D-32).
func updatesOfShardKeys(ctx context.Context, e *Env) (finding, error) {
	pairs, err := e.sharded(ctx)
	if err != nil {
		return finding{}, err
	}
	if len(pairs) == 0 {
		return pass("no table is sharded"), nil
	}
	const remedy = "let the application delete and insert instead of UPDATE <table> SET <sharding key> = …, before the switch; the task itself copes with such updates"
	updates, seen, err := e.updateDigests(ctx)
	if err != nil {
		return finding{}, err
	}
	var g graded
	for _, p := range pairs {
		for _, column := range p.placement.ShardColumns() {
			switch {
			case !seen && !inPrimary(p, column):
				g.alarm("%s.%s: whether applications update it is not seen", p.source.Name, column)
			case slices.ContainsFunc(updates, func(u string) bool { return sets(u, p.source.Name.Table, column) }):
				g.alarm("%s.%s is updated by statements of the source", p.source.Name, column)
			}
		}
	}
	return g.finding("no statement of the source is known to update a sharding key", "", "applications update sharding keys, or may do so: DDM refuses that", remedy), nil
}

func inPrimary(p pair, column string) bool {
	k := p.source.Primary()
	return k != nil && slices.ContainsFunc(k.Columns(), func(c int) bool { return strings.EqualFold(p.source.Columns[c].Name, column) })
}

// digestsRead bounds how many statement digests are looked at.
const digestsRead = 10_000

// updateDigests returns the UPDATE statements that the source has counted since
// its start, without values; seen is false when it does not tell.
func (e *Env) updateDigests(ctx context.Context) (updates []string, seen bool, err error) {
	s, err := e.src(ctx)
	if err != nil {
		return nil, false, err
	}
	if !s.capabilities.IsOn("performance_schema") {
		return nil, false, nil
	}
	rows, err := records(ctx, s.db, fmt.Sprintf("SELECT DIGEST_TEXT FROM performance_schema.events_statements_summary_by_digest WHERE DIGEST_TEXT LIKE 'UPDATE%%' LIMIT %d", digestsRead))
	if refused(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, mysqlconn.Fault(err, "statement digests")
	}
	for _, r := range rows {
		updates = append(updates, r["digest_text"])
	}
	return updates, true, nil
}

var identifier = regexp.MustCompile("[A-Za-z0-9_$\u0080-\U0010ffff]+|`[^`]+`|=|,")

// sets says whether an UPDATE of a table assigns to a column.
func sets(update, table, column string) bool {
	words := identifier.FindAllString(update, -1)
	for i := range words {
		words[i] = strings.Trim(words[i], "`")
	}
	is := func(name string) func(string) bool {
		return func(w string) bool { return strings.EqualFold(w, name) }
	}
	set := slices.IndexFunc(words, is("SET"))
	if set < 0 || !slices.ContainsFunc(words[:set], is(table)) {
		return false
	}
	end := slices.IndexFunc(words, is("WHERE"))
	if end < 0 {
		end = len(words)
	}
	for i := set + 1; i+1 < end; i++ {
		if is(column)(words[i]) && words[i+1] == "=" {
			return true
		}
	}
	return false
}

// partitions (PC-D16): rows move; the application's PARTITION clauses do not.
func partitions(ctx context.Context, e *Env) (finding, error) {
	d, err := e.dst(ctx)
	if err != nil {
		return finding{}, err
	}
	if plain(d) {
		return pass("%s has partitions too", d.Info().Kind), nil
	}
	pairs, err := e.selectedOnSource(ctx)
	if err != nil {
		return finding{}, err
	}
	options, err := e.createOptions(ctx)
	if err != nil {
		return finding{}, err
	}
	var g graded
	for _, p := range pairs {
		if strings.Contains(options[p.source.Name], "partitioned") {
			g.alarm("%s", p.source.Name)
		}
	}
	return g.finding("no selected table is partitioned", "", "partitioned tables of the source: their rows move, but the destination takes no PARTITION clause (ALTER TABLE … DROP PARTITION, SELECT … PARTITION)",
		"let the application delete by condition instead of by partition; a partition that is dropped on the source while the task runs stops it"), nil
}
