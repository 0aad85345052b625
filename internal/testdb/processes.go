package testdb

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// Process is one connection of a server.
type Process struct {
	ID                                      int64
	User, Schema, Command, State, Statement string
}

// Processes lists a server's connections by SHOW FULL PROCESSLIST: the list of
// information_schema fails with 3854 on MySQL 9 while anybody's statement with
// bytes that are no text is running.
func Processes(ctx context.Context, db *sql.DB) (out []Process, err error) {
	rows, err := db.QueryContext(ctx, "SHOW FULL PROCESSLIST")
	if err != nil {
		return nil, fmt.Errorf("list the connections: %w", err)
	}
	defer func() { _ = rows.Close() }()
	names, err := rows.Columns()
	if err != nil {
		return nil, fmt.Errorf("list the connections: %w", err)
	}
	for rows.Next() {
		var p Process
		into := make([]any, len(names))
		texts := make([]sql.NullString, len(names))
		for i, name := range names {
			into[i] = &texts[i]
			if strings.EqualFold(name, "id") {
				into[i] = &p.ID
			}
		}
		if err := rows.Scan(into...); err != nil {
			return nil, fmt.Errorf("list the connections: %w", err)
		}
		for i, name := range names {
			switch strings.ToLower(name) {
			case "user":
				p.User = texts[i].String
			case "db":
				p.Schema = texts[i].String
			case "command":
				p.Command = texts[i].String
			case "state":
				p.State = texts[i].String
			case "info":
				p.Statement = texts[i].String
			}
		}
		out = append(out, p)
	}
	return out, rows.Err()
}
