// Package openapitest holds answers of signet against its OpenAPI document. It is for tests: nothing that is built into the program imports it.
package openapitest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"

	"signet/handlers/openapi"
)

// everywhere are headers that any answer may have and the document does not repeat.
var everywhere = []string{
	"Strict-Transport-Security", "Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy",
	"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers", "Allow", "Connection", "Retry-After", "WWW-Authenticate",
}

// described is the document, read once a process.
var described = sync.OnceValues(read)

type document struct {
	mu    sync.Mutex // the validator is not said to be safe for concurrent use
	check validator.Validator
	paths []path
}

type path struct {
	segments []string
	item     *v3.PathItem
}

func read() (*document, error) {
	parsed, err := libopenapi.NewDocument(openapi.Document())
	if err != nil {
		return nil, fmt.Errorf("the OpenAPI document: %w", err)
	}
	model, err := parsed.BuildV3Model()
	if err != nil {
		return nil, fmt.Errorf("the OpenAPI document: %w", err)
	}
	check, faults := validator.NewValidator(parsed, config.WithStrictMode(), config.WithFormatAssertions(), config.WithStrictIgnoredHeadersExtra(everywhere...),
		config.WithStrictIgnorePaths("$.body.paths", "$.body.components", "$.body.info")) // of the document itself
	if len(faults) > 0 {
		return nil, fmt.Errorf("the OpenAPI document: %w", errors.Join(faults...))
	}
	d := &document{check: check}
	for template, item := range model.Model.Paths.PathItems.FromOldest() {
		d.paths = append(d.paths, path{strings.Split(template, "/"), item})
	}
	return d, nil
}

// Document says what is wrong with the document itself by the schema of OpenAPI 3.1; nil when it is in order.
func Document() error {
	d, err := described()
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if ok, faults := d.check.ValidateDocument(); !ok {
		return told(faults)
	}
	return nil
}

// Check says where an answer to r is not what the document describes: its status, a required header, its media type, a field that is missing, undeclared
// or of another type, a code that the call can't answer. Paths that the document does not have may answer anything. Only method and path of r matter.
// Safe for concurrent use.
func Check(r *http.Request, status int, header http.Header, body []byte) error {
	d, err := described()
	if err != nil {
		return err
	}
	method := r.Method
	item := d.find(r.URL.Path)
	if item == nil || method == http.MethodOptions {
		return nil
	}
	head := method == http.MethodHead
	if head {
		method = http.MethodGet
	}
	if method != strings.ToUpper(method) || item.GetOperations().GetOrZero(strings.ToLower(method)) == nil {
		if status != http.StatusMethodNotAllowed && status != http.StatusNotFound { // it may be turned off
			return fmt.Errorf("%s %s: %d of a method that the document does not have", method, r.URL.Path, status)
		}
		return nil
	}
	if head && len(body) == 0 {
		return nil
	}
	asked, err := http.NewRequestWithContext(r.Context(), method, "http://signet.invalid"+r.URL.EscapedPath(), nil)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if ok, faults := d.check.ValidateHttpResponse(asked, &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader(body))}); !ok {
		return fmt.Errorf("%s %s: the answer %d %s is not as the document has it: %w", method, r.URL.Path, status, body, told(faults))
	}
	return nil
}

// find is the path item that a request's path belongs to: one without variables, if there is one.
func (d *document) find(requested string) *v3.PathItem {
	var found *v3.PathItem
	segments := strings.Split(requested, "/")
	for _, p := range d.paths {
		switch matches, exact := p.matches(segments); {
		case exact:
			return p.item
		case matches:
			found = p.item
		}
	}
	return found
}

func (p path) matches(segments []string) (matches, exact bool) {
	if len(p.segments) != len(segments) {
		return false, false
	}
	exact = true
	for i, s := range p.segments {
		variable := strings.HasPrefix(s, "{")
		if s != segments[i] && (!variable || segments[i] == "") {
			return false, false
		}
		exact = exact && !variable
	}
	return true, exact
}

// Transport checks every answer that comes through next (nil: http.DefaultTransport): one that is not as the document has it is an error of the request.
func Transport(next http.RoundTripper) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	return checking{next}
}

type checking struct{ next http.RoundTripper }

func (c checking) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	if err := Check(r, res.StatusCode, res.Header, body); err != nil {
		return nil, err
	}
	return res, nil
}
