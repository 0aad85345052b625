package position

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// Flavor is the family of GTIDs.
type Flavor string

// The families.
const (
	MySQL   Flavor = "mysql"
	MariaDB Flavor = "mariadb"
)

// Set is a set of transactions. For MySQL it is a GTID set; for MariaDB it is
// the last GTID of each domain, which stands for all before it.
// The zero Set is empty and of no flavor.
type Set struct {
	mysql   *mysql.MysqlGTIDSet
	domains map[uint32]mariaGTID
}

type mariaGTID struct {
	server   uint32
	sequence uint64
}

// ParseSet reads a set as the server prints it; the empty text is the empty set.
func ParseSet(flavor Flavor, text string) (Set, error) {
	text = strings.NewReplacer("\n", "", "\r", "", " ", "").Replace(text)
	switch flavor {
	case MySQL:
		parsed, err := mysql.ParseMysqlGTIDSet(text)
		if err != nil {
			return Set{}, fmt.Errorf("parse GTID set %.200q: %w", text, err)
		}
		return Set{mysql: parsed.(*mysql.MysqlGTIDSet)}, nil
	case MariaDB:
		return parseMariaDB(text)
	default:
		return Set{}, fmt.Errorf("parse GTID set: flavor %q is neither mysql nor mariadb", flavor)
	}
}

func parseMariaDB(text string) (Set, error) {
	s := Set{domains: map[uint32]mariaGTID{}}
	if text == "" {
		return s, nil
	}
	for one := range strings.SplitSeq(text, ",") {
		if err := s.addMariaDB(one); err != nil {
			return Set{}, err
		}
	}
	return s, nil
}

func (s *Set) addMariaDB(text string) error {
	parts := strings.Split(text, "-")
	if len(parts) != 3 {
		return fmt.Errorf("parse MariaDB GTID %.80q: want domain-server-sequence", text)
	}
	domain, err1 := strconv.ParseUint(parts[0], 10, 32)
	server, err2 := strconv.ParseUint(parts[1], 10, 32)
	sequence, err3 := strconv.ParseUint(parts[2], 10, 64)
	if err1 != nil || err2 != nil || err3 != nil {
		return fmt.Errorf("parse MariaDB GTID %.80q: want three numbers", text)
	}
	s.domains[uint32(domain)] = mariaGTID{uint32(server), sequence}
	return nil
}

// Add puts one transaction, as the server prints it, into the set. A MariaDB
// domain takes the newer GTID's server and sequence.
func (s *Set) Add(gtid string) error {
	if s.domains != nil {
		return s.addMariaDB(gtid)
	}
	if s.mysql == nil {
		return fmt.Errorf("add GTID %.80q: set has no flavor", gtid)
	}
	if err := s.mysql.Update(gtid); err != nil {
		return fmt.Errorf("add GTID %.80q: %w", gtid, err)
	}
	return nil
}

// Contains says whether every transaction of o is in s.
func (s Set) Contains(o Set) bool {
	if o.IsEmpty() {
		return true
	}
	if s.domains != nil && o.domains != nil {
		for domain, g := range o.domains {
			if mine, ok := s.domains[domain]; !ok || mine.sequence < g.sequence {
				return false
			}
		}
		return true
	}
	return s.mysql != nil && o.mysql != nil && s.mysql.Contain(o.mysql)
}

// Has says whether a transaction, as the server prints it, is in the set. Of a
// MariaDB domain only the numbers of the server that wrote last are known.
func (s Set) Has(gtid string) bool {
	if s.domains == nil {
		one, err := ParseSet(MySQL, gtid)
		return err == nil && !one.IsEmpty() && s.Contains(one)
	}
	one, err := parseMariaDB(gtid)
	if err != nil {
		return false
	}
	for domain, g := range one.domains {
		mine, ok := s.domains[domain]
		return ok && mine.server == g.server && g.sequence <= mine.sequence
	}
	return false
}

// InState says whether a MariaDB server with this gtid_binlog_state has every
// transaction of s: the state has the last sequence of each server in each
// domain, while gtid_binlog_pos only tells the domain's last one, which may be
// the higher number of a server that went another way.
func (s Set) InState(state string) (bool, error) {
	type writer struct{ domain, server uint32 }
	last := map[writer]uint64{}
	for one := range strings.SplitSeq(strings.NewReplacer("\n", "", " ", "").Replace(state), ",") {
		if one == "" {
			continue
		}
		parsed, err := parseMariaDB(one)
		if err != nil {
			return false, err
		}
		for domain, g := range parsed.domains {
			last[writer{domain, g.server}] = g.sequence
		}
	}
	for domain, g := range s.domains {
		if last[writer{domain, g.server}] < g.sequence {
			return false, nil
		}
	}
	return true, nil
}

// IsEmpty says whether no transaction is in the set.
func (s Set) IsEmpty() bool {
	return (s.mysql == nil || s.mysql.IsEmpty()) && len(s.domains) == 0
}

// Clone returns an independent copy.
func (s Set) Clone() Set {
	out := Set{}
	if s.mysql != nil {
		out.mysql = s.mysql.Clone().(*mysql.MysqlGTIDSet)
	}
	if s.domains != nil {
		out.domains = make(map[uint32]mariaGTID, len(s.domains))
		maps.Copy(out.domains, s.domains)
	}
	return out
}

// String prints the set as the server reads it, in a stable order.
func (s Set) String() string {
	if s.mysql != nil {
		parts := strings.Split(s.mysql.String(), ",")
		slices.Sort(parts)
		return strings.Join(parts, ",")
	}
	domains := make([]uint32, 0, len(s.domains))
	for d := range s.domains {
		domains = append(domains, d)
	}
	slices.Sort(domains)
	parts := make([]string, 0, len(domains))
	for _, d := range domains {
		g := s.domains[d]
		parts = append(parts, fmt.Sprintf("%d-%d-%d", d, g.server, g.sequence))
	}
	return strings.Join(parts, ",")
}
