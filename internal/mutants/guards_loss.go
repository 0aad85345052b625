package mutants

// lossGuards are those against data nodes that lose commits.
func lossGuards() []Guard {
	return []Guard{
		{
			Name: "marks-are-compared", Rule: "0007", File: "internal/applier/marks.go",
			Text:        "if m.Counter >= a.applied.Marks[p.String()] {",
			Replacement: "if true {",
			Package:     "internal/soak", Run: "TestLoss_OfAppliedCommitsIsMadeGood", Tags: "faultpoint",
		},
		{
			Name: "marks-of-chunks-are-looked-for", Rule: "0007", File: "internal/copier/run.go",
			Text:        "if err != nil || len(lost) == 0 {",
			Replacement: "if true {",
			Package:     "internal/soak", Run: "TestLoss_OfCopiedChunksCopiesThemAgain", Tags: "faultpoint",
		},
		{
			Name: "steps-of-a-chunk-are-compared", Rule: "0007", File: "internal/copier/chunk.go",
			Text:        "if err := l.checkTrail(ctx, m.Destination.Name.Schema); err != nil {",
			Replacement: "if err := error(nil); err != nil {",
			Package:     "internal/copier", Run: "TestRule3_RowsLostWhileAChunkIsCopied",
		},
		{
			Name: "marks-vouch-for-their-attempt", Rule: "0007", File: "internal/checkpoint/marks.go",
			Text:        `attempt != "" && attempt != c.attempt`,
			Replacement: `attempt == "none"`,
			Package:     "internal/checkpoint", Run: "TestMarks_OfAForgottenAttemptVouchForNothing",
		},
		{
			Name: "marks-of-the-copy-stop-the-apply", Rule: "0007", File: "internal/applier/marks.go",
			Text:        "if err == nil && len(lost) > 0 {",
			Replacement: "if false {",
			Package:     "internal/soak", Run: "TestLoss_OfTheCopyIsRefused", Tags: "faultpoint",
		},
		{
			Name: "planning-holds-its-turn", Rule: "fence", File: "internal/checkpoint/turn.go",
			Text:        "if err := s.hold(ctx, tx, s.turn.fence); err != nil {",
			Replacement: "if err := error(nil); err != nil {",
			Package:     "internal/checkpoint", Run: "TestTurn_AnOlderPlannerChangesNothing",
		},
		{
			Name: "planning-is-done-in-its-turn", Rule: "fence", File: "internal/copyplan/maker.go",
			Text:        "m.Store = turn",
			Replacement: "_ = turn",
			Package:     "internal/soak", Run: "TestPlan_FrozenPlannerChangesNothing", Tags: "faultpoint",
		},
		{
			Name: "chunk-end-is-noted-again", Rule: "3", File: "internal/copier/chunk.go",
			Text:        "if err == nil || !mysqlconn.IsConnectionLost(err) || redo == maxRedos {",
			Replacement: "if err == nil || mysqlconn.IsConnectionLost(err) || redo == maxRedos {",
			Package:     "internal/soak", Run: "TestLoss_OfTheAnswerToAChunksEnd", Tags: "faultpoint",
		},
		{
			Name: "plan-is-whole", Rule: "fence", File: "internal/checkpoint/plan.go",
			Text:        "if tables == 0 || open > 0 {",
			Replacement: "if tables < 0 {",
			Package:     "internal/checkpoint", Run: "TestCheckPlan_SeesAPlanThatIsNotWhole",
		},
	}
}
