// Command shardlift is the command line of Shardlift. It speaks only the HTTP
// API, through the client that is generated from web/api/openapi.yaml: it opens
// no database and knows nothing of Temporal.
//
// Each command has a file named after it. app (app.go) is one run of the
// program: streams, flags, the lazily made client. client.go repeats what is
// safe to repeat, exit.go turns an error into text and an exit status: nowhere
// else is an exit status decided. taskfile.go reads a task file with the
// passwords and certificates that it names.
//
// With -o json standard output holds JSON and nothing else; prompts, notes and
// errors go to standard error.
package main
