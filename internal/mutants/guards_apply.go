package mutants

// applyGuards are those of apply: folding, windows, lanes and the gate beside the copy.
func applyGuards() []Guard {
	return []Guard{
		{
			Name: "fold-first-before-image", Rule: "5", File: "internal/applier/fold.go",
			Text:        "e = &effect{before: before, image: before}",
			Replacement: "e = &effect{image: before}",
			Package:     "internal/applier", Run: "TestRule5And6_StrictNetFoldCountsExactly",
		},
		{
			Name: "fold-key-change-is-delete-and-insert", Rule: "5", File: "internal/applier/fold.go",
			Text:        "case f.keysDiffer(e):",
			Replacement: "case false:",
			Package:     "internal/applier", Run: "TestRule5And6_StrictNetFoldCountsExactly",
		},
		{
			Name: "fold-identity-has-shard-key", Rule: "4", File: "internal/applier/fold.go",
			Text:        "return r.Key(f.mapping.Identity) }",
			Replacement: "return r.Key(f.mapping.Primary) }",
			Package:     "internal/applier", Run: "TestRule4_SafeModeConverges",
		},
		{
			Name: "fold-safe-deletes-what-ends-absent", Rule: "4", File: "internal/applier/fold.go",
			Text:        "p.deletes = append(p.deletes, e.image)",
			Replacement: "_ = p",
			Package:     "internal/applier", Run: "TestRule4_SafeModeConverges",
		},
		{
			Name: "fold-canonical-shard-key", Rule: "10", File: "internal/applier/fold.go",
			Text:        "c.Before = f.mapping.Canonical(c.Before)",
			Replacement: "_ = c.Before",
			Package:     "internal/applier", Run: "TestRule10_FoldTakesShardKeysAsTheDestinationStoresThem",
		},
		{
			Name: "phases-deletions-first", Rule: "5", File: "internal/applier/write.go",
			Text:        "[2][]*item{deletes.sorted(1), writes.sorted(2)}",
			Replacement: "[2][]*item{writes.sorted(1), deletes.sorted(2)}",
			Package:     "internal/applier", Run: "TestRule5_LanesAndPhases",
		},
		{
			Name: "unique-key-tables-have-one-lane", Rule: "5", File: "internal/applier/write.go",
			Text:        "parts > 1 && !m.SecondaryUnique && p.shard >= 0",
			Replacement: "parts > 1 && p.shard >= 0",
			Package:     "internal/applier", Run: "TestRule5_LanesAndPhases",
		},
		{
			Name: "strict-mode-counts", Rule: "6", File: "internal/applier/write.go",
			Text:        "st.expect >= 0 && affected != st.expect",
			Replacement: "false",
			Package:     "internal/applier", Run: "TestRule6_StrictModeReportsWhatSomebodyChanged",
		},
		{
			Name: "conflicts-are-tried-again", Rule: "5", File: "internal/applier/write.go",
			Text:        "if err == nil || !a.isConflict(err) || attempt == maxConflicts {",
			Replacement: "if true {",
			Package:     "internal/applier", Run: "TestRule5_ConflictsAreTriedAgain",
		},
		{
			Name: "broadcast-rows-count-as-probed", Rule: "6", File: "internal/applier/strict.go",
			Text:        "if m.Placement.Kind == table.Broadcast {",
			Replacement: `if m == nil && table.Broadcast != "" {`,
			Package:     "internal/applier", Run: "TestRule6_BroadcastRowsCountAsProbed",
		},
		{
			Name: "non-transactional-never-strict", Rule: "6", File: "internal/applier/window.go",
			Text:        "if !f.mapping.Source.Transactional() {",
			Replacement: "if f == nil {",
			Package:     "internal/applier", Run: "TestRule6_NonTransactionalTablesAreNeverStrict",
		},
		{
			Name: "safe-mode-after-restart", Rule: "4", File: "internal/applier/apply.go",
			Text:        "for len(a.safeUntil) > 0 {",
			Replacement: "for false {",
			Package:     "internal/applier", Run: "TestRule4_SafeModeLastsUntilEveryPositionHasPassed",
		},
		{
			Name: "apply-holds-the-fence", Rule: "fence", File: "internal/applier/write.go",
			Text: `if err := a.guard(ctx, s, it.place); err != nil {
		return err
	}
	for _, st := range it.statements {
		affected`,
			Replacement: `for _, st := range it.statements {
		affected`,
			Package: "internal/applier", Run: "TestFence_EveryItemHoldsTheFence",
		},
		{
			Name: "rows-wait-for-the-verdict", Rule: "11", File: "internal/applier/read.go",
			Text: `if ev.Kind != binlog.DDL && ev.Kind != binlog.Truncate {
				continue
			}`,
			Replacement: `if true {
				continue
			}`,
			Package: "internal/applier", Run: "TestRule11_RowsBehindAStatementWaitForItsVerdict",
		},
		{
			Name: "stop-is-what-the-checkpoint-covers", Rule: "13", File: "internal/applier/run.go",
			Text:        "return a.applied.Position.Covers(*a.Stop)",
			Replacement: "return true, nil",
			Package:     "internal/applier", Run: "TestRule13_StopIsCoveredByTheCheckpoint",
		},
		{
			Name: "window-end-moves-at-transaction-ends", Rule: "5", File: "internal/applier/window.go",
			Text:        "w.open = true",
			Replacement: "w.open = false",
			Package:     "internal/applier", Run: "TestRule5_WindowIsReadyAtTransactionEndsOnly",
		},
		{
			Name: "gate-holds-windows", Rule: "2", File: "internal/applier/gate.go",
			Text:        "if a.Gate == nil || w.rows == 0 && len(w.truncate) == 0 {",
			Replacement: "if a.limits == nil {",
			Package:     "internal/applier", Run: "TestRule2_NothingPassesAClaimedChunk",
		},
		{
			Name: "gate-every-limit-counts", Rule: "2", File: "internal/applier/gate.go",
			Text:        "if err != nil || !set.Contains(mine) {",
			Replacement: "if err != nil || !set.Contains(set) {",
			Package:     "internal/applier", Run: "TestGate_EveryTransactionOfAWindowCounts|TestRule2_NothingPassesAClaimedChunk",
		},
		{
			Name: "gate-every-transaction-counts", Rule: "2", File: "internal/applier/gate.go",
			Text:        "for _, gtid := range w.gtids[1:] {",
			Replacement: "for _, gtid := range w.gtids[:0] {",
			Package:     "internal/applier", Run: "TestGate_EveryTransactionOfAWindowCounts",
		},
		{
			Name: "gate-without-low-nothing-passes", Rule: "2", File: "internal/applier/gate.go",
			Text: `if !limit.HasGTID() {
			return false, nil`,
			Replacement: `if !limit.HasGTID() {
			return true, nil`,
			Package: "internal/applier", Run: "TestGate_EveryTransactionOfAWindowCounts",
		},
	}
}
