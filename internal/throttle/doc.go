// Package throttle limits how fast rows are moved: rows and bytes a second as
// the user sets them, by time of day, changeable while running; a pause while a
// load function says that the source is too busy; rests while the destination
// answers slowly. Reason tells why the present rate is what it is.
//
// It knows no database: the load function is passed in. Callers own how often
// limits are read again (the control row, every 2 s), which is also when a time
// window begins or ends, and in how many parts the limits are shared.
package throttle
