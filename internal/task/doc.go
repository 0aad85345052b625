// Package task holds what a user specifies: the task file, its validation, and
// the Spec that travels through Temporal with its endpoints sealed.
//
// File is the task file and the body of POST /api/v1/tasks, in plain text, in
// the memory of the command line and of web only. Seal turns it into a Spec.
// Names of fields are a contract (interfaces.md): more may be added, nothing
// renamed.
package task
