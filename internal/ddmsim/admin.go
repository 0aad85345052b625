package ddmsim

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"vitess.io/vitess/go/sqltypes"
)

// admin runs CHECK TABLE, KILL and the simulator's own DDMSIM statements.
func (ss *session) admin(t *text) (*sqltypes.Result, error) {
	switch {
	case t.starts(0, "CHECK", "TABLE"):
		return ss.checkTable(t)
	case t.starts(0, "KILL", "PHYSICAL"):
		return ok, ss.killPhysical(t)
	case t.at(0, "KILL"):
		return ok, ss.kill(t)
	case t.at(0, "DDMSIM"):
		return ss.faultStatement(t)
	}
	return nil, syntaxError("near '" + clip(t.sql) + "'")
}

// kill ends a client's statement, or the client with its node connections.
func (ss *session) kill(t *text) error {
	if ss.server.cfg.NoKill {
		return refuse("D-08", "KILL is switched off")
	}
	i, whole := 1, true
	if t.at(1, "QUERY") || t.at(1, "CONNECTION") {
		i, whole = 2, t.at(1, "CONNECTION")
	}
	id, err := strconv.ParseUint(t.src(i), 10, 32)
	if err != nil || t.len() != i+1 {
		return syntaxError("KILL [QUERY | CONNECTION] id")
	}
	other := ss.server.session(uint32(id))
	if other == nil {
		return sqlError(1094, "HY000", fmt.Sprintf("Unknown thread id: %d", id))
	}
	return ss.stop(other, whole)
}

// stop ends what the other session runs on the nodes. For the whole
// connection the node connections end first, then the client's socket, so that
// nothing of it can commit once KILL has answered.
func (ss *session) stop(other *session, whole bool) error {
	other.mu.Lock()
	other.killed = other.killed || whole
	if other.cancel != nil && other.current != "" {
		other.cancel()
	}
	other.mu.Unlock()
	verb := "KILL QUERY "
	if whole {
		verb = "KILL "
	}
	for _, b := range other.held() {
		_, err := ss.askPlain(place{node: b.at.node}, verb+strconv.Itoa(int(b.conn.GetConnectionID())))
		if err != nil && errorCode(err) != 1094 {
			return err
		}
	}
	if whole && other != ss {
		other.conn.Close()
	}
	return nil
}

// killPhysical runs kill physical <thread>@<ip>:<port>.
func (ss *session) killPhysical(t *text) error {
	if ss.server.cfg.NoKillPhysical {
		return refuse("D-42", "kill physical is switched off")
	}
	arg := strings.ReplaceAll(t.between(2, t.len()), " ", "")
	thread, address, found := strings.Cut(arg, "@")
	id, err := strconv.ParseUint(thread, 10, 64)
	if !found || err != nil {
		return syntaxError("kill physical thread@ip:port")
	}
	for n, node := range ss.server.cfg.Nodes {
		if node.address() == address {
			_, err := ss.askPlain(place{node: n}, "KILL "+strconv.FormatUint(id, 10))
			return err
		}
	}
	return refuse("D-42", "no data node at %s", clip(address))
}

// physicalProcesses is SHOW PHYSICAL PROCESSLIST [WITH INFO].
func (ss *session) physicalProcesses(withInfo bool) (*sqltypes.Result, error) {
	if ss.server.cfg.NoKillPhysical {
		return nil, refuse("D-42", "SHOW PHYSICAL PROCESSLIST is switched off")
	}
	var rows [][]string
	for n, node := range ss.server.cfg.Nodes {
		// information_schema's list fails on MySQL 9 while a statement with bytes runs.
		r, err := ss.askPlain(place{node: n}, "SHOW FULL PROCESSLIST")
		if err != nil {
			return nil, err
		}
		for _, row := range r.Rows {
			if withInfo && row[7].Len() == 0 {
				continue
			}
			out := []string{node.Host, strconv.Itoa(node.Port), nodeID(n), "master"}
			for _, v := range row[:8] { // MariaDB has more
				out = append(out, v.ToString())
			}
			rows = append(rows, out)
		}
	}
	return numbers(textResult([]string{"Ip", "Port", "Instance_id", "Type", "Id", "User", "Host", "db", "Command", "Time", "State", "Info"}, rows), 1, 4, 9), nil
}

// processes is SHOW PROCESSLIST: the simulator's own clients.
func (ss *session) processes(full bool) *sqltypes.Result {
	ss.server.mu.Lock()
	var list []*session
	for _, s := range ss.server.sessions {
		list = append(list, s)
	}
	ss.server.mu.Unlock()
	sort.Slice(list, func(i, j int) bool { return list[i].conn.ConnectionID < list[j].conn.ConnectionID })
	var rows [][]string
	for _, s := range list {
		s.mu.Lock()
		command, info := "Sleep", s.current
		s.mu.Unlock()
		if info != "" {
			command = "Query"
		}
		if !full {
			info = firstLine(info)
		}
		rows = append(rows, []string{
			strconv.Itoa(int(s.conn.ConnectionID)), s.server.cfg.User, s.conn.RemoteAddr().String(), "", command,
			strconv.Itoa(int(time.Since(s.since).Seconds())), "", info,
		})
	}
	return numbers(textResult([]string{"Id", "User", "Host", "db", "Command", "Time", "State", "Info"}, rows), 0, 5)
}

// checkTable compares the definitions of physical tables (D-42).
func (ss *session) checkTable(t *text) (*sqltypes.Result, error) {
	var list []*tableRule
	if t.len() > 2 {
		name, err := t.object(2)
		if err != nil {
			return nil, err
		}
		table, err := ss.table(name)
		if err != nil {
			return nil, err
		}
		list = []*tableRule{table}
	} else {
		schema, err := ss.need("")
		if err != nil {
			return nil, err
		}
		list = ss.server.catalogue.list(schema)
	}
	var rows [][]string
	for _, table := range list {
		different, err := ss.different(table)
		if err != nil {
			return nil, err
		}
		consistent := "Y"
		if len(different) > 0 {
			consistent = "N"
		}
		rows = append(rows, []string{table.Schema, table.Name, string(table.Kind), consistent, strconv.Itoa(len(table.targets())), strconv.Itoa(len(different)), strings.Join(different, ",")})
	}
	return numbers(textResult([]string{"DATABASE_NAME", "TABLE_NAME", "TABLE_TYPE", "DDL_CONSISTENCY", "TOTAL_COUNT", "INCONSISTENT_COUNT", "DETAILS"}, rows), 4, 5), nil
}

// different names the physical tables whose definition is not the first one's.
func (ss *session) different(table *tableRule) ([]string, error) {
	var want string
	var out []string
	for i, at := range table.targets() {
		p := ss.server.placeOf(table.Schema, at.shard)
		r, err := ss.askPlain(p, "SHOW CREATE TABLE "+quoteName(at.table))
		got := ""
		switch {
		case err == nil:
			got = definitionOf(r.Rows[0][1].ToString())
		case errorCode(err) != 1146:
			return nil, err
		}
		if i == 0 {
			want = got
		} else if got != want {
			out = append(out, p.database+"."+at.table)
		}
	}
	return out, nil
}

// definitionOf is SHOW CREATE TABLE without the table's name and its counter.
func definitionOf(create string) string {
	_, body, _ := strings.Cut(create, "(")
	words := strings.Fields(body)
	words = slices.DeleteFunc(words, func(w string) bool { return strings.HasPrefix(w, "AUTO_INCREMENT=") })
	return strings.Join(words, " ")
}
