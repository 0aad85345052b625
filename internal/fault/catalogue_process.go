package fault

// Definitions of what keeps a program from working: settings, files, Temporal.
var (
	InvalidSetting    = Definition{"SL-8101", Operator, "invalid setting", "see --help of the program"}
	DataDirectory     = Definition{"SL-8102", Operator, "the data directory cannot be used", "make it, or name another with --data or SHARDLIFT_DATA"}
	TokenFile         = Definition{"SL-8103", Operator, "the API token cannot be read", "web makes the token at its first start; name its file with --token-file or SHARDLIFT_TOKEN_FILE"}
	TemporalSettings  = Definition{"SL-8104", Operator, "the settings of the Temporal client are wrong", "see the TEMPORAL_* variables and the file that TEMPORAL_CONFIG_FILE names"}
	TemporalRefused   = Definition{"SL-8105", Operator, "Temporal refuses this client", "see TEMPORAL_API_KEY, the TEMPORAL_TLS_* files and the rights of the account"}
	NamespaceMissing  = Definition{"SL-8106", Operator, "Temporal has no such namespace", "temporal operator namespace create --namespace shardlift --retention 365d"}
	AttributesMissing = Definition{"SL-8107", Operator, "search attributes are missing and may not be created by this client", "create them as an administrator of the namespace"}
	Panicked          = Definition{"SL-8108", Retry, "a step ended by a defect of the program", "nothing: the step is repeated; report the defect with the worker's log"}
)
