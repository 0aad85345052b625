package testdb

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// Client is a call of a database's own client program towards s as its
// administrator: mysql, mysqldump and mysqlbinlog of MySQL 9.7, or mariadb, which
// still knows mysql_native_password. The password is in its environment.
func (s *Server) Client(t testing.TB, program string, options ...string) *exec.Cmd {
	t.Helper()
	edition := "mysql97"
	if program == "mariadb" {
		edition = program
	}
	Get(t, edition) // its programs come with the server
	c, err := openCache()
	if err != nil {
		t.Fatal(err)
	}
	line := byOwnLoader(c.programDir(edition), filepath.Join("usr/bin", program))
	line = append(line, "--no-defaults", "--host="+s.Host, "--port="+strconv.Itoa(s.Port), "--user="+s.User, "--protocol=TCP")
	cmd := exec.CommandContext(t.Context(), line[0], append(line[1:], options...)...)
	cmd.Env = append(cmd.Environ(), "MYSQL_PWD="+s.Password)
	return cmd
}
