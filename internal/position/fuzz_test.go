package position

import (
	"encoding/json"
	"testing"
)

// sets are texts as servers print them, and texts that nobody prints.
var sets = []string{
	"", u1 + ":1", u1 + ":1-10", u1 + ":1-10:12,\n" + u2 + ":1-3", u1 + ":1-3:5-7:9", u1 + ":blue:1-4", u1 + ":1-2:blue:1-4:red:7",
	u1 + ":0", u1 + ":5-1", u1 + ":1-9223372036854775807", u1 + ":1-99999999999999999999", u1 + ":", ":1", u1, ",", u1 + ":1,", u1 + ":1:1", u1 + ":-1", u1 + ":1-",
	u1 + ":1-5:3-8", u1 + ":9:1",
	"0-1-100", "0-1-100,2-7-5", "0-1-1,0-2-2", "4294967295-4294967295-18446744073709551615", "0-1", "-1-1-1", "0-1--1", "0-1-1,", "x",
}

// FuzzSet_Laws: whatever text is taken for a set, its own text is taken for the
// same set, and contain, add and clone behave as those of a set.
func FuzzSet_Laws(f *testing.F) {
	for _, a := range sets {
		for _, b := range sets {
			f.Add(a, b, len(a)%2 == 0)
		}
	}
	f.Fuzz(func(t *testing.T, one, two string, maria bool) {
		flavor := MySQL
		if maria {
			flavor = MariaDB
		}
		a, err := ParseSet(flavor, one)
		if err != nil {
			return
		}
		text := a.String()
		again, err := ParseSet(flavor, text)
		if err != nil {
			t.Fatalf("%q prints as %q, which is refused: %v", one, text, err)
		}
		if again.String() != text || !a.Contains(again) || !again.Contains(a) || again.IsEmpty() != a.IsEmpty() {
			t.Fatalf("%q prints as %q, which is another set: %q", one, text, again.String())
		}
		empty, err := ParseSet(flavor, "")
		if err != nil || !a.Contains(empty) || !a.IsEmpty() && empty.Contains(a) {
			t.Fatalf("%q and the empty set: %v", one, err)
		}
		b, err := ParseSet(flavor, two)
		if err != nil {
			_ = a.Clone().Has(two)
			return
		}
		sameBothWays := a.Contains(b) && b.Contains(a)
		if flavor == MySQL && sameBothWays != (a.String() == b.String()) {
			t.Fatalf("%q and %q contain each other: %v", text, b, sameBothWays)
		}
		before := b.String()
		union := b.Clone()
		if err := union.Add(one); err == nil && flavor == MySQL && (!union.Contains(a) || !union.Contains(b)) {
			t.Fatalf("%q with %q is %q", two, one, union)
		}
		if b.String() != before {
			t.Fatalf("%q was changed through its clone to %q", before, b)
		}
		coversLaws(t, flavor, a, b)
	})
}

// coversLaws: positions with sets cover as their sets contain, after a journey
// through JSON too.
func coversLaws(t *testing.T, flavor Flavor, a, b Set) {
	t.Helper()
	p, o := Position{Flavor: flavor, Server: "x"}.WithSet(a), Position{Flavor: flavor, Server: "y"}.WithSet(b)
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var back Position
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	for _, left := range []Position{p, back} {
		covers, err := left.Covers(o)
		if err != nil || covers != a.Contains(b) {
			t.Fatalf("%s covers %s: %v, %v; the set contains it: %v", left, o, covers, err, a.Contains(b))
		}
		if self, err := left.Covers(p); err != nil || !self {
			t.Fatalf("%s does not cover itself: %v", left, err)
		}
	}
}

// FuzzCompareFile_IsAnOrder: places of one server are in one total order.
func FuzzCompareFile_IsAnOrder(f *testing.F) {
	for _, file := range []string{"bin.000001", "bin.999999", "bin.1000000", "bin.00001", "bin", "", "bin.", "bin.x", "other.000001", "bin.18446744073709551616"} {
		f.Add(file, uint64(4), "bin.000002", uint64(4), "bin.1", uint64(5_000_000_000))
	}
	f.Fuzz(func(t *testing.T, fileA string, a uint64, fileB string, b uint64, fileC string, c uint64) {
		ab, ba := CompareFile(fileA, a, fileB, b), CompareFile(fileB, b, fileA, a)
		if ab != -ba {
			t.Fatalf("%s:%d and %s:%d: %d and %d", fileA, a, fileB, b, ab, ba)
		}
		if ab == 0 && (fileA != fileB || a != b) {
			t.Fatalf("%s:%d and %s:%d are taken for one place", fileA, a, fileB, b)
		}
		if bc, ac := CompareFile(fileB, b, fileC, c), CompareFile(fileA, a, fileC, c); ab <= 0 && bc <= 0 && ac > 0 {
			t.Fatalf("%s:%d ≤ %s:%d ≤ %s:%d, but not the first and the last", fileA, a, fileB, b, fileC, c)
		}
	})
}
