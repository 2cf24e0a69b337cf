// Package openapi holds the description of signet's HTTP API, an OpenAPI 3.1 document. It is written by hand; the tests of package handlers hold every
// answer against it, and its list of paths against the route table.
package openapi

import _ "embed"

// Document is the JSON text. It must not be changed.
//
//go:embed openapi.json
var Document []byte
