package binlog

import (
	"context"
	"errors"

	"github.com/go-mysql-org/go-mysql/replication"

	"shardlift/internal/fault"
	"shardlift/internal/position"
)

// Stamp returns the position c.From with the time at which its file was made,
// so that a file of the same name with other content is noticed from the start
// on (rule 9). It comes back as it is where there is no such file.
func Stamp(ctx context.Context, c Config) (position.Position, error) {
	if c.From.File == "" {
		return c.From, nil
	}
	created, err := birth(ctx, c.withDefaults())
	if err != nil && !errors.Is(err, fault.BinlogPurged) {
		return c.From, err
	}
	c.From.Created = created
	return c.From, nil
}

// birth reads when the file of the start position was made: the time of its
// format event, which no SQL statement tells. The server refuses a place beyond
// the file's end.
func birth(ctx context.Context, c Config) (uint32, error) {
	c.From.GTID = nil
	c.onlyWhatIsThere = true
	offset, _ := startOffset(c.From)
	f, err := openFeed(ctx, c, c.From.File, offset)
	if err != nil {
		return 0, err
	}
	defer f.close()
	for {
		raw, err := f.next(ctx, nil)
		if err != nil {
			return 0, err
		}
		h := &replication.EventHeader{}
		if err := h.Decode(raw); err != nil {
			return 0, fault.MalformedEvent.New(object, "the head of %s", c.From.File)
		}
		if h.EventType == replication.FORMAT_DESCRIPTION_EVENT {
			return h.Timestamp, nil
		}
	}
}

// CheckBirth compares the file of c.From with the one of that name now, for a copy
// that reads no stream: a source that was restored while nothing ran, and has
// grown past its old sizes since, looks the same in every statement of SQL.
func CheckBirth(ctx context.Context, c Config) error {
	c = c.withDefaults()
	if c.From.HasGTID() || c.From.File == "" || c.From.Created == 0 {
		return checkBirth(ctx, c, c.Capabilities.Identity())
	}
	created, err := birth(ctx, c)
	if err == nil && created != c.From.Created {
		err = otherFile(c.From)
	}
	return err
}

func otherFile(p position.Position) error {
	return fault.HistoryLost.New(object, "file %s was made at another time than the file of this name before", p.File)
}

// checkBirth compares the file of a position by GTID, as long as the dump comes
// from the server that the position is of: a source restored from a backup gives
// the numbers of lost transactions to new ones, so that no set shows it.
// The nodes of a Galera cluster share an id, but no files.
func checkBirth(ctx context.Context, c Config, identity string) error {
	if !c.From.HasGTID() || c.From.Created == 0 || c.From.Server != identity || c.Capabilities.IsOn("wsrep_on") {
		return nil
	}
	created, err := birth(ctx, c)
	switch {
	case errors.Is(err, fault.BinlogPurged):
		return nil
	case err != nil:
		return err
	case created != c.From.Created:
		return otherFile(c.From)
	default:
		return nil
	}
}
