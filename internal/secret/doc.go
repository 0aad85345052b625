// Package secret seals values with HPKE so that anyone may seal with a public
// key and only the holder of the key ring opens them: web and the command line
// seal endpoints, workers open them; workers seal answers for the web process
// that asked, web opens those.
//
// A Sealed value is bound to its use (task and field) and to its key: moved to
// another task or field it does not open. Text is a secret in memory that no
// formatting, JSON or log prints.
package secret
