// Package telemetry sets up logs and metrics of a program.
//
// NewLogger returns the one zerolog logger of a process; Slog gives the same
// logger to libraries that speak slog (the Temporal SDK, go-mysql). Metrics
// turns the SDK's and our own measurements into Prometheus' text format.
//
// Callers pass loggers down; nothing here is global. Keys are those of the
// glossary: task_id, phase, table, chunk, position. A log line never holds a
// row value, a password, a host or a user of a database.
package telemetry
