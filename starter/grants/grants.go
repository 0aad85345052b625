package grants

import (
	"fmt"
	"slices"
	"strings"

	"shardlift/internal/task"
)

// Set is the statements of one side, in the order they are run by an administrator.
type Set struct {
	// Statements end with a semicolon each.
	Statements []string `json:"statements"`
	// Optional statements give what the task can do without, each with what it is good for.
	Optional []Optional `json:"optional"`
	// Notes say what the statements cannot.
	Notes []string `json:"notes"`
}

// Optional is one statement and what it gives.
type Optional struct {
	Statement string `json:"statement"`
	Gives     string `json:"gives"`
}

// Grants is what both sides need.
type Grants struct {
	Source      Set `json:"source"`
	Destination Set `json:"destination"`
}

// For returns the statements for a task file whose defaults are set.
func For(f task.File) Grants {
	return Grants{Source: source(f), Destination: destination(f)}
}

func source(f task.File) Set {
	account := account(f.Source.User)
	s := Set{Statements: []string{create(account)}, Optional: []Optional{}, Notes: []string{}}
	rights := "SELECT, SHOW VIEW, EVENT"
	if f.Type == task.FullIncremental {
		rights += ", LOCK TABLES"
	}
	for _, schema := range f.Objects.Schemas() {
		s.Statements = append(s.Statements, grant(rights, schema, account))
	}
	if f.Type == task.FullIncremental {
		s.Statements = append(s.Statements, fmt.Sprintf("GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO %s;", account))
		s.Optional = append(s.Optional,
			Optional{fmt.Sprintf("GRANT RELOAD ON *.* TO %s;", account), "a start position by FLUSH BINARY LOGS where tables cannot be locked (MySQL 5.5, 5.6)"},
			Optional{fmt.Sprintf("GRANT XA_RECOVER_ADMIN ON *.* TO %s;", account), "MySQL 8.0 and newer: prepared XA transactions are seen before the start and at the stop"},
			Optional{fmt.Sprintf("GRANT SELECT ON mysql.rds_configuration TO %s;", account), "Amazon RDS: its binlog retention hours are seen, before the start and while the task runs"})
	}
	s.Optional = append(s.Optional, Optional{fmt.Sprintf("GRANT PROCESS ON *.* TO %s;", account), "open transactions and the load of the source are seen"})
	s.Statements = append(s.Statements, "FLUSH PRIVILEGES;")
	s.Notes = append(s.Notes, underscore(f.Objects.Schemas())...)
	return s
}

func destination(f task.File) Set {
	account := account(f.Destination.User)
	s := Set{Statements: []string{create(account)}, Optional: []Optional{}, Notes: []string{}}
	schemas := f.Objects.DestinationSchemas()
	if own := f.Destination.MetadataSchema; own != "" && !slices.Contains(schemas, own) {
		schemas = append(schemas, own)
	}
	for _, schema := range schemas {
		s.Statements = append(s.Statements, grant("CREATE, DROP, ALTER, INDEX, INSERT, DELETE, UPDATE, SELECT", schema, account))
	}
	s.Statements = append(s.Statements, "FLUSH PRIVILEGES;")
	if f.Destination.Kind == "ddm" || f.Destination.Kind == "auto" {
		s.Notes = append(s.Notes, "DDM: an account is a name without a host; create it in the console with these rights on these schemas, not as the administrator")
	}
	s.Notes = append(s.Notes, underscore(schemas)...)
	return s
}

func create(account string) string {
	return fmt.Sprintf("CREATE USER %s IDENTIFIED BY '<password>';", account)
}

func grant(rights, schema, account string) string {
	return fmt.Sprintf("GRANT %s ON `%s`.* TO %s;", rights, strings.ReplaceAll(schema, "`", "``"), account)
}

func account(user string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(user) + "'@'%'"
}

// underscore tells of a wildcard that surprises: escaping it is refused by DDM
// and taken literally where partial_revokes is on.
func underscore(schemas []string) []string {
	for _, s := range schemas {
		if strings.Contains(s, "_") {
			return []string{`in a GRANT on a schema, _ stands for any one character; write \_ on MySQL and MariaDB where a schema of a similar name must not be seen (not with partial_revokes=ON)`}
		}
	}
	return nil
}
