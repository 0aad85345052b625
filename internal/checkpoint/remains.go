package checkpoint

import "shardlift/internal/dialect"

// Remains names, quoted, every table that tasks with this metadata schema and
// these destination schemas may have: what is left when Drop cannot be run.
func Remains(metadata string, schemas []string) []string {
	// The version goes first: half a set is no set.
	names := []string{dialect.QuoteName(metadata, prefix+tableMeta)}
	for _, d := range definitions() {
		if d.name != tableMeta {
			names = append(names, dialect.QuoteName(metadata, prefix+d.name))
		}
	}
	names = append(names, dialect.QuoteName(metadata, prefix+tableSample), dialect.QuoteName(metadata, prefix+"scratch")) // of the pre-check, of probes
	for _, schema := range schemas {
		names = append(names, dialect.QuoteName(schema, prefix+tableFence), dialect.QuoteName(schema, prefix+tableMark), dialect.QuoteName(schema, prefix+tableBroadcast))
	}
	return names
}
