package checkpoint

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
	"shardlift/internal/table"
)

// Definition is a source table as it is from a position on, until the next
// Definition of the same name. A nil Table means that there is none from there on.
type Definition struct {
	Name  table.Name        `json:"name"`
	Group int               `json:"group"`
	From  position.Position `json:"from"`
	Table *table.Table      `json:"table"`
}

// AddDefinition appends a definition. Repeated with the same name, group and
// position it adds nothing.
func (s *Store) AddDefinition(ctx context.Context, d Definition) error {
	value, err := body(d)
	if err != nil {
		return err
	}
	key, err := json.Marshal([]any{d.Name, d.Group, d.From})
	if err != nil {
		return fmt.Errorf("encode metadata: %w", err)
	}
	hash := sha256.Sum256(key)
	_, err = s.exec(ctx, fmt.Sprintf("INSERT INTO %s (task, id, body, counter) VALUES (%s, %s, %s, 1)",
		s.t(tableDefinition), s.task, str(hex.EncodeToString(hash[:])), value))
	if err != nil && !mysqlconn.IsDuplicateKey(err) {
		return fmt.Errorf("add the definition of %s: %w", d.Name, err)
	}
	return nil
}

// Definitions returns all definitions in the order in which they were added.
func (s *Store) Definitions(ctx context.Context) ([]Definition, error) {
	var out []Definition
	err := s.each(ctx, fmt.Sprintf("SELECT no, body FROM %s WHERE task = %s ORDER BY no", s.t(tableDefinition), s.task), func(scan func(...any) error) error {
		var no int64
		var data []byte
		if err := scan(&no, &data); err != nil {
			return err
		}
		var d Definition
		err := read(data, &d, fmt.Sprintf("definition %d", no))
		out = append(out, d)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read table definitions: %w", err)
	}
	return out, nil
}
