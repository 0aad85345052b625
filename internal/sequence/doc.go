// Package sequence makes sure, at the end of a task, that the next id a
// destination gives is not in use: rule 13. DDM's sequences fill the
// auto-increment columns of sharded and broadcast tables; unsharded tables and
// plain servers count by themselves. Nothing is ever lowered.
package sequence
