package testdb

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// recipe changes when the templates of older code must not be used any more.
const recipe = "2"

// initTimeout bounds the making of a data directory on a busy machine.
const initTimeout = 10 * time.Minute

// template returns the directory with an initialised data directory ("data")
// and the password of its administrator ("password"), made once for each
// edition. It lies in the program's directory and goes with it. Nothing of its
// making is in a binlog.
func (c cache) template(ctx context.Context, e edition) (string, error) {
	p := e.program(c)
	dir := filepath.Join(c.programDir(e.name), "template-"+recipe)
	err := c.build(ctx, dir, func(tmp string) error {
		ctx, cancel := context.WithTimeout(ctx, initTimeout)
		defer cancel()
		if err := makeTemplate(ctx, e, p, tmp); err != nil {
			return fmt.Errorf("initialise %s: %w", e.name, err)
		}
		return nil
	})
	return dir, err
}

func makeTemplate(ctx context.Context, e edition, p program, dir string) error {
	data := filepath.Join(dir, "data")
	if err := e.prepare(ctx, p, data); err != nil {
		return err
	}
	if e.certificates {
		if err := writeCertificates(data); err != nil {
			return err
		}
	}
	password := randomHex(12)
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte(password), 0o600); err != nil {
		return fmt.Errorf("write password: %w", err)
	}
	statements := filepath.Join(dir, "admin.sql")
	if err := os.WriteFile(statements, []byte(strings.Join(e.admin(password), ";\n")+";\n"), 0o600); err != nil {
		return fmt.Errorf("write statements: %w", err)
	}
	i := &instance{
		edition: e, program: p, run: dir, password: password,
		silent: true, options: append(slices.Clone(e.silent), "--init-file="+statements), idle: ownIdle,
	}
	if err := i.open(ctx); err != nil {
		return err
	}
	defer i.close()
	if err := i.launch(ctx); err != nil {
		return err
	}
	if err := i.stop(ctx); err != nil {
		return err
	}
	// Each server must get an identity of its own.
	for _, name := range []string{"auto.cnf", "server.pid"} {
		if err := os.RemoveAll(filepath.Join(data, name)); err != nil {
			return fmt.Errorf("remove identity: %w", err)
		}
	}
	return nil
}

// copyOf takes the data directory that the package brings.
func copyOf(sub string) func(context.Context, program, string) error {
	return func(ctx context.Context, p program, data string) error {
		if err := copyTree(ctx, filepath.Join(p.dir, sub), data); err != nil {
			return err
		}
		return os.RemoveAll(filepath.Join(data, "auto.cnf"))
	}
}

func initializeInsecure(ctx context.Context, p program, data string) error {
	_, err := run(ctx, filepath.Dir(data), p.env, p.command("--initialize-insecure", "--datadir="+data)...)
	return err
}

// bootstrapMariaDB does what mariadb-install-db does: that script looks for
// the installed server, and ours is not installed.
func bootstrapMariaDB(ctx context.Context, p program, data string) error {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("create data directory: %w", err)
	}
	script := filepath.Join(filepath.Dir(data), "bootstrap.sql")
	var text strings.Builder
	text.WriteString("CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n")
	share := mariaShare(p.dir)
	// Files are named mysql_… up to 10.11 and mariadb_… from 11.
	for _, choice := range [][]string{
		{"mysql_system_tables.sql", "mariadb_system_tables.sql"},
		{"mysql_performance_tables.sql", "mariadb_performance_tables.sql"},
		{"mysql_system_tables_data.sql", "mariadb_system_tables_data.sql"},
		{"fill_help_tables.sql"},
		{"maria_add_gis_sp_bootstrap.sql"},
		{"mysql_sys_schema.sql", "mariadb_sys_schema.sql"},
	} {
		part, err := firstFile(share, choice)
		if err != nil {
			return err
		}
		text.WriteString(string(part) + "\n")
	}
	if err := os.WriteFile(script, []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("write bootstrap statements: %w", err)
	}
	defer os.Remove(script)
	_, err := run(ctx, filepath.Dir(data), append(p.env, "BOOTSTRAP="+script),
		append([]string{"sh", "-c", `exec "$@" <"$BOOTSTRAP"`, "sh"},
			p.command("--bootstrap", "--datadir="+data, "--log-warnings=0", "--enforce-storage-engine=",
				"--max-allowed-packet=8M", "--net-buffer-length=16K")...)...)
	return err
}

func firstFile(dir string, names []string) ([]byte, error) {
	for _, name := range names {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
			return text, nil
		}
	}
	return nil, fmt.Errorf("the package has none of %s", strings.Join(names, ", "))
}

// adminByTables is for servers before 5.7, whose packages bring accounts
// without a password that would match before root@'%'.
func adminByTables(password string) []string {
	return []string{
		"GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' IDENTIFIED BY '" + password + "' WITH GRANT OPTION",
		"DELETE FROM mysql.user WHERE NOT (User = 'root' AND Host = '%')",
		"DELETE FROM mysql.db",
		"FLUSH PRIVILEGES",
	}
}

func adminByStatement(password string) []string {
	return []string{
		"CREATE USER 'root'@'%' IDENTIFIED BY '" + password + "'",
		"GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' WITH GRANT OPTION",
		"DROP USER 'root'@'localhost'",
	}
}

func adminOfMariaDB(password string) []string {
	return []string{
		"CREATE USER 'root'@'%' IDENTIFIED BY '" + password + "'",
		"GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' WITH GRANT OPTION",
		"DELETE FROM mysql.global_priv WHERE User IN ('root', '') AND Host <> '%'",
		"FLUSH PRIVILEGES",
	}
}

// copyTree copies a directory; holes in the files stay holes.
func copyTree(ctx context.Context, from, to string) error {
	_, err := run(ctx, "/", nil, "cp", "-a", "--reflink=auto", "--sparse=always", from, to)
	return err
}

// randomHex returns 2n hexadecimal digits.
func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand, Go 1.24)
	return hex.EncodeToString(b)
}
