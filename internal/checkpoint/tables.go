package checkpoint

// version is the version of all tables in a metadata schema. A Store of an
// older program refuses a newer one; migrate brings older ones here.
const version = 2

// Names of the tables, without the prefix.
const (
	tableMeta       = "meta"
	tableTask       = "task"
	tableTable      = "table"
	tablePlan       = "plan"
	tableChunk      = "chunk"
	tableOwner      = "owner"
	tableConnection = "connection"
	tableCheckpoint = "checkpoint"
	tableGroup      = "group" // since version 2
	tableDefinition = "definition"
	tableControl    = "control"
	tableComparison = "comparison"
	tableCompared   = "compared"
	tableDifference = "difference"
	tableLog        = "log"
	tableReport     = "report"
	tableDivergence = "divergence"
	tableFence      = "fence" // in every destination schema
	tableMark       = "mark"  // in every destination schema
	// in destination schemas with broadcast tables
	tableBroadcast = "broadcast"
)

// prefix starts the name of every table (selection.MetadataPrefix).
const prefix = "shardlift_"

// Types of the columns that occur again and again.
const (
	id      = "VARCHAR(64) NOT NULL"
	counter = ", counter BIGINT NOT NULL DEFAULT 0"
)

const options = " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"

// definition is a table's column list. Tables of a task begin with its id.
type definition struct {
	name    string
	columns string
}

func definitions() []definition {
	return []definition{
		{tableTask, "task " + id + ", epoch BIGINT NOT NULL" + counter + ", PRIMARY KEY (task)"},
		{tableTable, "task " + id + ", no BIGINT NOT NULL, names MEDIUMBLOB NOT NULL, rows_estimated BIGINT NOT NULL, bytes_estimated BIGINT NOT NULL, " +
			"planned BIGINT NOT NULL, started BIGINT NOT NULL, chunks BIGINT NOT NULL, chunks_done BIGINT NOT NULL, " +
			"rows_done BIGINT NOT NULL, bytes_done BIGINT NOT NULL" + counter + ", PRIMARY KEY (task, no)"},
		{tablePlan, "task " + id + ", no BIGINT NOT NULL, body MEDIUMBLOB NOT NULL" + counter + ", PRIMARY KEY (task, no)"},
		{tableChunk, "task " + id + ", no BIGINT NOT NULL, tbl BIGINT NOT NULL, bounds MEDIUMBLOB NOT NULL, state BIGINT NOT NULL, lane BIGINT NOT NULL, " +
			"unit " + id + ", token " + id + ", attempted BIGINT NOT NULL, low MEDIUMBLOB NOT NULL, rows_done BIGINT NOT NULL, bytes_done BIGINT NOT NULL" + counter +
			", PRIMARY KEY (task, no), KEY by_state (task, state, no), KEY by_table (task, tbl, no)"},
		{tableOwner, "task " + id + ", unit " + id + ", token " + id + ", state " + id + counter + ", PRIMARY KEY (task, unit)"},
		{tableConnection, "task " + id + ", unit " + id + ", id VARCHAR(128) NOT NULL, token " + id + counter + ", PRIMARY KEY (task, unit, id)"},
		{tableCheckpoint, "task " + id + ", grp BIGINT NOT NULL, token " + id + ", body MEDIUMBLOB NOT NULL" + counter + ", PRIMARY KEY (task, grp)"},
		{tableGroup, "task " + id + ", no BIGINT NOT NULL, body MEDIUMBLOB NOT NULL" + counter + ", PRIMARY KEY (task, no)"},
		{tableDefinition, "no BIGINT NOT NULL AUTO_INCREMENT, task " + id + ", id " + id + ", body MEDIUMBLOB NOT NULL" + counter + ", PRIMARY KEY (no), UNIQUE KEY by_task (task, id)"},
		{tableControl, "task " + id + ", body MEDIUMBLOB NOT NULL" + counter + ", PRIMARY KEY (task)"},
		{tableComparison, "task " + id + ", id " + id + ", body MEDIUMBLOB NOT NULL, created BIGINT NOT NULL" + counter + ", PRIMARY KEY (task, id)"},
		{tableCompared, "task " + id + ", id " + id + ", no BIGINT NOT NULL, body MEDIUMBLOB NOT NULL, result " + id + ", done BIGINT NOT NULL" + counter + ", PRIMARY KEY (task, id, no)"},
		{tableDifference, "task " + id + ", id " + id + ", tbl BIGINT NOT NULL, no BIGINT NOT NULL, body MEDIUMBLOB NOT NULL" + counter + ", PRIMARY KEY (task, id, tbl, no)"},
		{tableLog, "no BIGINT NOT NULL AUTO_INCREMENT, task " + id + ", at BIGINT NOT NULL, level VARCHAR(8) NOT NULL, message MEDIUMBLOB NOT NULL" + counter +
			", PRIMARY KEY (no), KEY by_task (task, no)"},
		{tableReport, "task " + id + ", body MEDIUMBLOB NOT NULL" + counter + ", PRIMARY KEY (task)"},
		{tableDivergence, "task " + id + ", id " + id + ", grp BIGINT NOT NULL, body MEDIUMBLOB NOT NULL, at BIGINT NOT NULL" + counter + ", PRIMARY KEY (task, id)"},
		// Last: its row says that all the others are there.
		{tableMeta, "name " + id + ", body MEDIUMBLOB NOT NULL" + counter + ", PRIMARY KEY (name)"},
	}
}

// ofTask are the tables whose rows Drop removes, besides task's own.
func ofTask() []string {
	return []string{
		tableTable, tablePlan, tableChunk, tableOwner, tableConnection, tableCheckpoint, tableGroup, tableDefinition, tableControl,
		tableComparison, tableCompared, tableDifference, tableLog, tableReport, tableDivergence,
	}
}

// ofProgress are the tables that Reset empties: what the next epoch makes anew.
func ofProgress() []string {
	return []string{
		tableTable, tablePlan, tableChunk, tableCheckpoint, tableGroup, tableDefinition,
		tableComparison, tableCompared, tableDifference, tableReport, tableDivergence,
	}
}

func (d definition) statement() string {
	return "CREATE TABLE " + prefix + d.name + " (" + d.columns + ")" + options
}

// fenceStatement creates the fence table of a destination schema.
func fenceStatement(sharded bool) string {
	s := "CREATE TABLE " + prefix + tableFence + " (task " + id + ", unit " + id + ", shard BIGINT NOT NULL, slot BIGINT NOT NULL, token " + id + counter +
		", PRIMARY KEY (task, unit, shard, slot))" + options
	if sharded {
		s += " DBPARTITION BY MOD_HASH(shard)"
	}
	return s
}
