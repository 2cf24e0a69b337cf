package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"signet/handlers/openapitest"
)

// client speaks to a development server as an app does.
type client struct {
	base    string
	secrets *secrets // nil: not remembered
	checked bool     // every answer is held against /openapi.json
}

// secrets are the codes and tokens that a client has seen. Safe for concurrent use.
type secrets struct {
	mu   sync.Mutex
	list []string
}

func (s *secrets) add(values ...string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range values {
		if v != "" {
			s.list = append(s.list, v)
		}
	}
}

// seen is every secret so far.
func (c client) seen() []string {
	c.secrets.mu.Lock()
	defer c.secrets.mu.Unlock()
	return slices.Clone(c.secrets.list)
}

// answer is a status and a JSON object.
type answer struct {
	status int
	body   map[string]any
	header http.Header
}

func (a answer) text(field string) string {
	s, _ := a.body[field].(string)
	return s
}

var (
	testHTTP    = &http.Client{Timeout: 30 * time.Second}
	checkedHTTP = &http.Client{Timeout: 30 * time.Second, Transport: openapitest.Transport(http.DefaultTransport)}
)

// call sends a request with a JSON body (nil: none) and a bearer token ("": none).
func (c client) call(method, path, bearer string, body any) (answer, error) {
	var payload io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		payload = bytes.NewReader(data)
	}
	request, err := http.NewRequest(method, c.base+path, payload)
	if err != nil {
		return answer{}, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if bearer != "" {
		request.Header.Set("Authorization", "Bearer "+bearer)
	}
	over := testHTTP
	if c.checked {
		over = checkedHTTP
	}
	got, err := over.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer got.Body.Close()
	data, err := io.ReadAll(got.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: got.StatusCode, header: got.Header}
	if len(data) > 0 && data[0] == '{' {
		if err := json.Unmarshal(data, &a.body); err != nil {
			return answer{}, fmt.Errorf("%s %s: %w", method, path, err)
		}
	}
	c.secrets.add(a.text("challenge_id"), a.text("access_token"), a.text("refresh_token"), a.text("device_token"))
	return a, nil
}

// expect is call that takes one status alone.
func (c client) expect(status int, method, path, bearer string, body any) (answer, error) {
	a, err := c.call(method, path, bearer, body)
	if err == nil && a.status != status {
		err = fmt.Errorf("%s %s: %d, want %d: %v", method, path, a.status, status, a.body)
	}
	return a, err
}

// mailTime is how long a mail may take to arrive in the mailbox.
const mailTime = 30 * time.Second

// code waits for the newest mail to an address that came after seen mails to it.
func (c client) code(address string, seen int) (string, error) {
	for deadline := time.Now().Add(mailTime); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		got, err := testHTTP.Get(c.base + "/dev/mailbox")
		if err != nil {
			return "", err
		}
		var list []struct{ To, Code string }
		err = json.NewDecoder(got.Body).Decode(&list)
		got.Body.Close()
		if err != nil {
			return "", err
		}
		var codes []string
		for _, m := range list {
			if m.To == address {
				codes = append(codes, m.Code)
			}
		}
		if len(codes) > seen {
			c.secrets.add(codes[0])
			return codes[0], nil
		}
	}
	return "", fmt.Errorf("no mail to %s after %s", address, mailTime)
}

// register makes an account and signs in: the token set.
func (c client) register(address, password string) (answer, error) {
	challenge, err := c.expect(http.StatusAccepted, "POST", "/api/v1/register", "", map[string]any{"email": address, "password": password})
	if err != nil {
		return answer{}, err
	}
	code, err := c.code(address, 0)
	if err != nil {
		return answer{}, err
	}
	return c.expect(http.StatusOK, "POST", "/api/v1/login/verify", "", map[string]any{"challenge_id": challenge.text("challenge_id"), "code": code})
}
