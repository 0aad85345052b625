package mutants

// copyGuards are those of checkpoint, fence and copy.
func copyGuards() []Guard {
	return []Guard{
		{
			Name: "low-position-stands-in-the-claim", Rule: "2", File: "internal/checkpoint/chunks.go",
			Text:        "c.Low = low",
			Replacement: "_ = low",
			Package:     "internal/checkpoint", Run: "TestRule2_LowsAreThoseOfClaimedChunks",
		},
		{
			Name: "checkpoint-never-goes-back", Rule: "5", File: "internal/checkpoint/groups.go",
			Text:        "if !covers {",
			Replacement: "if !covers && next.IsZero() {",
			Package:     "internal/checkpoint", Run: "TestSave_MovesForwardOnly",
		},
		{
			Name: "checkpoint-of-a-newer-owner", Rule: "fence", File: "internal/checkpoint/groups.go",
			Text:        "if n != 1 {",
			Replacement: "if n < 0 {",
			Package:     "internal/checkpoint", Run: "TestSave_OfAnOvertakenAttemptIsFenced",
		},
		{
			Name: "fence-token-is-checked", Rule: "fence", File: "internal/checkpoint/fence.go",
			Text:        "if len(tokens) == 0 || slices.ContainsFunc(tokens, func(t string) bool { return t != f.token.String() }) {",
			Replacement: `if slices.Contains(tokens, "no token") {`,
			Package:     "internal/checkpoint", Run: "TestFence_AnOlderTokenNeverReturnsToTheRows|TestFence_OvertakenAttemptIsRefusedByTheRow",
		},
		{
			Name: "fence-row-is-locked", Rule: "fence", File: "internal/checkpoint/fence.go",
			Text:        "query+destination.LockClause(info.Lock)",
			Replacement: "query",
			Package:     "internal/checkpoint", Run: "TestFence_WaitsForTheLateWriteWhereKillDoesNotPass",
		},
		{
			Name: "older-owner-is-refused", Rule: "fence", File: "internal/checkpoint/owner.go",
			Text:        "if before.token > t.String() {",
			Replacement: "if false {",
			Package:     "internal/checkpoint", Run: "TestFence_OrdersByEpochThenBoxThenAttempt|TestFence_OfTwoAtOnceTheNewerWins",
		},
		{
			Name: "older-connections-are-killed", Rule: "fence", File: "internal/checkpoint/acquire.go",
			Text:        "return f.store.d.Kill(ctx, ids)",
			Replacement: "_ = ids; return nil",
			Package:     "internal/checkpoint", Run: "TestFence_EndsIdleConnectionsOfTheOldAttempt|TestFence_KillsTheLateWriteOfAFrozenWorker",
		},
		{
			Name: "fence-unconfirmed-never-by-itself", Rule: "fence", File: "internal/checkpoint/acquire.go",
			Text:        "info.Kill != destination.KillConnection && !confirmed {",
			Replacement: "info.Kill != destination.KillConnection && false {",
			Package:     "internal/checkpoint", Run: "TestFence_NeedsAWordWhereNothingPasses",
		},
		{
			Name: "fence-rows-never-go-back", Rule: "fence", File: "internal/checkpoint/acquire.go",
			Text:        `WHERE %s AND token <= %s", f.store.fenceTable(schema), mine, where, mine)`,
			Replacement: `WHERE %s AND '' <= %s", f.store.fenceTable(schema), mine, where, mine)`,
			Package:     "internal/checkpoint", Run: "TestFence_AnOlderTokenNeverReturnsToTheRows",
		},
		{
			Name: "settle-raises-the-fence", Rule: "fence", File: "internal/checkpoint/fence.go",
			Text:        "if err := f.raise(ctx, schema, shards); err != nil {",
			Replacement: "if _, err := shards, error(nil); err != nil {",
			Package:     "internal/checkpoint", Run: "TestFence_SettleEndsTheTransactionsOfOnesOwnLostSessions",
		},
		{
			Name: "returned-chunk-is-marked-attempted", Rule: "3", File: "internal/checkpoint/chunks.go",
			Text:        "attempted = 1, token = '', counter = counter + 1 WHERE task = %s AND state = %d AND unit",
			Replacement: "attempted = 0, token = '', counter = counter + 1 WHERE task = %s AND state = %d AND unit",
			Package:     "internal/checkpoint", Run: "TestClaim_ReturnsWhatADeadAttemptHad",
		},
		{
			Name: "claim-is-exclusive", Rule: "3", File: "internal/checkpoint/chunks.go",
			Text: `counter = counter + 1 WHERE task = %s AND no = %d AND state = %d",
		s.t(tableChunk), ChunkClaimed, lane`,
			Replacement: `counter = counter + 1 WHERE task = %s AND no = %d AND %d >= 0",
		s.t(tableChunk), ChunkClaimed, lane`,
			Package: "internal/checkpoint", Run: "TestClaim_LanesNeverOverlap|TestClaim_FollowsThePlan",
		},
		{
			Name: "full-only-resume-empties-the-range", Rule: "3", File: "internal/copier/chunk.go",
			Text:        "if l.DeleteFirst || l.FullOnly && c.Attempted {",
			Replacement: "if l.DeleteFirst {",
			Package:     "internal/copier", Run: "TestRule3_FullOnlyResumeDeletesItsRange",
		},
		{
			Name: "duplicate-key-becomes-replace", Rule: "3", File: "internal/copier/write.go",
			Text:        "switch duplicate := mysqlconn.IsDuplicateKey(err); {",
			Replacement: "switch duplicate := mysqlconn.IsDuplicateKey(nil); {",
			Package:     "internal/copier", Run: "TestRule3_UniqueValueMovedWhileCopying",
		},
		{
			Name: "columns-are-checked-under-the-copy", Rule: "11", File: "internal/copier/chunk.go",
			Text:        "if !same {",
			Replacement: "if !same && m == nil {",
			Package:     "internal/copier", Run: "TestRule11_ColumnChangedUnderTheCopy",
		},
		{
			Name: "copy-holds-the-fence", Rule: "fence", File: "internal/copier/write.go",
			Text:        "if err := l.Fence.Guard(ctx, s, schema, shard); err != nil {",
			Replacement: "if err := error(nil); err != nil {",
			Package:     "internal/copier", Run: "TestFence_EveryPartHoldsTheFence",
		},
		{
			Name: "copy-goes-on-behind-the-last-key", Rule: "3", File: "internal/copier/chunk.go",
			Text:        "more = errors.Is(err, errPartFull)",
			Replacement: "more = false",
			Package:     "internal/copier", Run: "TestRun_LargeRowsStayWithinTheReadBudget",
		},
		{
			Name: "chunks-leave-no-gap", Rule: "3", File: "internal/chunk/plan.go",
			Text: `		lower = upper
	}
}`,
			Replacement: `		lower, _, _ = b.Boundary(ctx, t, table.KeyRange{Lower: upper}, 0)
	}
}`,
			Package: "internal/chunk", Run: "TestRule3_RangesPartitionTheRows",
		},
		{
			Name: "what-rows-show-is-kept", Rule: "9", File: "internal/copier/chunk.go",
			Text:        "if p.seen.HasGTID() && len(p.rows) > 0 {",
			Replacement: "if false {",
			Package:     "internal/copier", Run: "TestRule9_WhatRowsMayShowIsKept",
		},
		{
			Name: "merge-takes-the-older-position", Rule: "4", File: "internal/checkpoint/regroup.go",
			Text:        "merged.Position, err = olderOf(zero.Position, c.Position)",
			Replacement: "merged.Position, err = zero.Position, err",
			Package:     "activities", Run: "TestGroups_TheGroupMayBeBehind",
		},
		{
			Name: "regrouping-holds-its-fences", Rule: "fence", File: "internal/checkpoint/isolation.go",
			Text:        "if err == nil && n != 1 {",
			Replacement: "if err == nil && n > 1 {",
			Package:     "internal/checkpoint", Run: "TestPark_OfAnOvertakenAttemptIsFenced",
		},
		{
			Name: "group-0-leaves-other-groups-out", Rule: "2", File: "activities/groups.go",
			Text:        "left[t.Name] = true",
			Replacement: "left[t.Name] = false",
			Package:     "activities", Run: "TestGroups_DropLeavesTheOthersRight",
		},
	}
}
