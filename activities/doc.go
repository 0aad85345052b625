// Package activities does the steps of a task: one thin method per
// contract.Activity. Each resolves its task, opens the connections it needs,
// calls the engine in internal/, heartbeats, and returns; errors go back as they
// are, and temporalconn's interceptor decides what Temporal makes of them.
//
// Activities holds what all of them share: the Temporal client, the key ring,
// the resolver (resolver.go: task and revision to endpoints) and the redactor.
// step.go is the life of a long step: heartbeats tied to progress, draining
// when the task is paused or the worker stops.
//
// Nothing outlives an activity but the resolver's cache. Start reading at
// activities.go.
package activities
