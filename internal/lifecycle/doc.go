// Package lifecycle is the table of a task's statuses, phases and actions:
// which action is allowed in which status, and why not elsewhere. Workflow
// validators, the API's available_actions and the documentation all read it.
//
// Statuses are exactly the API codes of DRS (reference: drs.md 3.1), labels the
// words of its console.
package lifecycle
