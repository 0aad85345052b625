package fault

// Definitions of servers' and networks' refusals, of either side.
var (
	ServerUnreachable  = Definition{"SL-2001", Retry, "the server cannot be reached", "check address, port and firewall; the worker needs a route to the server"}
	ConnectionLost     = Definition{"SL-2002", Retry, "the connection was lost", "nothing if it does not repeat; otherwise look for a restart, a killed session or a proxy's timeout"}
	AccessDenied       = Definition{"SL-2003", Operator, "access was denied", "check user, password and the privileges that the pre-check names, then resume"}
	TLSFailed          = Definition{"SL-2004", Operator, "no encrypted connection could be made", "check tls.mode and the certificates; a server older than MySQL 5.7.28 needs tls.min_version 1.0 or 1.1 and may need tls.legacy_ciphers"}
	MalformedAnswer    = Definition{"SL-2005", Operator, "the answer is not of the MySQL protocol", "check that address and port belong to a MySQL server or middleware"}
	TooManyConnections = Definition{"SL-2006", Retry, "the server has no connection left", "raise max_connections of the server or of the account, or lower max_connections of the task"}
	ServerBusy         = Definition{"SL-2007", Retry, "the statement was chosen as a victim", "nothing if it does not repeat; otherwise look for long transactions that hold locks"}
	ObjectMissing      = Definition{"SL-2008", Operator, "a schema, table or column does not exist", "create it or take it out of the task, then resume"}
	ValueRefused       = Definition{"SL-2009", Operator, "the server refuses a value", "make the destination's column as wide as the source's, then resume"}
	StatementRefused   = Definition{"SL-2010", Operator, "the server refuses the statement", "report the error number with the server's version"}
	CertificateMissing = Definition{"SL-2015", Operator, "a certificate that the task refers to cannot be used", "put it as NAME.pem into the folder of certificates of every worker (SHARDLIFT_CERTIFICATES), then retry"}
	PacketTooLarge     = Definition{"SL-2011", Operator, "a statement is larger than the server's max_allowed_packet", "raise max_allowed_packet to twice the largest row plus 1 MiB, then resume"}
	ServerReadOnly     = Definition{"SL-2012", Operator, "the server is read-only", "connect to the primary or switch read_only off, then resume"}
	ServerFull         = Definition{"SL-2013", Operator, "the server's disk or table is full", "make room, then resume"}
	ServerError        = Definition{"SL-2014", Retry, "the server reports an error", "look at the error number; the step is repeated"}
)

// Definitions of the source's history and catalogue.
var (
	BinlogPurged       = Definition{"SL-2020", Fatal, "the binlog that is needed next was purged", "reset the task: it copies again from a new start position; raise the binlog retention before"}
	HistoryLost        = Definition{"SL-2021", Fatal, "the source's history does not contain what was already applied", "the source was restored, reset or failed over to a stale replica: connect to the server that has the history, or reset the task"}
	ServerChanged      = Definition{"SL-2022", Fatal, "the source is another server than before", "without GTIDs a binlog position belongs to one server: connect to the same server again, or reset the task"}
	BinlogOff          = Definition{"SL-2023", Operator, "the source writes no binlog", "set log_bin and binlog_format=ROW on the source and restart it, then start the task"}
	XAPrepared         = Definition{"SL-2024", Operator, "XA transactions prepared before the start position wait for their verdict", "end them on the source with XA COMMIT or XA ROLLBACK (XA RECOVER lists them), then start again"}
	StartLockTimeout   = Definition{"SL-2025", Retry, "the tables could not be locked for the instant that the start position needs", "let long transactions on the selected tables end, or grant RELOAD (FLUSH BINARY LOGS needs no table lock)"}
	PositionUnreadable = Definition{"SL-2026", Operator, "the source does not tell its binlog position", "GRANT REPLICATION CLIENT ON *.* TO '<user>'@'%' (MariaDB from 10.5: GRANT BINLOG MONITOR), then resume"}
	TableMissing       = Definition{"SL-2027", Operator, "the table does not exist on the source or is not visible", "correct objects in the task file, or GRANT SELECT on the table"}
	TableUnsupported   = Definition{"SL-2028", Operator, "tables of this kind cannot be migrated", "exclude the table in the task file"}
)
