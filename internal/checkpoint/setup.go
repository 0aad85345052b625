package checkpoint

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"shardlift/internal/destination"
	"shardlift/internal/dialect"
	"shardlift/internal/fault"
	"shardlift/internal/mysqlconn"
)

// Error numbers that setup understands.
const (
	errUnknownSchema = 1049
	errTableExists   = 1050
	errNoTable       = 1146
)

// ensure makes what is missing and notes the task.
func (s *Store) ensure(ctx context.Context) error {
	found, err := s.version(ctx)
	if err != nil {
		return err
	}
	if found == 0 {
		err = s.create(ctx)
	} else {
		err = s.migrate(ctx, found)
	}
	if err != nil {
		return err
	}
	// Looked for first: an INSERT would wait for an attempt that was frozen while it
	// took an epoch, and only whoever has opened the metadata can end that one.
	if _, err := s.Epoch(ctx); !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	_, err = s.exec(ctx, fmt.Sprintf("INSERT INTO %s (task, epoch, counter) VALUES (%s, 0, 1)", s.t(tableTask), s.task))
	if mysqlconn.IsDuplicateKey(err) {
		return nil
	}
	return err
}

// version reads the version of the tables, 0 when there are none.
func (s *Store) version(ctx context.Context) (int, error) {
	var data []byte
	err := s.one(ctx, "SELECT body FROM "+s.t(tableMeta)+" WHERE name = 'version'", &data)
	switch n := mysqlconn.Number(err); {
	case errors.Is(err, sql.ErrNoRows), n == errNoTable, n == errUnknownSchema:
		return 0, nil
	case err != nil:
		return 0, err
	}
	var found int
	if err := read(data, &found, prefix+tableMeta); err != nil {
		return 0, err
	}
	if found > version {
		return 0, fault.MetadataNewer.New(s.schema, "version %d, this program knows %d", found, version)
	}
	return found, nil
}

// create makes all tables, then the version row. Processes that start at once
// may both do it.
func (s *Store) create(ctx context.Context) error {
	if err := s.ensureSchema(ctx); err != nil {
		return err
	}
	sharded, err := s.d.IsSharded(ctx, s.schema)
	if err != nil {
		return err
	}
	if sharded {
		return fault.MetadataSchema.New(s.schema, "it is a sharded keyspace").
			WithRemedy("set destination.metadata_schema to an unsharded keyspace")
	}
	statements := []string{destination.ScratchDDL}
	for _, d := range definitions() {
		statements = append(statements, d.statement())
	}
	for _, statement := range statements {
		if err := s.createTable(ctx, s.schema, statement); err != nil {
			return err
		}
	}
	return s.setVersion(ctx)
}

func (s *Store) setVersion(ctx context.Context) error {
	value, err := body(version)
	if err != nil {
		return err
	}
	return s.put(ctx, tableMeta, "name = 'version'", "body = "+string(value), "name, body", "'version', "+string(value))
}

// migrate adds what tables of an older version lack. It may be repeated, and
// done by several processes at once.
func (s *Store) migrate(ctx context.Context, found int) error {
	if found == version {
		return nil
	}
	for _, d := range definitions() {
		if d.name != tableGroup { // version 1 has all the others
			continue
		}
		if err := s.createTable(ctx, s.schema, d.statement()); err != nil {
			return err
		}
	}
	return s.setVersion(ctx)
}

func (s *Store) createTable(ctx context.Context, schema, statement string) error {
	err := s.d.Define(ctx, schema, statement)
	switch {
	case mysqlconn.Number(err) == errTableExists:
		return nil
	case mysqlconn.IsAccessDenied(err):
		return fault.MetadataRights.Wrap(err, schema)
	default:
		return err
	}
}

// ensureSchema makes the metadata schema where SQL can; DDM's schemas are made
// in its console.
func (s *Store) ensureSchema(ctx context.Context) error {
	schemas, err := s.d.Schemas(ctx)
	if err != nil {
		return err
	}
	if slices.Contains(schemas, s.schema) {
		return nil
	}
	kind := s.d.Info().Kind
	if kind == dialect.MySQL || kind == dialect.MariaDB || kind == dialect.TiDB {
		_, err = s.exec(ctx, "CREATE DATABASE IF NOT EXISTS "+dialect.QuoteName(s.schema)+" DEFAULT CHARACTER SET utf8mb4")
		if err == nil {
			return nil
		}
	}
	return fault.MetadataSchema.Wrap(err, s.schema).WithRemedy("CREATE DATABASE %s (on DDM in its console), or set destination.metadata_schema to a schema that exists", dialect.QuoteName(s.schema))
}

// effectsAge is how long found effects are believed.
const effectsAge = 24 * time.Hour

type knownEffects struct {
	Kind    dialect.Kind        `json:"kind"`
	Version string              `json:"version"`
	At      time.Time           `json:"at"`
	Effects destination.Effects `json:"effects"`
}

// ensureEffects takes the effects over that an earlier Open found on the same
// product and version less than a day ago, or probes them.
func (s *Store) ensureEffects(ctx context.Context) error {
	info := s.d.Info()
	var data []byte
	err := s.one(ctx, "SELECT body FROM "+s.t(tableMeta)+" WHERE name = 'effects'", &data)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if err == nil {
		var known knownEffects
		if err := read(data, &known, prefix+tableMeta); err != nil {
			return err
		}
		if known.Kind == info.Kind && known.Version == info.Version && time.Since(known.At) < effectsAge {
			s.d.SetEffects(known.Effects)
			return nil
		}
	}
	found, err := s.d.ProbeEffects(ctx, s.schema)
	if err != nil {
		return err
	}
	value, err := body(knownEffects{info.Kind, info.Version, time.Now().UTC(), found})
	if err != nil {
		return err
	}
	return s.put(ctx, tableMeta, "name = 'effects'", "body = "+string(value), "name, body", "'effects', "+string(value))
}

// Epoch returns the current epoch, 0 before the first NewEpoch.
func (s *Store) Epoch(ctx context.Context) (int64, error) {
	var epoch int64
	err := s.one(ctx, fmt.Sprintf("SELECT epoch FROM %s WHERE task = %s", s.t(tableTask), s.task), &epoch)
	if err != nil {
		return 0, fmt.Errorf("read the epoch of task %s: %w", s.taskID, err)
	}
	return epoch, nil
}

// NewEpoch issues the next epoch: every attempt of an older one is outranked.
func (s *Store) NewEpoch(ctx context.Context) (int64, error) {
	for {
		epoch, err := s.Epoch(ctx)
		if err != nil {
			return 0, err
		}
		n, err := s.exec(ctx, fmt.Sprintf("UPDATE %s SET epoch = %d, counter = counter + 1 WHERE task = %s AND epoch = %d", s.t(tableTask), epoch+1, s.task, epoch))
		if err != nil {
			return 0, fmt.Errorf("issue an epoch of task %s: %w", s.taskID, err)
		}
		if n == 1 {
			return epoch + 1, nil
		}
	}
}
