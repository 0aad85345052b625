package checkpoint

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/table"
)

// Definition is a source table as it is from a position on, until the next
// Definition of the same name. A nil Table means that there is none from there on.
type Definition struct {
	Name table.Name `json:"name"`
	// Group is the apply group that added it; the table may be in another by now.
	Group int               `json:"group"`
	From  position.Position `json:"from"`
	Table *table.Table      `json:"table"`
}

// AddDefinition appends a definition. Repeated with the same name, group and
// position it adds nothing.
func (s *Store) AddDefinition(ctx context.Context, d Definition) error {
	insert, err := s.insertDefinition(d)
	if err != nil {
		return err
	}
	_, err = s.exec(ctx, insert)
	if err != nil && !mysqlconn.IsDuplicateKey(err) {
		return fmt.Errorf("add the definition of %s: %w", d.Name, err)
	}
	return nil
}

func (s *Store) insertDefinition(d Definition) (string, error) {
	value, err := body(d)
	if err != nil {
		return "", err
	}
	key, err := json.Marshal([]any{d.Name, d.Group, d.From})
	if err != nil {
		return "", fmt.Errorf("encode metadata: %w", err)
	}
	hash := sha256.Sum256(key)
	return fmt.Sprintf("INSERT INTO %s (task, id, body, counter) VALUES (%s, %s, %s, 1)",
		s.t(tableDefinition), s.task, str(hex.EncodeToString(hash[:])), value), nil
}

// Definitions returns the definitions of an apply group's tables, of any time, in
// the order in which they were added. Whichever group passed a statement: all
// read one stream.
func (s *Store) Definitions(ctx context.Context, group int) ([]Definition, error) {
	all, _, err := s.definitions(ctx)
	if err != nil {
		return nil, err
	}
	groups, err := s.Groups(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(d Definition) bool { return groupOfTable(groups, d.Name) != group }), nil
}

// definitions returns all definitions with the numbers of their rows.
func (s *Store) definitions(ctx context.Context) (out []Definition, numbers []int64, err error) {
	err = s.each(ctx, fmt.Sprintf("SELECT no, body FROM %s WHERE task = %s ORDER BY no", s.t(tableDefinition), s.task), func(scan func(...any) error) error {
		var no int64
		var data []byte
		if err := scan(&no, &data); err != nil {
			return err
		}
		var d Definition
		err := read(data, &d, fmt.Sprintf("definition %d", no))
		out, numbers = append(out, d), append(numbers, no)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read table definitions: %w", err)
	}
	return out, numbers, nil
}
