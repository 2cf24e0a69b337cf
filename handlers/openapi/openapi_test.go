package openapi

import (
	"bytes"
	"os"
	"testing"
)

func TestPackedDocumentIsTheOneInTheTree(t *testing.T) {
	text, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, Document()) {
		t.Error("openapi.json has changed since it was packed: go generate ./handlers/openapi")
	}
}
