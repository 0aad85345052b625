package mutants

// streamGuards are those of stream, statements, the source's history and the stop.
func streamGuards() []Guard {
	return []Guard{
		{
			Name: "places-of-two-servers-are-not-compared", Rule: "9", File: "internal/position/position.go",
			Text:        "if p.Server != o.Server {",
			Replacement: "if false {",
			Package:     "internal/position", Run: "TestPosition_FilesOfDifferentServersAreNotCompared",
		},
		{
			Name: "mariadb-every-domain-counts", Rule: "9", File: "internal/position/set.go",
			Text:        "!ok || mine.sequence < g.sequence",
			Replacement: "ok && mine.sequence < g.sequence",
			Package:     "internal/position", Run: "TestSet_MariaDBKeepsOneGTIDPerDomain",
		},
		{
			Name: "unknown-events-stop", Rule: "8", File: "internal/binlog/dispatch.go",
			Text: `return fault.UnknownEvent.New(fmt.Sprintf("%s %s", object, s.where()), "type %d", byte(h.EventType))`,
			Replacement: `_ = fmt.Sprint()
		return nil`,
			Package: "internal/binlog", Run: "TestRule8_EveryEventTypeHasACase",
		},
		{
			Name: "partial-json-stops", Rule: "8", File: "internal/binlog/dispatch.go",
			Text:        `err := error(fault.PartialJSON.New(object, "at %s", s.where()))`,
			Replacement: "var err error; of = nil",
			Package:     "internal/binlog", Run: "TestRule8_EveryEventTypeHasACase|TestStream_PartialJSONStops",
		},
		{
			Name: "partial-images-stop", Rule: "8", File: "internal/binlog/image.go",
			Text:        "return nil, fault.OfTable(fault.PartialImage.New(",
			Replacement: "_ = fault.OfTable(fault.PartialImage.New(",
			Package:     "internal/binlog", Run: "TestStream_PartialImagesStop",
		},
		{
			Name: "statement-format-stops", Rule: "8", File: "internal/binlog/query.go",
			Text:        "if concerned {",
			Replacement: "if false {",
			Package:     "internal/binlog", Run: "TestStream_LoadDataAsAStatementStops|TestStream_StatementFormatStops",
		},
		{
			Name: "xa-rows-wait", Rule: "8", File: "internal/binlog/rows.go",
			Text: `if s.tx.holding {
		return s.hold(event)
	}`,
			Replacement: "_ = s.hold",
			Package:     "internal/binlog", Run: "TestStream_XAWaitsForTheVerdict",
		},
		{
			Name: "xa-leaves-a-hole", Rule: "8", File: "internal/binlog/xa.go",
			Text:        `s.tx.gtid = "" // not complete before the verdict`,
			Replacement: "_ = 0",
			Package:     "internal/binlog", Run: "TestStream_XAWaitsForTheVerdict",
		},
		{
			Name: "xa-holds-the-file-place", Rule: "8", File: "internal/binlog/place.go",
			Text:        "first != nil && !s.holes()",
			Replacement: "first != nil && false",
			Package:     "internal/binlog", Run: "TestStream_XAWaitsForTheVerdict",
		},
		{
			Name: "half-read-transaction-is-dropped", Rule: "9", File: "internal/binlog/dispatch.go",
			Text: `s.tx.gtid = ""
	return s.rollback()`,
			Replacement: "return s.commit()",
			Package:     "internal/binlog", Run: "TestStream_UnfinishedTransactionOfACrashedSourceIsTakenBack",
		},
		{
			Name: "rollback-takes-back", Rule: "8", File: "internal/binlog/group.go",
			Text:        "if !s.tx.holding && s.tx.delivered {",
			Replacement: "if false {",
			Package:     "internal/binlog", Run: "TestStream_RollbackInTheBinlogIsTakenBack",
		},
		{
			Name: "anonymous-in-gtid-mode-stops", Rule: "9", File: "internal/binlog/dispatch.go",
			Text:        `return fault.AnonymousInGTID.New(object, "at %s", s.where())`,
			Replacement: "_ = 0",
			Package:     "internal/binlog", Run: "TestStream_AnonymousTransactionInAStreamByGTIDStops",
		},
		{
			Name: "restored-file-of-the-same-name-stops", Rule: "9", File: "internal/binlog/dispatch.go",
			Text:        "s.place.created != h.Timestamp {",
			Replacement: "false {",
			Package:     "internal/binlog", Run: "TestStream_HistoryOfAnotherSourceStops|TestStream_RestoredFileOfTheSameNameStops",
		},

		{
			Name: "versioned-comments-are-code", Rule: "11", File: "internal/ddl/analyze.go",
			Text:        "without.Parsed && with.Parsed && reflect.DeepEqual(without.Effects, with.Effects)",
			Replacement: "with.Parsed && reflect.DeepEqual(with.Effects, with.Effects)",
			Package:     "internal/ddl", Run: "TestAnalyze_OldVersionedCommentsAreCode|TestAnalyze_VersionedCommentsThatChangeNothingAreRead|FuzzAnalyze_ADropIsNeverHarmless",
		},
		{
			Name: "open-quotes-are-not-parsed", Rule: "11", File: "internal/ddl/analyze.go",
			Text:        "ok && !l.broken",
			Replacement: "ok",
			Package:     "internal/ddl", Run: "TestAnalyze_WhatItCannotReadNamesEveryToken|FuzzAnalyze",
		},
		{
			Name: "unique-index-change-stops", Rule: "11", File: "internal/schema/judge.go",
			Text:        "strings.EqualFold(k.Name, name) && (k.Unique || k.Name == table.PrimaryName)",
			Replacement: "strings.EqualFold(k.Name, name) && k.Name == table.PrimaryName",
			Package:     "internal/schema", Run: "TestRule11_WhatPassesAndWhatStops",
		},
		{
			Name: "unparsed-statements-stop", Rule: "11", File: "internal/schema/judge.go",
			Text:        "ev.Kind == binlog.DDL && ev.Parsed && !ev.Foreign",
			Replacement: "ev.Kind == binlog.DDL",
			Package:     "internal/schema", Run: "TestRule11_WhatWasNotUnderstoodStops",
		},
		{
			Name: "history-lost-is-found", Rule: "9", File: "internal/source/history.go",
			Text:        "if !there {",
			Replacement: `if !there && purged == "none" {`,
			Package:     "internal/source", Run: "TestRule9_CompareSetsFindsWhatWasLostAndPurged",
		},
		{
			Name: "purged-binlog-is-found", Rule: "9", File: "internal/source/history.go",
			Text:        "if !mine.Contains(gone) {",
			Replacement: "if !mine.Contains(mine) && gone.IsEmpty() {",
			Package:     "internal/source", Run: "TestRule9_CompareSetsFindsWhatWasLostAndPurged",
		},
		{
			Name: "prepared-xa-blocks-the-start", Rule: "1", File: "internal/source/start.go",
			Text:        "if spanning <= 0 {",
			Replacement: "if true {",
			Package:     "internal/source", Run: "TestStartPosition_PreparedXABlocks",
		},
		{
			Name: "connections-prove-their-history", Rule: "9", File: "internal/source/history.go",
			Text: `return compareSets(from, executed, "")`,
			Replacement: `_ = executed
	return nil`,
			Package: "internal/source", Run: "TestPin_NewConnectionsProveTheirHistory",
		},
		{
			Name: "sequence-above-the-largest-value", Rule: "13", File: "internal/sequence/update.go",
			Text:        "needed = largest + 1",
			Replacement: "_ = largest",
			Package:     "internal/sequence", Run: "TestUpdate_RaisesAutoIncrementOfPlainServers|TestUpdate_RaisesSequencesOfDDM",
		},
		{
			Name: "sequence-above-the-sources", Rule: "13", File: "internal/sequence/update.go",
			Text:        "needed = max(needed, next)",
			Replacement: "_ = next",
			Package:     "internal/sequence", Run: "TestUpdate_RaisesAutoIncrementOfPlainServers|TestUpdate_RaisesSequencesOfDDM",
		},
		{
			Name: "only-drained-ends-the-stop", Rule: "13", File: "workflows/migration_stop.go",
			Text:        "m.Stop.Drained = out.Drained",
			Replacement: "m.Stop.Drained = out.Drained || true",
			Package:     "workflows", Run: "TestMigration_StopEndsWhenEverythingIsApplied",
		},
		{
			Name: "stop-during-copy-needs-incomplete", Rule: "13", File: "workflows/migration_commands.go",
			Text:        `return fault.NotSynced.New("", "the full copy is not complete")`,
			Replacement: "return nil",
			Package:     "workflows", Run: "TestMigration_StopDuringCopyNeedsIncomplete",
		},
	}
}
