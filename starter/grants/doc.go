// Package grants writes the statements that create a task's accounts with the
// least rights (drs.md 1.7). It opens nothing: For takes a task file and gives
// text. No password stands in it: its place is <password>.
package grants
