// Package auth decides who may use the HTTP API and the pages: the API takes
// the bearer token, pages ask for it once and keep a signed cookie. Health and
// metrics answer without it on loopback only.
package auth
