package source

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
	"shardlift/internal/position"
)

// BinaryLog is one binlog file.
type BinaryLog struct {
	Name string
	Size uint64
}

// BinaryLogs lists the binlog files, the oldest first.
func (s *Source) BinaryLogs(ctx context.Context) ([]BinaryLog, error) {
	records, err := mysqlconn.Records(ctx, s.db, "SHOW BINARY LOGS")
	if err != nil {
		return nil, fmt.Errorf("list the binlog files: %w", mysqlconn.Fault(err, "source"))
	}
	out := make([]BinaryLog, 0, len(records))
	for _, r := range records {
		size, err := strconv.ParseUint(r["file_size"], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("list the binlog files: %w", err)
		}
		out = append(out, BinaryLog{r["log_name"], size})
	}
	return out, nil
}

// CheckHistory says whether the server is still one that has everything after
// from and had everything before it: nil, or fault.BinlogPurged,
// fault.HistoryLost or fault.ServerChanged.
func (s *Source) CheckHistory(ctx context.Context, from position.Position) error {
	if from.IsZero() {
		return nil
	}
	now, err := mysqlconn.Probe(ctx, s.db)
	if err != nil {
		return err
	}
	if now.Flavor != from.Flavor {
		return fault.ServerChanged.New(from.String(), "it is of the %s family now", now.Flavor)
	}
	switch {
	case !from.HasGTID():
		return s.checkFile(ctx, now, from)
	case !now.GTID:
		return fault.HistoryLost.New(from.String(), "the source has no GTIDs any more")
	case from.Flavor == position.MariaDB:
		err = s.checkDomains(ctx, from)
	default:
		err = s.checkSet(ctx, from)
	}
	if err != nil {
		return err
	}
	return s.checkPlace(ctx, now, from)
}

// checkPlace looks at the file of a position by GTID, if this server wrote it: a
// source that was restored from a backup, or lost the end of its binlog in a
// crash, gives the numbers of lost transactions to new ones, so that the set is
// contained and means something else. The nodes of a Galera cluster share an id,
// but no files.
func (s *Source) checkPlace(ctx context.Context, now mysqlconn.Capabilities, from position.Position) error {
	if from.File == "" || from.Server != now.Identity() || now.IsOn("wsrep_on") {
		return nil
	}
	files, err := s.BinaryLogs(ctx)
	if mysqlconn.IsAccessDenied(err) {
		return nil
	}
	if err != nil || len(files) == 0 {
		return err
	}
	i := slices.IndexFunc(files, func(f BinaryLog) bool { return f.Name == from.File })
	last := files[len(files)-1].Name
	switch {
	case i >= 0 && from.Offset > files[i].Size:
		return fault.HistoryLost.New(from.String(), "the file ends before it")
	case i < 0 && series(last) == series(from.File) && position.CompareFile(from.File, 0, last, 0) > 0:
		return fault.HistoryLost.New(from.String(), "the file does not exist")
	default:
		return nil
	}
}

// series is a binlog file's name without its number.
func series(file string) string {
	if dot := strings.LastIndexByte(file, '.'); dot >= 0 {
		return file[:dot]
	}
	return file
}

func (s *Source) checkSet(ctx context.Context, from position.Position) error {
	var executed, purged string
	if err := s.db.QueryRowContext(ctx, "SELECT @@GLOBAL.gtid_executed, @@GLOBAL.gtid_purged").Scan(&executed, &purged); err != nil {
		return fmt.Errorf("read the source's GTID sets: %w", mysqlconn.Fault(err, "source"))
	}
	return compareSets(from, executed, purged)
}

// compareSets: executed has to hold everything of from, from everything that
// was purged.
func compareSets(from position.Position, executed, purged string) error {
	there, err := from.InHistory(executed)
	if err != nil {
		return err
	}
	if !there {
		return fault.HistoryLost.New(from.String(), "")
	}
	mine, err := from.Set()
	if err != nil {
		return err
	}
	gone, err := position.ParseSet(from.Flavor, purged)
	if err != nil {
		return err
	}
	if !mine.Contains(gone) {
		return fault.BinlogPurged.New(from.String(), "")
	}
	return nil
}

// checkDomains takes the GTIDs that the oldest file begins with as what was purged.
func (s *Source) checkDomains(ctx context.Context, from position.Position) error {
	files, err := s.BinaryLogs(ctx)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fault.BinlogOff.New("source", "")
	}
	events, err := mysqlconn.Records(ctx, s.db, fmt.Sprintf("SHOW BINLOG EVENTS IN '%s' LIMIT 3", files[0].Name))
	if err != nil {
		return fmt.Errorf("read the beginning of the oldest binlog file: %w", mysqlconn.Fault(err, "source"))
	}
	oldest := ""
	for _, e := range events {
		if e["event_type"] == "Gtid_list" {
			oldest = strings.Trim(e["info"], "[]")
		}
	}
	var executed string
	if err := s.db.QueryRowContext(ctx, "SELECT @@GLOBAL.gtid_binlog_state").Scan(&executed); err != nil {
		return fmt.Errorf("read the source's GTID state: %w", mysqlconn.Fault(err, "source"))
	}
	return compareSets(from, executed, oldest)
}

func (s *Source) checkFile(ctx context.Context, now mysqlconn.Capabilities, from position.Position) error {
	if from.Server != now.Identity() {
		return fault.ServerChanged.New(from.String(), "")
	}
	files, err := s.BinaryLogs(ctx)
	if mysqlconn.IsAccessDenied(err) {
		return s.checkHeadFile(ctx, from)
	}
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fault.BinlogOff.New("source", "")
	}
	i := slices.IndexFunc(files, func(f BinaryLog) bool { return f.Name == from.File })
	switch {
	case i < 0 && position.CompareFile(from.File, 0, files[0].Name, 0) < 0:
		return fault.BinlogPurged.New(from.String(), "")
	case i < 0:
		return fault.HistoryLost.New(from.String(), "the file does not exist")
	case from.Offset > files[i].Size:
		return fault.HistoryLost.New(from.String(), "the file ends before it")
	default:
		return nil
	}
}

// checkHeadFile is all that an account may see that cannot list the files.
func (s *Source) checkHeadFile(ctx context.Context, from position.Position) error {
	head, err := s.Head(ctx)
	if err != nil {
		return err
	}
	if position.CompareFile(head.File, head.Offset, from.File, from.Offset) < 0 {
		return fault.HistoryLost.New(from.String(), "the source's binlog ends before it")
	}
	return nil
}

// Pin makes each connection that is opened from now on prove that its server's
// history contains the position: by the GTID set, else by being the same server.
func (s *Source) Pin(from position.Position) {
	if !from.IsZero() {
		s.pin.from.Store(&from)
	}
}

func (p *pin) check(ctx context.Context, ask mysqlconn.Ask) error {
	from := p.from.Load()
	if from == nil {
		return nil
	}
	if !from.HasGTID() {
		return sameServer(ctx, ask, *from)
	}
	return contains(ctx, ask, *from)
}

// contains says whether a server has ever executed everything of a GTID position.
func contains(ctx context.Context, ask mysqlconn.Ask, from position.Position) error {
	query := "SELECT @@GLOBAL.gtid_executed"
	if from.Flavor == position.MariaDB {
		query = "SELECT @@GLOBAL.gtid_binlog_state"
	}
	executed, err := ask(ctx, query)
	if mysqlconn.IsUnknownVariable(err) {
		return fault.HistoryLost.New(from.String(), "the source has no GTIDs any more")
	}
	if err != nil {
		return err
	}
	return compareSets(from, executed, "")
}

// identityOf is what mysqlconn.Capabilities.Identity is, of one connection.
func identityOf(ctx context.Context, ask mysqlconn.Ask) (string, error) {
	identity, err := ask(ctx, "SELECT @@GLOBAL.server_uuid")
	if mysqlconn.IsUnknownVariable(err) {
		identity, err = ask(ctx, "SELECT @@GLOBAL.server_id")
		identity = "id:" + identity
	}
	return identity, err
}

func sameServer(ctx context.Context, ask mysqlconn.Ask, from position.Position) error {
	identity, err := identityOf(ctx, ask)
	if err != nil {
		return err
	}
	if identity != from.Server {
		return fault.ServerChanged.New(from.String(), "")
	}
	return nil
}
