package checkpoint

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// takeOver gives what a unit holds to its new owner, so that the older one's
// Save and Finish find nothing of theirs: a group's checkpoint takes the token,
// a lane's claimed chunks go back, marked as attempted.
func (s *Store) takeOver(ctx context.Context, unit string, t Token) error {
	token := str(t.String())
	if group, ok := groupOf(unit); ok {
		// A new epoch has a plan and a history of its own: what an attempt of an
		// older one saved after the reset counts for nothing.
		stale := str(Token{Epoch: t.Epoch}.String())
		if _, err := s.exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE %s AND token < %s", s.t(tableCheckpoint), s.whereGroup(group), stale)); err != nil {
			return err
		}
		_, err := s.exec(ctx, fmt.Sprintf("UPDATE %s SET token = %s, counter = counter + 1 WHERE task = %s AND grp = %d AND token < %s",
			s.t(tableCheckpoint), token, s.task, group, token))
		return err
	}
	return s.returnChunks(ctx, unit, t)
}

// groupOf returns the apply group of a unit "apply/<n>".
func groupOf(unit string) (int, bool) {
	text, ok := strings.CutPrefix(unit, "apply/")
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}

// ApplyUnit names the unit of a group's apply.
func ApplyUnit(group int) string { return fmt.Sprintf("apply/%d", group) }

// CopyUnit names the unit of a lane that copies a group's chunks.
func CopyUnit(group, lane int) string { return fmt.Sprintf("%s%d", copyPrefix(group), lane) }

func copyPrefix(group int) string {
	if group == 0 {
		return "copy/"
	}
	return fmt.Sprintf("copy-%d/", group)
}

// group is the apply group that the fence's unit works for.
func (f *Fence) group() int {
	if n, ok := groupOf(f.unit); ok {
		return n
	}
	if text, ok := strings.CutPrefix(f.unit, "copy-"); ok {
		text, _, _ = strings.Cut(text, "/")
		if n, err := strconv.Atoi(text); err == nil {
			return n
		}
	}
	return 0
}
