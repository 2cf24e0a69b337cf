package handlers

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"signet/handlers/openapi"
	"signet/handlers/openapitest"
)

// operation is a call as the document has it, as far as these tests need it.
type operation struct {
	OperationID string
	Parameters  []parameter
	RequestBody *struct {
		Content map[string]struct{ Example json.RawMessage }
	}
	Responses map[string]struct {
		Content map[string]struct{ Example json.RawMessage }
	}
	Security *[]map[string][]string
}

type parameter struct {
	Ref      string `json:"$ref"`
	Name, In string
	Example  any
}

// documented is the document's operations by method and path.
func documented(t *testing.T) (operations map[directRoute]operation, parameters map[string]parameter) {
	t.Helper()
	var doc struct {
		Paths      map[string]map[string]operation
		Components struct{ Parameters map[string]parameter }
	}
	if err := json.Unmarshal(openapi.Document(), &doc); err != nil {
		t.Fatal(err)
	}
	operations = map[directRoute]operation{}
	for path, methods := range doc.Paths {
		for method, o := range methods {
			operations[directRoute{strings.ToUpper(method), path}] = o
		}
	}
	return operations, doc.Components.Parameters
}

func TestTheDocumentIsOpenAPI31(t *testing.T) {
	if err := openapitest.Document(); err != nil {
		t.Error(err)
	}
}

// TestEveryRouteIsDescribed, and nothing else is.
func TestEveryRouteIsDescribed(t *testing.T) {
	operations, _ := documented(t)
	c := newEdge(t).config
	c.SimpleJWT = true
	routes := newAPI(c).mainRoutes(c)
	for _, r := range routes {
		if _, there := operations[directRoute{r.method, r.path}]; !there {
			t.Errorf("%s %s is not in the document", r.method, r.path)
		}
	}
	for o := range operations {
		if !slices.ContainsFunc(routes, func(r route) bool { return r.method == o.method && r.path == o.path }) {
			t.Errorf("%s %s is in the document and not served", o.method, o.path)
		}
	}
	ids := map[string]bool{}
	for o, op := range operations {
		if ids[op.OperationID] || op.OperationID == "" {
			t.Errorf("%s %s: operationId %q", o.method, o.path, op.OperationID)
		}
		ids[op.OperationID] = true
	}
}

// TestExamples: every request that the document shows is taken, and every answer that it shows is as it says itself.
func TestExamples(t *testing.T) {
	operations, parameters := documented(t)
	requests, answers := 0, 0
	for o, op := range operations {
		if r := exampleRequest(t, o, op, parameters); r != nil {
			e := compatible(t)
			e.provider.claim = `{"sub":"user-1"}`
			if res := e.send(r); res.StatusCode >= 300 {
				b, _ := io.ReadAll(res.Body)
				t.Errorf("%s %s: the example is answered %d %s", o.method, r.URL, res.StatusCode, b)
			}
			requests++
		}
		for status, answer := range op.Responses {
			for mediaType, content := range answer.Content {
				if content.Example == nil {
					continue
				}
				code, _ := strconv.Atoi(status)
				r, _ := http.NewRequest(o.method, strings.NewReplacer("{id}", "7", "{sid}", "s").Replace(o.path), nil)
				header := http.Header{"Content-Type": {mediaType}, "X-Request-Id": {"a"}}
				if err := openapitest.Check(r, code, header, content.Example); err != nil {
					t.Errorf("%s %s: the example answer: %v", o.method, o.path, err)
				}
				answers++
			}
		}
	}
	if requests < len(operations) || answers < 20 {
		t.Errorf("%d requests, %d answers of %d operations", requests, answers, len(operations))
	}
}

// exampleRequest is made of an operation's examples.
func exampleRequest(t *testing.T, o directRoute, op operation, parameters map[string]parameter) *http.Request {
	t.Helper()
	path, query := o.path, []string{}
	for _, p := range op.Parameters {
		if p.Ref != "" {
			p = parameters[p.Ref[strings.LastIndex(p.Ref, "/")+1:]]
		}
		value := strings.Trim(string(encode(t, p.Example)), `"`)
		switch {
		case p.In == "path":
			path = strings.ReplaceAll(path, "{"+p.Name+"}", value)
		case p.Example != nil:
			query = append(query, p.Name+"="+value)
		}
	}
	var body io.Reader
	if op.RequestBody != nil {
		body = bytes.NewReader(op.RequestBody.Content[asJSON].Example)
	}
	r, err := http.NewRequest(o.method, path+"?"+strings.Join(query, "&"), body)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", asJSON)
	}
	r.Header.Set("Authorization", "Bearer at.1")
	return r
}

func encode(t *testing.T, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestWhoNeedsATokenIsDescribed: calls that answer 401 to nobody are those that the document gives the bearer scheme.
func TestWhoNeedsATokenIsDescribed(t *testing.T) {
	operations, parameters := documented(t)
	for o, op := range operations {
		r := exampleRequest(t, o, op, parameters)
		r.Header.Del("Authorization")
		e := compatible(t)
		e.provider.claim = `{"sub":"user-1"}`
		res := e.send(r)
		needs := op.Security == nil || (len(*op.Security) == 1 && (*op.Security)[0]["bearer"] != nil)
		if refused := res.StatusCode == 401 && len(e.provider.calls) == 0; refused != needs {
			t.Errorf("%s %s: without a token %d, the document says that it needs one: %v", o.method, o.path, res.StatusCode, needs)
		}
	}
}

func TestTheDocumentIsServed(t *testing.T) {
	e := newEdge(t)
	res := e.do("GET", "/openapi.json", "")
	b, _ := io.ReadAll(res.Body)
	if res.StatusCode != 200 || !bytes.Equal(b, openapi.Document()) || res.Header.Get("Content-Type") != asJSON || res.Header.Get("Cache-Control") != "public, max-age=300" {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
	if again := e.do("GET", "/openapi.json", "", "If-None-Match", res.Header.Get("Etag")); again.StatusCode != 304 {
		t.Errorf("again: %d", again.StatusCode)
	}
}

// TestTheCheckerChecks: an answer that the document does not have is told.
func TestTheCheckerChecks(t *testing.T) {
	ask := func(method, path string) *http.Request {
		r, _ := http.NewRequest(method, path, nil)
		return r
	}
	const sid = `"sid":"a","client_id":"b","created_at":null,"last_used_at":null,"user_agent":null,"ip":null,"current":`
	for _, c := range []struct {
		method, path string
		status       int
		body         string
		fault        string // "" for none
	}{
		{"GET", "/api/v1/me/sessions", 200, `{"items":[{` + sid + `true}],"next_cursor":null}`, ""},
		{"GET", "/api/v1/me/sessions", 200, `{"items":[{` + sid + `"true"}],"next_cursor":null}`, "current"},
		{"GET", "/api/v1/me/sessions", 200, `{"items":[{` + sid + `true,"secret":"x"}],"next_cursor":null}`, "secret"},
		{"GET", "/api/v1/me/sessions", 200, `{"items":[]}`, "next_cursor"},
		{"GET", "/api/v1/me/sessions", 201, `{"items":[],"next_cursor":null}`, "201"},
		{"DELETE", "/api/v1/me/sessions/abc", 204, ``, ""},
		{"DELETE", "/api/v1/me/sessions/abc", 401, `{"type":"urn:signet:problem:invalid_code","title":"a","status":401,"code":"invalid_code","detail":"b","request_id":"c"}`, "invalid_token"},
		{"PUT", "/api/v1/me", 200, `{}`, "method"},
		{"GET", "/nothing/here", 200, `x`, ""},
	} {
		header := http.Header{"Content-Type": {asJSON}, "X-Request-Id": {"a"}, "Www-Authenticate": {`Bearer realm="signet"`}}
		if c.status >= 400 {
			header.Set("Content-Type", "application/problem+json")
		}
		err := openapitest.Check(ask(c.method, c.path), c.status, header, []byte(c.body))
		if (err != nil) != (c.fault != "") || (err != nil && !strings.Contains(err.Error(), c.fault)) {
			t.Errorf("%s %s %d %s: %v", c.method, c.path, c.status, c.body, err)
		}
	}
	if err := openapitest.Check(ask("GET", "/healthz"), 200, http.Header{"Content-Type": {asJSON}}, []byte(`{"status":"ok"}`)); err == nil {
		t.Error("an answer without X-Request-Id passes")
	}
}

// TestTheCheckerIsNotInTheProgram: what validates in tests is not built into what runs.
func TestTheCheckerIsNotInTheProgram(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "signet/cmd/signet").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(string(out)) {
		if strings.Contains(name, "pb33f") || strings.HasSuffix(name, "openapitest") {
			t.Errorf("cmd/signet depends on %s", name)
		}
	}
}
