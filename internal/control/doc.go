// Package control is what a user may do with a task: it validates and seals a
// task file, sends commands as Temporal updates, and reads what a task's page
// shows. web's API and console are written on it.
//
// It never opens a database connection: what only a worker can see is asked by
// an InspectWorkflow, whose answer is sealed for this process. A command that
// no worker answered in time is neither accepted nor refused: Unknown says so,
// with the operation to ask about later.
//
// Start reading at service.go, then command.go and read.go.
package control
