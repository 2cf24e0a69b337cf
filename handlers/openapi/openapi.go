// Package openapi holds the description of signet's HTTP API, an OpenAPI 3.1 document. It is written by hand; the tests of package handlers hold every
// answer against it, and its list of paths against the route table.
package openapi

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"
	"sync"
)

// The program carries the document packed: a tenth of its size. A test holds the packed one to openapi.json.
//
//go:generate sh -c "gzip -9 -n -c openapi.json > openapi.json.gz"
//go:embed openapi.json.gz
var packed []byte

// Document is the JSON text. It must not be changed. Safe for concurrent use.
var Document = sync.OnceValue(func() []byte {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		panic("openapi: " + err.Error()) // it is built in
	}
	text, err := io.ReadAll(r)
	if err != nil {
		panic("openapi: " + err.Error())
	}
	return text
})
