package fault

// Definitions of what stops the stream of row changes.
var (
	UnknownEvent       = Definition{"SL-2501", Operator, "the binlog holds an event of a type that Shardlift does not know", "report the event's type with the source's version; a newer Shardlift may know it: upgrade the workers, then resume"}
	PartialImage       = Definition{"SL-2502", Fatal, "a row in the binlog is not complete", "SET GLOBAL binlog_row_image=FULL on the source, let sessions that set it themselves reconnect, then reset the task: the missing values are nowhere in the binlog"}
	PartialJSON        = Definition{"SL-2503", Fatal, "a JSON document in the binlog is only a difference to the one before", "SET GLOBAL binlog_row_value_options='' on the source, let sessions that set it themselves reconnect, then reset the task"}
	StatementFormat    = Definition{"SL-2504", Fatal, "a selected table was changed by a statement that the binlog holds instead of rows", "SET GLOBAL binlog_format=ROW on the source, find the session that sets another format, then reset the task"}
	DefinitionMismatch = Definition{"SL-2505", Fatal, "the table in the binlog is not the table of the task", "the table was changed unseen, or the source lost its history: compare SHOW CREATE TABLE on both sides, then reset the task or exclude the table"}
	MalformedEvent     = Definition{"SL-2506", Retry, "an event of the binlog cannot be read", "if it repeats, check the binlog on the source with mysqlbinlog --verify-binlog-checksum; a damaged one needs a reset of the task"}
	EncryptedBinlog    = Definition{"SL-2507", Operator, "the source sends its binlog encrypted", "switch encrypt_binlog off on the source and rotate the binlog, or connect to a replica without it, then reset the task"}
	SourceIncident     = Definition{"SL-2508", Fatal, "the source reports that its binlog lost changes", "look for the incident in the source's error log, then reset the task: what was lost cannot be read again"}
	XATooLarge         = Definition{"SL-2509", Operator, "prepared XA transactions hold more changes than fit into memory", "end them on the source with XA COMMIT or XA ROLLBACK (XA RECOVER lists them), then resume"}
	XAUnknown          = Definition{"SL-2510", Fatal, "an XA transaction was committed whose changes lie before the start position", "reset the task; end prepared XA transactions before it starts"}
	RollbackTooLarge   = Definition{"SL-2511", Fatal, "the binlog takes back more changes than fit into memory", "reset the task; it happens when a transaction mixes temporary tables or tables without transactions with a rollback"}
	AnonymousInGTID    = Definition{"SL-2512", Fatal, "the source writes transactions without GTID, though the task follows GTIDs", "set gtid_mode=ON on the source again, then reset the task"}
	DDLStopped         = Definition{"SL-2513", Operator, "a statement on the source changes selected tables", "make the same change on the destination, then resume past the statement"}
	TableUnplanned     = Definition{"SL-2514", Operator, "rows arrive for a table that is selected but was not there at the start", "exclude the table in the task file, or reset the task to copy it too"}
	ServerIDTaken      = Definition{"SL-2515", Retry, "another client reads the binlog with the same server id", "nothing if it does not repeat; otherwise look for a second task or replica with this server id"}
	BinlogUnreadable   = Definition{"SL-2516", Retry, "the source cannot read its binlog", "look at the source's error log; raise max_allowed_packet of the source if an event is larger"}
	OldBinlog          = Definition{"SL-2517", Operator, "the binlog is of a format from before MySQL 5.1", "use a source of MySQL 5.5 or newer"}
	DefinitionUnknown  = Definition{"SL-2519", Fatal, "the columns of a table between two changes cannot be known", "reset the task, or exclude the table: the source changed it again behind this statement, and the statement alone does not tell its columns; change one thing at a time and resume in between"}
	EventTooLarge      = Definition{"SL-2518", Operator, "an event of the binlog is larger than the worker may hold", "split rows or statements above 1 GiB on the source, then reset the task"}
)
