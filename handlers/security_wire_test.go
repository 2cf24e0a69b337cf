package handlers

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Requirement 108: a refused body gives the connection back, whatever its sender does not send.
func TestARefusedBodyGivesTheConnectionBack(t *testing.T) {
	e := newEdge(t, func(c *Config) { c.Timeout = 50 * time.Millisecond })
	s := e.listen()
	for name, rest := range map[string]string{
		"slow":     "Content-Length: 100\r\n\r\n{",
		"too much": fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", maxBody+1, strings.Repeat("a", maxBody+1)),
	} {
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+rest); err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		r := bufio.NewReader(c)
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		if _, err := r.ReadByte(); err != io.EOF {
			t.Errorf("%s: answered %d, and then %v", name, res.StatusCode, err)
		}
	}
}
