package fault

// Definitions of the destination and of the metadata in it.
var (
	UnknownKind            = Definition{"SL-3001", Operator, "no such kind of destination", "set destination.kind to auto, ddm, dble, vitess, shardingsphere, tidb, mysql or mariadb"}
	SessionVariable        = Definition{"SL-3002", Operator, "the destination does not take a session variable that correctness needs", "allow the destination account to set it, or set it as the server's default, then resume"}
	DestinationTable       = Definition{"SL-3003", Operator, "the table does not exist on the destination", "create it there, or rename or exclude it in the task file, then run the pre-check again"}
	UnreadableDefinition   = Definition{"SL-3004", Operator, "the destination describes the table in a form that is not understood", "report the product's version with the output of SHOW FULL COLUMNS, SHOW KEYS and SHOW RULE"}
	MetadataSchema         = Definition{"SL-3010", Operator, "the metadata schema does not exist on the destination", "create the schema, or set destination.metadata_schema to one that exists"}
	MetadataRights         = Definition{"SL-3011", Operator, "the metadata tables cannot be created or used", "grant CREATE, DROP, SELECT, INSERT, UPDATE, DELETE on the metadata schema and on every destination schema to the destination account"}
	MetadataNewer          = Definition{"SL-3012", Operator, "the metadata tables belong to a newer Shardlift", "use workers of the newer version"}
	MetadataDamaged        = Definition{"SL-3013", Fatal, "a row of the metadata cannot be read", "somebody changed the shardlift_ tables: reset the task"}
	VSchemaRights          = Definition{"SL-3015", Operator, "the keyspace's vschema does not route Shardlift's own tables", "let the account change vschemas (vtgate's --vschema-ddl-authorized-users), or change the vschema by hand"}
	CheckpointBackward     = Definition{"SL-3014", Fatal, "the checkpoint would move backward", "somebody changed the shardlift_ tables, or the source's history changed: reset the task"}
	FenceHeld              = Definition{"SL-3020", Retry, "an older attempt still holds an open transaction on the destination", "nothing: the step is repeated; if it lasts, end the connections of the stopped or frozen worker on the destination"}
	FenceUnconfirmed       = Definition{"SL-3021", Operator, "the destination passes neither KILL nor row locks, so an older writer cannot be shut out", "make sure that no older worker of this task runs, then `shardlift resume TASK --fence-confirmed`"}
	ConnectionStays        = Definition{"SL-3022", Retry, "a connection of an older attempt does not end", "nothing: the step is repeated; if it lasts, kill the connection on the destination"}
	LostCommits            = Definition{"SL-3023", Retry, "a data node has lost writes that it had committed", "nothing: the changes are applied again from the oldest mark that is left; find out why the node came back behind (a fail-over to a replica that lagged, a restored snapshot)"}
	LostCopy               = Definition{"SL-3024", Operator, "a data node has lost rows that were copied before", "the node came back from an older state than the copy's end: reset the task, which copies again"}
	SequenceUnreadable     = Definition{"SL-3030", Operator, "the destination does not tell its sequences", "set the start value by hand: ALTER SEQUENCE <schema>.<table> START WITH <largest key + 1>"}
	SequenceBehind         = Definition{"SL-3031", Retry, "a sequence is still below its table's largest key", "nothing: the step is repeated; by hand: ALTER SEQUENCE <schema>.<table> START WITH <largest key + 1>"}
	SequenceSpaceExhausted = Definition{"SL-3032", Operator, "the next value does not fit into the auto-increment column", "make the column BIGINT (UNSIGNED) on the destination"}
)
