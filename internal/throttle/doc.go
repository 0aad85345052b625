// Package throttle limits how fast rows are moved: rows and bytes a second as
// the user sets them, changeable while running, and a pause while a load
// function says that a server is too busy. Reason tells why the present rate is
// what it is.
//
// It knows no database: the load function is passed in. Callers own how often
// limits are read again (the control row, every 2 s).
package throttle
