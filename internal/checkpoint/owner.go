package checkpoint

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
)

// States of an owner row.
const (
	ownerAcquiring = "acquiring" // older attempts are being shut out
	ownerOwned     = "owned"
	ownerReleased  = "released" // ended in order: no transaction of it is left
)

type owner struct {
	token string
	state string
}

func (s *Store) whereUnit(unit string) string {
	return fmt.Sprintf("task = %s AND unit = %s", s.task, str(unit))
}

func (s *Store) owner(ctx context.Context, unit string) (*owner, error) {
	var o owner
	err := s.one(ctx, fmt.Sprintf("SELECT token, state FROM %s WHERE %s", s.t(tableOwner), s.whereUnit(unit)), &o.token, &o.state)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the owner of %s: %w", unit, err)
	}
	return &o, nil
}

// claimOwner writes the token into the owner row unless a newer one is there,
// and returns the row as it was, nil when there was none. From here on no older
// attempt can register a connection.
func (s *Store) claimOwner(ctx context.Context, unit string, t Token) (*owner, error) {
	for range conflicts {
		before, err := s.owner(ctx, unit)
		if err != nil {
			return nil, err
		}
		if before == nil {
			_, err := s.exec(ctx, fmt.Sprintf("INSERT INTO %s (task, unit, token, state, counter) VALUES (%s, %s, %s, %s, 1)",
				s.t(tableOwner), s.task, str(unit), str(t.String()), str(ownerAcquiring)))
			if mysqlconn.IsDuplicateKey(err) {
				continue
			}
			return nil, err
		}
		if before.token > t.String() {
			return nil, fault.Fenced.New(unit, "")
		}
		n, err := s.exec(ctx, fmt.Sprintf("UPDATE %s SET token = %s, state = %s, counter = counter + 1 WHERE %s AND token = %s",
			s.t(tableOwner), str(t.String()), str(ownerAcquiring), s.whereUnit(unit), str(before.token)))
		if err != nil {
			return nil, err
		}
		if n == 1 {
			return before, nil
		}
	}
	return nil, fault.Fenced.New(unit, "the owner row changes all the time")
}

// setOwner changes the state of a row that is still ours.
func (s *Store) setOwner(ctx context.Context, unit string, t Token, state string) error {
	n, err := s.exec(ctx, fmt.Sprintf("UPDATE %s SET state = %s, counter = counter + 1 WHERE %s AND token = %s",
		s.t(tableOwner), str(state), s.whereUnit(unit), str(t.String())))
	if err != nil {
		return fmt.Errorf("note %s as %s: %w", unit, state, err)
	}
	if n != 1 {
		return fault.Fenced.New(unit, "")
	}
	return nil
}

// olderConnections returns the connections that attempts of a unit before t
// have recorded.
func (s *Store) olderConnections(ctx context.Context, unit string, t Token) ([]string, error) {
	var out []string
	query := fmt.Sprintf("SELECT id FROM %s WHERE %s AND token < %s", s.t(tableConnection), s.whereUnit(unit), str(t.String()))
	err := s.each(ctx, query, func(scan func(...any) error) error {
		var id string
		if err := scan(&id); err != nil {
			return err
		}
		out = append(out, id)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the connections of %s: %w", unit, err)
	}
	return out, nil
}

// addConnection records a connection; the same id again takes the newer token.
func (s *Store) addConnection(ctx context.Context, unit, id string, t Token) error {
	where := s.whereUnit(unit) + " AND id = " + string(str(id))
	err := s.put(ctx, tableConnection, where, "token = "+string(str(t.String())), "task, unit, id, token",
		fmt.Sprintf("%s, %s, %s, %s", s.task, str(unit), str(id), str(t.String())))
	if err != nil {
		return fmt.Errorf("record a connection of %s: %w", unit, err)
	}
	return nil
}

func (s *Store) removeConnections(ctx context.Context, unit, condition string) error {
	if _, err := s.exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE %s AND %s", s.t(tableConnection), s.whereUnit(unit), condition)); err != nil {
		return fmt.Errorf("remove the connections of %s: %w", unit, err)
	}
	return nil
}
