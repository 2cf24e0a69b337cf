package handlers

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"signet/handlers/openapitest"
)

// listen serves e over a real connection.
func (e *edge) listen() *httptest.Server {
	s := httptest.NewUnstartedServer(e.handler)
	s.Config.MaxHeaderBytes = 32 << 10
	s.Start()
	e.t.Cleanup(s.Close)
	return s
}

// checked is a client that holds every answer against the OpenAPI document.
var checked = &http.Client{Transport: openapitest.Transport(nil)}

// exchangeRaw writes parts as they come and reads one answer, within a deadline.
func exchangeRaw(t *testing.T, s *httptest.Server, parts ...string) *http.Response {
	t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	go func() {
		for _, p := range parts {
			if _, err := io.WriteString(c, p); err != nil {
				return // refused before the end, as some tests want
			}
		}
	}()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestHugeBodies(t *testing.T) {
	e := newEdge(t)
	s := e.listen()
	huge := append([]byte(`{"email":"`), bytes.Repeat([]byte("a"), 10<<20)...)
	for _, chunked := range []bool{false, true} {
		for _, path := range []string{"/api/v1/login", "/api/v1/token/refresh", "/api/v1/logout"} {
			var body io.Reader = bytes.NewReader(huge)
			if chunked {
				body = io.MultiReader(body)
			}
			res, err := checked.Post(s.URL+path, "application/json", body)
			if err != nil {
				t.Fatalf("%s, chunked %v: %v", path, chunked, err)
			}
			wantProblem(t, res, 413, "payload_too_large")
		}
	}
	if len(e.provider.calls) > 0 {
		t.Errorf("the issuer was called: %v", e.provider.calls)
	}
}

func TestTheLimitIsExact(t *testing.T) {
	e := newEdge(t)
	s := e.listen()
	for _, chunked := range []bool{false, true} {
		for size, status := range map[int]int{maxBody: 200, maxBody + 1: 413} {
			body := loginBody + strings.Repeat(" ", size-len(loginBody))
			var r io.Reader = strings.NewReader(body)
			if chunked {
				r = io.MultiReader(r)
			}
			res, err := checked.Post(s.URL+"/api/v1/login", "application/json", r)
			if err != nil || res.StatusCode != status {
				t.Errorf("%d bytes: %v %v", size, res, err)
			}
		}
	}
}

func TestAHugeHeaderIsRefused(t *testing.T) {
	s := newEdge(t).listen()
	res := exchangeRaw(t, s, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Huge: ", strings.Repeat("a", 1<<20), "\r\n\r\n")
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("got %d", res.StatusCode)
	}
}

func TestASlowBodyIsGivenUp(t *testing.T) {
	e := newEdge(t, func(c *Config) { c.Timeout = 50 * time.Millisecond })
	s := e.listen()
	res := exchangeRaw(t, s, "POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n", `{"email":"a`)
	p := wantProblem(t, res, 400, "invalid_request")
	if !strings.Contains(p.Detail, "in time") || !res.Close {
		t.Errorf("%+v, close %v", p, res.Close)
	}
	if len(e.provider.calls) > 0 {
		t.Errorf("the issuer was called: %v", e.provider.calls)
	}
}

func TestAHalfBodyChangesNothing(t *testing.T) {
	e := newEdge(t)
	s := e.listen()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = fmt.Fprintf(c, "POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n%s", loginBody)
	_ = c.(*net.TCPConn).CloseWrite()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	wantProblem(t, res, 400, "invalid_request")
	if len(e.provider.calls) > 0 {
		t.Errorf("the issuer was called: %v", e.provider.calls)
	}
}

func TestOddRequestsOverTheWire(t *testing.T) {
	s := newEdge(t).listen()
	for request, status := range map[string]int{
		"GET /api/v1/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n": 401,
		"GET //evil.example/ HTTP/1.1\r\nHost: x\r\n\r\n":                                                  404,
		"GET http://evil.example/healthz HTTP/1.1\r\nHost: x\r\n\r\n":                                      200,
		"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n":                                                            200,
		"GET /healthz HTTP/1.1\r\n\r\n":                                                                    400,
		"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\x01b\r\n\r\n":                                 400,
		"POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}":       400,
	} {
		if res := exchangeRaw(t, s, request); res.StatusCode != status {
			t.Errorf("%q: %d, want %d", request, res.StatusCode, status)
		}
	}
}
