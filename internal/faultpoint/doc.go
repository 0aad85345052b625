// Package faultpoint names the places where the engine does I/O, so that tests
// can break it there: kill the process, lose the connection before or after a
// statement, leave a statement running on the server, delay, or freeze.
//
// A site is one call of Around with a name of its own, "<package>.<operation>":
//
//	err := faultpoint.Around(ctx, "session.commit", func(ctx context.Context) error { … })
//
// Without the build tag faultpoint, Around is f(ctx) and nothing else. With it,
// a hook in the context (With) is told "<name>.before" and "<name>.after" and
// decides. There is no global state: tests that run side by side, or several
// attempts in one process, have a hook each.
//
// What a hook does is the business of its test (package soak). A test there reads
// all names from the sources and fails when its workload does not reach one.
package faultpoint
