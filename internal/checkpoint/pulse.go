package checkpoint

import (
	"context"
	"fmt"
	"strings"
)

// Pulse is the sign of life of a unit that shares the task's limits.
type Pulse struct {
	Unit string
	// Counter changes with every sign of life.
	Counter int64
	// Held: its owner has not given it up. One that died has not either.
	Held bool
}

// OfCopy says whether the unit is a lane of a group's copy, else it is an apply.
func (p Pulse) OfCopy() bool { return strings.HasPrefix(p.Unit, copies+"-") }

// GivePulse shows that the unit's owner of that token is at work; it does nothing
// when there is a newer one.
func (s *Store) GivePulse(ctx context.Context, unit string, t Token) error {
	_, err := s.exec(ctx, fmt.Sprintf("UPDATE %s SET counter = counter + 1 WHERE %s AND token = %s", s.t(tableOwner), s.whereUnit(unit), str(t.String())))
	if err != nil {
		return fmt.Errorf("show that %s is at work: %w", unit, err)
	}
	return nil
}

// Pulses lists the units of groups beside group 0.
func (s *Store) Pulses(ctx context.Context) ([]Pulse, error) {
	var out []Pulse
	query := fmt.Sprintf("SELECT unit, counter, state FROM %s WHERE task = %s AND (unit LIKE 'apply/%%' OR unit LIKE '%s-%%') AND unit <> %s",
		s.t(tableOwner), s.task, copies, str(ApplyUnit(0)))
	err := s.each(ctx, query, func(scan func(...any) error) error {
		var p Pulse
		var state string
		if err := scan(&p.Unit, &p.Counter, &state); err != nil {
			return err
		}
		p.Held = state != ownerReleased
		out = append(out, p)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read who is at work: %w", err)
	}
	return out, nil
}
