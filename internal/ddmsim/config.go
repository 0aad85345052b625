package ddmsim

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
)

// Node is a data node: a MySQL server and an account with all rights on it.
type Node struct {
	Host     string
	Port     int
	User     string
	Password string
}

func (n Node) address() string { return net.JoinHostPort(n.Host, strconv.Itoa(n.Port)) }

// Config says what the simulator serves. Zero values take the defaults.
type Config struct {
	Listen   string   // default 127.0.0.1:0
	Schemas  []string // logical schemas; their physical databases are made at the start
	Shards   int      // database shards of each schema, default 8
	Nodes    []Node   // shard i stands on node i mod len(Nodes)
	User     string
	Password string
	TLS      *tls.Config // server side; nil: no TLS

	// MetaDatabase on the first node keeps rules and sequences; default ddmsim_meta.
	MetaDatabase string
	// Version is DDM's kernel version in the greeting; default 3.1.0.7.
	Version string

	// FoundRows makes affected rows count matched rows for every client,
	// whatever its CLIENT_FOUND_ROWS flag says.
	FoundRows bool
	// XA commits transactions over several shards in two phases. Otherwise
	// (FREE) each shard commits on its own, and a failure leaves the first ones
	// committed (D-60).
	XA bool
	// BroadcastCountsAll counts the affected rows of a broadcast table once for
	// each shard. Otherwise they count once, as DBLE does it; DDM's manual does
	// not say.
	BroadcastCountsAll bool
	// SilentRollback rolls the whole transaction back when a statement fails that
	// went to several shards, and ends it: what follows runs on its own, and
	// COMMIT says OK. vtgate does so (measured on 24.0). Otherwise such a
	// transaction takes nothing but ROLLBACK.
	SilentRollback bool
	// NoRowLocks refuses SELECT … FOR UPDATE and LOCK IN SHARE MODE.
	NoRowLocks bool
	// NoKill refuses KILL; kill physical stays.
	NoKill bool
	// NoKillPhysical refuses kill physical and SHOW PHYSICAL PROCESSLIST.
	NoKillPhysical bool
	// ContainsShardKey refuses SELECT, UPDATE and DELETE on a sharded table whose
	// condition does not narrow the shards (instance parameter contains_shard_key).
	ContainsShardKey bool
	// CreateDatabase allows CREATE DATABASE and DROP DATABASE.
	CreateDatabase bool
	// ExplicitIDMovesSequence makes an explicit value for an AUTO_INCREMENT
	// column move the sequence past it (one reading of DDM's manual). By default
	// it does not, so a migrator that forgets to refresh sequences is caught.
	ExplicitIDMovesSequence bool
	// MaxAllowedPacket limits a statement in bytes; default 1 GiB (D-08). A
	// larger one gets error 1153 and the connection survives.
	MaxAllowedPacket int
	// AdvertisedPacket is what @@max_allowed_packet says; default
	// MaxAllowedPacket. Relatives of DDM say more than they take.
	AdvertisedPacket int
	// FloorModulo counts a negative sharding key's remainder from below instead
	// of by its absolute value, in tables made from now on: the manual does not
	// say which, and nobody may depend on it.
	FloorModulo bool
	// MaxFactors limits the scalars in one expression (D-12); default 1000.
	MaxFactors int
	// SequenceCache is how many values a sequence takes from its row at once;
	// default 1000. A restart skips what is left of them.
	SequenceCache int
}

var (
	schemaName = regexp.MustCompile(`^[a-z][a-z0-9_]{1,47}$`) // D-53
	tableName  = regexp.MustCompile(`^[A-Za-z0-9_]+$`)        // D-53
)

func (c *Config) complete() error {
	setDefault(&c.Listen, "127.0.0.1:0")
	setDefault(&c.MetaDatabase, "ddmsim_meta")
	setDefault(&c.Version, "3.1.0.7")
	setDefault(&c.Shards, 8)
	setDefault(&c.MaxAllowedPacket, 1<<30)
	setDefault(&c.AdvertisedPacket, c.MaxAllowedPacket)
	setDefault(&c.MaxFactors, 1000)
	setDefault(&c.SequenceCache, 1000)
	if len(c.Nodes) == 0 {
		return errors.New("no data node: at least one is needed")
	}
	if c.User == "" {
		return errors.New("no user: clients need an account")
	}
	if c.Shards < 1 || c.Shards > 1024 {
		return fmt.Errorf("%d shards: between 1 and 1024 are possible", c.Shards)
	}
	for _, s := range c.Schemas {
		if !schemaName.MatchString(s) {
			return fmt.Errorf("schema %q: DDM's names have 2 to 48 characters, lower-case letters, digits and _, a letter first (D-53)", s)
		}
	}
	return nil
}

func setDefault[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}
