package main

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	"shardlift/internal/ddmsim"
)

// list collects a flag that may be repeated.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func parse(args []string, stdout io.Writer) (cfg ddmsim.Config, help bool, err error) {
	var schemas, nodes list
	var passwordEnv, cert, key, transactions string
	f := flag.NewFlagSet("ddmsim", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&cfg.Listen, "listen", "127.0.0.1:5066", "address to listen on")
	f.Var(&schemas, "schema", "logical schema; repeat for several")
	f.IntVar(&cfg.Shards, "shards", 8, "database shards of each schema")
	f.Var(&nodes, "node", "data node USER:PASSWORD@HOST:PORT; repeat for several")
	f.StringVar(&cfg.User, "user", "", "the account that clients use")
	f.StringVar(&passwordEnv, "password-env", "", "environment variable with its password")
	f.StringVar(&cert, "tls-cert", "", "certificate file; with --tls-key clients may use TLS")
	f.StringVar(&key, "tls-key", "", "private key file")
	f.StringVar(&cfg.MetaDatabase, "meta", "ddmsim_meta", "database on the first node for rules and sequences")
	f.StringVar(&cfg.Version, "kernel-version", "3.1.0.7", "DDM kernel version in the greeting")
	f.StringVar(&transactions, "transactions", "free", "several shards commit: free (each on its own) or xa (all or none)")
	f.BoolVar(&cfg.FoundRows, "found-rows", false, "affected rows count matched rows, for every client")
	f.BoolVar(&cfg.NoRowLocks, "no-row-locks", false, "refuse FOR UPDATE and LOCK IN SHARE MODE")
	f.BoolVar(&cfg.NoKill, "no-kill", false, "refuse KILL")
	f.BoolVar(&cfg.NoKillPhysical, "no-kill-physical", false, "refuse kill physical and SHOW PHYSICAL PROCESSLIST")
	f.BoolVar(&cfg.CreateDatabase, "create-database", false, "allow CREATE DATABASE and DROP DATABASE")
	f.BoolVar(&cfg.ExplicitIDMovesSequence, "explicit-id-moves-sequence", false, "an explicit AUTO_INCREMENT value moves the sequence")
	f.IntVar(&cfg.MaxAllowedPacket, "max-allowed-packet", 1<<30, "largest statement in bytes")
	f.IntVar(&cfg.MaxFactors, "max-factors", 1000, "most scalars in one expression")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(stdout, usage)
			f.SetOutput(stdout)
			f.PrintDefaults()
			return cfg, true, nil
		}
		return cfg, false, err
	}
	cfg.Schemas = schemas
	if f.NArg() > 0 {
		return cfg, false, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if transactions != "free" && transactions != "xa" {
		return cfg, false, fmt.Errorf("--transactions is free or xa, not %q", transactions)
	}
	cfg.XA = transactions == "xa"
	for _, n := range nodes {
		node, err := parseNode(n)
		if err != nil {
			return cfg, false, err
		}
		cfg.Nodes = append(cfg.Nodes, node)
	}
	if passwordEnv != "" {
		cfg.Password = os.Getenv(passwordEnv)
	}
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return cfg, false, fmt.Errorf("--tls-cert and --tls-key: %w", err)
		}
		cfg.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	}
	return cfg, false, nil
}

// parseNode reads USER:PASSWORD@HOST:PORT; a password may hold : and @.
func parseNode(s string) (ddmsim.Node, error) {
	wrong := fmt.Errorf("--node has the form USER:PASSWORD@HOST:PORT")
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return ddmsim.Node{}, wrong
	}
	user, password, found := strings.Cut(s[:at], ":")
	host, port, err := net.SplitHostPort(s[at+1:])
	if !found || err != nil || user == "" {
		return ddmsim.Node{}, wrong
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 {
		return ddmsim.Node{}, wrong
	}
	return ddmsim.Node{Host: host, Port: n, User: user, Password: password}, nil
}
