// Package api is the HTTP API as openapi.yaml describes it: the types, the
// client that the command line uses and the strict server that web implements
// are generated from that document, which is served at /openapi.yaml.
//
// Change the document first, then run make generate.
package api

import _ "embed"

//go:generate oapi-codegen -config oapi-codegen.yaml openapi.yaml

// Document is openapi.yaml.
//
//go:embed openapi.yaml
var Document []byte
