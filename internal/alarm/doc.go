// Package alarm tells people that a task needs them: as JSON to a webhook, as
// text by mail.
//
// It owns both transports and their errors. Callers own when an alarm begins and
// ends, and repeat what failed: Send may have reached one of two transports, so
// a receiver sees an alarm at least once and knows it by task, kind and time.
// An alarm holds no row value, password, host or user of a database.
package alarm
