package precheck

import (
	"shardlift/internal/fault"
)

// Foreseen says of an error that somebody has to end whether the pre-check
// looks for it before the start.
type Foreseen struct {
	// Items are the codes of the items that look for it.
	Items []string
	// Later says how it comes about although no item found it; empty: it does not.
	Later string
	// Elsewhere says where it is answered instead of stopping a task.
	Elsewhere string
}

// Where errors that stop no task are answered.
const (
	ofInput      = "input is refused before there is a task"
	ofCommand    = "a command is refused; the task goes on"
	ofComparison = "a comparison or a report is refused; the task goes on"
	ofProgram    = "a program does not start or does not answer; tasks wait"
	ofShell      = "the command line says so to who called it"
)

// Lookup returns the entry of an error's code; ok is false for an error that is
// repeated by itself, which stops nothing.
func Lookup(code string) (f Foreseen, ok bool) {
	f, ok = foreseen()[code]
	return f, ok
}

// foreseen has an entry for each definition of class Operator or Fatal. The page
// docs/failures.md shows it; tests keep both complete.
func foreseen() map[string]Foreseen {
	out := map[string]Foreseen{}
	for _, family := range []map[fault.Definition]Foreseen{ofServers(), ofHistory(), ofStream(), ofDestination(), ofTables(), ofWork()} {
		for d, f := range family {
			out[d.Code] = f
		}
	}
	for _, answered := range []struct {
		where string
		codes []fault.Definition
	}{
		{ofInput, []fault.Definition{fault.InvalidField, fault.UnknownField, fault.InvalidFile, fault.UnknownKind, fault.NameTaken, fault.KeyReused}},
		{ofCommand, []fault.Definition{
			fault.RefusedInState, fault.UnknownTask, fault.LateRevision, fault.PrecheckMissing, fault.PrecheckBelow, fault.PrecheckExpired,
			fault.PrecheckRunning, fault.NotSynced, fault.PauseMode, fault.StartInPast, fault.RetryTable, fault.FixedField, fault.UnknownItem,
			fault.NotAnAlarm, fault.NoSyncPoint, fault.TaskStillOpen, fault.UnknownCommand, fault.NotConfigured, fault.UnknownCheck,
			fault.NotSkippable, fault.UnknownOperation, fault.NoSuchPath, fault.Unreadable, fault.Unauthorized, fault.AnswerUnreadable,
			fault.GroupsOpen, fault.AlreadySelected, fault.AddRefused, fault.AddInterrupted, fault.TooManyGroups,
		}},
		{ofComparison, []fault.Definition{
			fault.NothingToCompare, fault.ComparisonRunning, fault.ComparisonType, fault.TablesApart, fault.UnknownComparison, fault.ReportMissing, fault.NoMetadata,
		}},
		{ofProgram, []fault.Definition{
			fault.InvalidSetting, fault.DataDirectory, fault.TokenFile, fault.TemporalSettings, fault.TemporalRefused, fault.NamespaceMissing,
			fault.AttributesMissing, fault.KeysMissing,
		}},
		{ofShell, []fault.Definition{
			fault.Usage, fault.NeedsConsent, fault.Declined, fault.StrangeAnswer, fault.Interrupted, fault.FileExists, fault.FileUnusable,
			fault.TestFailed, fault.Differs, fault.StopShort, fault.NotWell, fault.EndedBefore, fault.TaskFailed,
		}},
	} {
		for _, d := range answered.codes {
			out[d.Code] = Foreseen{Elsewhere: answered.where}
		}
	}
	return out
}

// ofServers: what either server refuses.
func ofServers() map[fault.Definition]Foreseen {
	return map[fault.Definition]Foreseen{
		fault.AccessDenied: {
			Items: []string{codeSource, codeDestination, "srcDbPrivilegesIsEnough", "srcDbPrivilegesIsEnoughForIncre", "dstDbPrivilegesIsEnough"},
			Later: "a password or a grant is changed while the task runs",
		},
		fault.TLSFailed: {
			Items: []string{codeSource, codeDestination, "isUserRequireSslLink", "dstSslConnection"},
			Later: "a certificate expires or is changed",
		},
		fault.MalformedAnswer:    {Items: []string{codeSource, codeDestination}, Later: "another program answers at the address"},
		fault.CertificateMissing: {Items: []string{codeSource, codeDestination}, Later: "a worker is started without the folder of certificates"},
		fault.ObjectMissing: {
			Items: []string{"userSelectObjectsCheck", "dstSchemaExists", "dstTableExists", "dbTableStructureConsistency"},
			Later: "a table or a column is dropped",
		},
		fault.ValueRefused: {
			Items: []string{"dbTableStructureConsistency", "dbCharacterSetConsistency", "srcDateRange", "srcTimeRange", "srcEnumErrorValue", "srcUnrepresentableValues", "srcJsonValueTypes", "srcTableColumnTypes"},
			Later: "a value is written that the destination refuses; of large tables the items read the first and the newest rows",
		},
		fault.StatementRefused: {
			Items: []string{"dstContainsShardKey", "dstStatusCheck", "dstTriggerCheck", "dstVitessRouting"},
			Later: "the server answers with a number that nobody has met yet, or a rule of its own (a blacklist of statements) is switched on",
		},
		fault.PacketTooLarge: {
			Items: []string{"dstMaxAllowedPacketCheck", "MysqlSourceMaxAllowedPacketActionChecker", "srcHasLargeColumnTypeCheck"},
			Later: "a larger row is written",
		},
		fault.ServerReadOnly:  {Items: []string{"dstStatusCheck", "dstDataNodeStatus"}, Later: "the server fails over or is switched to read-only"},
		fault.ServerFull:      {Items: []string{"dstDbDiskSize"}, Later: "something else fills the disk"},
		fault.SessionVariable: {Items: []string{codeDestination, "dstDbVersionSupport"}, Later: "the destination is upgraded or its account loses the right"},
	}
}

// ofHistory: the source's binlog as a whole, and its catalogue.
func ofHistory() map[fault.Definition]Foreseen {
	return map[fault.Definition]Foreseen{
		fault.BinlogPurged: {
			Items: []string{"srcDbBinlogExpireLogsDays", "srcBinlogPurgeHorizon"},
			Later: "somebody purges by hand, or a pause outlasts the retention (the alarm `purge` comes before)",
		},
		fault.HistoryLost:   {Later: "the source is restored, reset, or fails over to a replica that lacks what was read"},
		fault.ServerChanged: {Items: []string{"srcGtidStatusCheck"}, Later: "the source's address leads to another server"},
		fault.BinlogOff:     {Items: []string{"srcDbBinlogIsOff"}, Later: "the source is restarted without binlog"},
		fault.XAPrepared:    {Items: []string{"srcXaPreparedCheck"}, Later: "an XA transaction is prepared between the pre-check and the start"},
		fault.PositionUnreadable: {
			Items: []string{"srcDbPrivilegesIsEnoughForIncre", "gtidFormatCheck", "srcBinlogDump"},
			Later: "the right to read it is taken away",
		},
		fault.TableMissing: {Items: []string{"userSelectObjectsCheck"}, Later: "the table is dropped"},
		fault.TableUnsupported: {
			Items: []string{"srcDbExistUnsupportEngineTable", "srcHasNoPkTable", "userSelectObjectsCheck"},
			Later: "the table is changed between the pre-check and the start",
		},
		fault.NothingToMove: {Items: []string{"userSelectObjectsCheck", "dstTableExists"}, Later: "the tables are dropped between the pre-check and the start"},
	}
}

// ofStream: events of the binlog. What a session or a statement does shows only
// when it is done.
func ofStream() map[fault.Definition]Foreseen {
	return map[fault.Definition]Foreseen{
		fault.UnknownEvent:       {Items: []string{"srcDbVersionSupport"}, Later: "the source is upgraded, or a plugin writes events of its own"},
		fault.PartialImage:       {Items: []string{"srcBinlogRowImageCheck"}, Later: "a session sets binlog_row_image for itself, or was open before it was set"},
		fault.PartialJSON:        {Items: []string{"srcBinlogRowValueOptions"}, Later: "a session sets binlog_row_value_options for itself"},
		fault.StatementFormat:    {Items: []string{"srcBinlogFormatCheck"}, Later: "a session sets binlog_format for itself, or was open before it was set"},
		fault.DefinitionMismatch: {Later: "the table was changed in a way that the binlog does not tell (sql_log_bin=0)"},
		fault.EncryptedBinlog:    {Items: []string{"srcBinlogDump"}, Later: "encryption is switched on and the server does not decrypt for its replicas"},
		fault.SourceIncident:     {Later: "the source reports an incident"},
		fault.XATooLarge:         {Later: "XA transactions grow too large"},
		fault.XAUnknown:          {Items: []string{"srcXaPreparedCheck"}, Later: "an XA transaction is prepared between the pre-check and the start"},
		fault.RollbackTooLarge:   {Later: "a transaction takes back too many changes of tables without transactions"},
		fault.AnonymousInGTID:    {Later: "gtid_mode is lowered while the task runs"},
		fault.DDLStopped:         {Later: "a statement changes a selected table, and policy.ddl is stop"},
		fault.TableUnplanned:     {Later: "a table is created that the task selects"},
		fault.OldBinlog:          {Items: []string{"srcDbVersionSupport"}},
		fault.DefinitionUnknown:  {Later: "a table is changed twice before the task has read of the first change"},
		fault.EventTooLarge:      {Later: "a row or a statement above 1 GiB is written"},
		fault.VirtualUnlogged: {
			Items: []string{"dbGeneratedColumnConsistency"},
			Later: "a column is changed on one side while the task runs",
		},
	}
}

// ofDestination: the metadata, fences and sequences.
func ofDestination() map[fault.Definition]Foreseen {
	const somebody = "somebody changes the shardlift_ tables or restores the destination"
	return map[fault.Definition]Foreseen{
		fault.DestinationTable: {Items: []string{"dstTableExists"}, Later: "the table is dropped on the destination"},
		fault.UnreadableDefinition: {
			Items: []string{"dstTableExists", "dbTableStructureConsistency", "dstShardingKeyInPrimaryKey"},
			Later: "the destination is upgraded",
		},
		fault.MetadataSchema:         {Items: []string{"dstSchemaExists"}, Later: "the schema is dropped"},
		fault.MetadataRights:         {Items: []string{"dstDbPrivilegesIsEnough", "dstStatusCheck"}, Later: "a grant is taken away"},
		fault.MetadataNewer:          {Later: "an older worker takes over a newer one's task"},
		fault.MetadataDamaged:        {Later: somebody},
		fault.VSchemaRights:          {Items: []string{"dstVitessRouting", "dstDbPrivilegesIsEnough"}, Later: "the right to change vschemas is taken away"},
		fault.CheckpointBackward:     {Later: somebody},
		fault.FenceUnconfirmed:       {Later: "a worker died on a destination that passes neither KILL nor row locks"},
		fault.LostCopy:               {Items: []string{"dstDataNodeStatus"}, Later: "a data node comes back from an older state"},
		fault.SequenceUnreadable:     {Items: []string{"dstDbVersionSupport", "dstAutoIncrement"}, Later: "the destination is upgraded"},
		fault.SequenceSpaceExhausted: {Items: []string{"dstAutoIncrement"}, Later: "ids grow up to the end of their type while the task runs"},
	}
}

// ofTables: tables that do not fit each other.
func ofTables() map[fault.Definition]Foreseen {
	const altered = "the table is changed on one side"
	fit := []string{"dbTableStructureConsistency"}
	return map[fault.Definition]Foreseen{
		fault.ColumnMissing:    {Items: fit, Later: altered},
		fault.ColumnMismatch:   {Items: fit, Later: altered},
		fault.ColumnNeedsValue: {Items: fit, Later: altered},
		fault.NoPrimaryKey:     {Items: []string{"srcHasNoPkTable", "dbTableStructureConsistency"}, Later: altered},
		fault.KeyMismatch:      {Items: []string{"dbTableStructureConsistency", "dstShardingKeyInPrimaryKey"}, Later: altered},
		fault.LabelMissing:     {Items: fit, Later: altered},
		fault.ShardKeyMissing:  {Items: fit, Later: altered},
	}
}

// ofWork: the steps themselves.
func ofWork() map[fault.Definition]Foreseen {
	return map[fault.Definition]Foreseen{
		fault.TableChanged:  {Later: "a statement changes the table during the copy"},
		fault.AddedNotEmpty: {Items: []string{"checkEmptyDstDb"}, Later: "rows are written to a table between its check and its copy"},
		fault.MergeEarly:    {Later: "tables come back before the task has passed what they have"},
		fault.SourceWritten: {Later: "the source is written during a full-only copy"},
		fault.Divergence:    {Items: []string{"checkEmptyDstDb", "dstUsedByOtherTask", "dstTriggerCheck"}, Later: "somebody else writes to the destination"},
		fault.StepFailed:    {Later: "a defect of Shardlift, or a worker that ended in the midst of a step"},
		fault.StepTimedOut:  {Later: "no worker takes or ends the step"},
		fault.KeyMissing:    {Later: "a worker is started with another key ring"},
		fault.EndedOutside:  {Later: "the task's workflow is ended in Temporal"},
	}
}
