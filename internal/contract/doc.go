// Package contract is where workflows, activities, control and web meet: the
// names of workflows, activities, updates, queries, queues and search
// attributes with the structs they carry. All structs are JSON-stable: fields
// are added, never renamed.
//
// Activity[In, Out] ties a name to its types, so that caller and
// implementation cannot disagree. No struct holds a host, a user, a password or
// a row value; what must travel is sealed (package secret).
package contract
