// Command shardlift-dev is everything of Shardlift on one machine: a Temporal
// server with its Web UI in this process, and the worker and the web server as
// its children.
//
// It stands in a module of its own because Temporal's server brings some two
// hundred requirements, which the engine must not have. It imports nothing of
// the root module.
//
// server.go builds and starts Temporal over one SQLite file, ui.go the Web UI,
// ready.go waits until a client can work, children.go runs and supervises the
// two programs found beside this binary, settings.go reads flags and
// environment. Start reading at run in main.go.
//
// The embedded server is for one machine: no clustering, no authentication,
// nothing bound beyond loopback. TEMPORAL_ADDRESS names another server to use
// instead.
package main
