// Package e2e tests the whole system: the real programs of bin/, an embedded
// Temporal server, real MySQL and MariaDB servers, the DDM simulator. Workers
// are killed and frozen as processes. Run it by make test/e2e, which builds
// bin/ first.
//
// A System is one installation with its own Temporal; a Move is one task on it
// with its source and destination, and what the tests ask of them.
package e2e
