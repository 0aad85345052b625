// Package workflows says what happens to a task, in which order: deterministic,
// without I/O. Activities (package activities) do the work; the two share
// internal/contract only.
//
// MigrationWorkflow is one task, open from its creation to its end. Its files:
// migration.go the loop, migration_commands.go the updates and who may send them
// when, migration_precheck.go, migration_start.go, migration_copy.go,
// migration_apply.go and migration_stop.go one phase each, state.go everything
// that survives continue-as-new, view.go what queries, lists and the Web UI
// show, options.go every timeout and retry rule.
//
// FAILED and PAUSED are states of the open workflow. Position, progress and
// rows never pass through a workflow; they are in the destination's metadata
// and in heartbeats.
package workflows
