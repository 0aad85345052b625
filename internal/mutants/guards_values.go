package mutants

// valueGuards are those of values, statements, keys and hashes.
func valueGuards() []Guard {
	return []Guard{
		{
			Name: "literal-bad-utf8-is-hex", Rule: "10", File: "internal/dialect/literal.go",
			Text:        "return utf8.Valid(v)",
			Replacement: "return true",
			Package:     "internal/dialect", Run: "TestLiteral_BytesThatAreNoTextAreHex",
		},
		{
			Name: "literal-backslash-is-escaped", Rule: "10", File: "internal/dialect/literal.go",
			Text:        "dst = append(dst, `\\\\`...)",
			Replacement: "dst = append(dst, '\\\\')",
			Package:     "internal/dialect", Run: "FuzzLiteral_ReadsBackAsTheSameBytes",
		},
		{
			Name: "literal-empty-text-is-no-null", Rule: "10", File: "internal/dialect/literal.go",
			Text:        "return append(dst, `''`...)\n\t}\n\tdst = append(dst, \"0x\"...)",
			Replacement: "return append(dst, `NULL`...)\n\t}\n\tdst = append(dst, \"0x\"...)",
			Package:     "internal/dialect", Run: "FuzzLiteral_ReadsBackAsTheSameBytes",
		},
		{
			Name: "literal-float-has-an-exponent", Rule: "10", File: "internal/dialect/literal.go",
			Text:        "strconv.AppendFloat(dst, f, 'e', -1, 64)",
			Replacement: "strconv.AppendFloat(dst, f, 'g', 6, 64)",
			Package:     "internal/dialect", Run: "FuzzLiteral_ThroughAServer",
		},
		{
			Name: "canonical-fraction-of-the-shard-key", Rule: "10", File: "internal/dialect/canonical.go",
			Text:        "out[i] = '0'",
			Replacement: "_ = out[i]",
			Package:     "internal/dialect", Run: "TestCanonical_DropsFractionsOfShardKeysAndMapsLabels",
		},
		{
			Name: "identity-has-shard-key", Rule: "4", File: "internal/dialect/mapping.go",
			Text:        "m.Identity = append(m.Identity, s)",
			Replacement: "_ = s",
			Package:     "internal/dialect", Run: "TestDelete_RemovesExactlyTheIdentities|TestStatements_Text",
		},
		{
			Name: "range-is-open-below", Rule: "3", File: "internal/dialect/keyrange.go",
			Text:        `r.Lower, " > ", " > ")`,
			Replacement: `r.Lower, " > ", " >= ")`,
			Package:     "internal/dialect", Run: "TestRangeCondition_IsTheORFormOnWholeKeys",
		},
		{
			Name: "expression-has-a-limit", Rule: "10", File: "internal/dialect/chain.go",
			Text:        "c.factors+cost > c.limits.MaxFactors ||",
			Replacement: "c.factors+cost < 0 ||",
			Package:     "internal/dialect", Run: "TestStatements_StayWithinTheLimits",
		},
		{
			Name: "unique-columns-of-the-destination", Rule: "5", File: "internal/dialect/mapping.go",
			Text:        "m.addUnique(m.sourceColumns(&k))",
			Replacement: "_ = k",
			Package:     "internal/dialect", Run: "TestRule5_UniqueIndexesOfBothSidesCount",
		},
		{
			Name: "key-values-are-length-prefixed", Rule: "7", File: "internal/row/row.go",
			Text:        "dst = binary.AppendUvarint(dst, uint64(len(v)))",
			Replacement: "_ = binary.MaxVarintLen64",
			Package:     "internal/row", Run: "TestRule7_KeysOfDifferentRowsDiffer|FuzzKey_DifferentRowsHaveDifferentKeys",
		},
		{
			Name: "null-is-no-empty-text", Rule: "7", File: "internal/row/row.go",
			Text: `if v == nil {
			dst = append(dst, 0xff)
			continue
		}`,
			Replacement: "_ = 0",
			Package:     "internal/row", Run: "TestRule7_KeysOfDifferentRowsDiffer|FuzzKey_DifferentRowsHaveDifferentKeys",
		},
		{
			Name: "secrets-print-as-such", Rule: "security", File: "internal/secret/text.go",
			Text:        "func (t Text) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }",
			Replacement: "func (t Text) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(t.plain)) }",
			Package:     "internal/secret", Run: "TestText_NeverPrints",
		},
		{
			Name: "errors-are-redacted", Rule: "security", File: "internal/secret/redactor.go",
			Text:        "text = replace(text, w)",
			Replacement: "_ = w",
			Package:     "internal/secret", Run: "TestRedactor_TakesWordsOut",
		},
		{
			Name: "session-variables-are-verified", Rule: "10", File: "internal/destination/settings.go",
			Text:        "if err == nil && c.ok(values[i].String) {",
			Replacement: "if err == nil && i >= 0 {",
			Package:     "internal/destination", Run: "TestSession_RefusesAVariableThatReadsBackOtherwise",
		},
		{
			Name: "lost-answer-is-an-unknown-outcome", Rule: "6", File: "internal/destination/session.go",
			Text:        "if gone && sent && !unsent {",
			Replacement: "if gone && sent && !unsent && unsent {",
			Package:     "internal/destination", Run: "TestSession_LostAnswerIsAnUnknownOutcome",
		},
		{
			Name: "hash-covers-lengths", Rule: "12", File: "internal/compare/hash.go",
			Text:        "binary.AppendUvarint(append(h.prefix[:0], 0), uint64(len(v)))",
			Replacement: "binary.AppendUvarint(append(h.prefix[:0], 0), 0)",
			Package:     "internal/compare", Run: "TestHash_DifferentRowsHaveDifferentSums|FuzzHash_DifferentRowsHaveDifferentSums",
		},
		{
			Name: "hash-covers-null", Rule: "12", File: "internal/compare/hash.go",
			Text:        "h.prefix = append(h.prefix[:0], 0xff)",
			Replacement: "h.prefix = append(h.prefix[:0], 0, 0)",
			Package:     "internal/compare", Run: "TestHash_DifferentRowsHaveDifferentSums|FuzzHash_DifferentRowsHaveDifferentSums",
		},
	}
}
