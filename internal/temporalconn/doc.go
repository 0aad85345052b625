// Package temporalconn connects to Temporal: client options, waiting for the
// server, search attributes, and what an activity's error becomes.
//
// LoadOptions reads the TEMPORAL_* variables (or the CLI's file). A worker
// calls Dial, which waits for the server, then EnsureAttributes; web calls Lazy
// and Ready, so that it starts while Temporal is away and can say why. The
// caller closes the client.
//
// NewInterceptor goes into worker.Options: the one place where the class of a
// fault.Error decides about retries, where errors are clipped to what Temporal
// keeps while it retries, and where secrets are taken out. Activities return
// ordinary errors.
package temporalconn
