// Package config holds the settings of the programs: each has a flag, an
// environment variable, a default and a line of help, and a flag beats the
// environment, the environment beats the settings file, the file beats the
// default.
//
// Worker, Web and CommandLine are the settings of the three programs; their
// Read functions answer --help and refuse what makes no sense, with the name of
// the flag and of the variable. Set is the small machinery under them.
//
// OpenToken makes the API token at the first start of web. Temporal's own
// settings (TEMPORAL_ADDRESS and the like) are read by internal/temporalconn.
//
// Start reading at programs.go.
package config
