package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The load generators of the measurements. They share the cores with what they measure.

// generator opens connections to an address. Each sends requests to one path, one at a time: by POST, with JSON bodies that all have the given
// length, or by GET when that is 0.
type generator struct {
	name    string
	connect func(tb tester, addr, path string, length, n int) []sender
}

// sender sends a request and returns the answer's status and its body, which is valid until the next.
type sender func(body string) (status int, answer []byte, err error)

// ordinary is net/http's own client: what a Go service uses. It takes several times the processor time of the server beside it.
var ordinary = generator{"net/http client", func(tb tester, addr, path string, length, n int) []sender {
	t := &http.Transport{MaxIdleConnsPerHost: n, MaxConnsPerHost: n, DisableCompression: true}
	c := &http.Client{Transport: t, Timeout: answerLimit}
	tb.Cleanup(t.CloseIdleConnections)
	all := make([]sender, n)
	for i := range all {
		all[i] = func(body string) (int, []byte, error) {
			method, content := http.MethodGet, io.Reader(nil)
			if length > 0 {
				method, content = http.MethodPost, strings.NewReader(body)
			}
			r, err := http.NewRequest(method, "http://"+addr+path, content)
			if err != nil {
				return 0, nil, err
			}
			if length > 0 {
				r.Header.Set("Content-Type", "application/json")
			}
			a, err := c.Do(r)
			if err != nil {
				return 0, nil, err
			}
			defer a.Body.Close()
			answer, err := io.ReadAll(a.Body)
			return a.StatusCode, answer, err
		}
	}
	return all
}}

// lean does as little as a client can: requests are bytes made beforehand, and of an answer it reads the status, the length and the body.
var lean = generator{"lean client", func(tb tester, addr, path string, length, n int) []sender {
	tb.Helper()
	all := make([]sender, n)
	for i := range all {
		c, err := net.DialTimeout("tcp", addr, dialTime)
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { c.Close() })
		all[i] = (&leanConn{conn: c, in: bufio.NewReaderSize(c, 8<<10), ask: leanRequest(path, length), length: length}).send
	}
	return all
}}

type leanConn struct {
	conn   net.Conn
	in     *bufio.Reader
	ask    []byte // the request; its body is replaced
	length int
	answer []byte
}

func leanRequest(path string, length int) []byte {
	const headers = " HTTP/1.1\r\nHost: id.example.org\r\nUser-Agent: bench\r\nAccept: application/json\r\n"
	if length == 0 {
		return []byte("GET " + path + headers + "\r\n")
	}
	return fmt.Appendf(nil, "POST %s%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%*s", path, headers, length, length, "")
}

func (c *leanConn) send(body string) (status int, answer []byte, err error) {
	if len(body) != c.length {
		return 0, nil, fmt.Errorf("a body of %d bytes, not of %d", len(body), c.length)
	}
	copy(c.ask[len(c.ask)-c.length:], body)
	if _, err := c.conn.Write(c.ask); err != nil {
		return 0, nil, err
	}
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, nil, err
	}
	if len(line) < len("HTTP/1.1 200") {
		return 0, nil, errors.New("not an HTTP answer")
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, nil, err
	}
	length, err := c.headers()
	if err != nil {
		return 0, nil, err
	}
	c.answer = slices.Grow(c.answer[:0], length)[:length]
	_, err = io.ReadFull(c.in, c.answer)
	return status, c.answer, err
}

// headers reads to the end of the answer's header and returns the length of its body.
func (c *leanConn) headers() (length int, err error) {
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if len(line) <= 2 {
			return length, nil
		}
		if n, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(n))); err != nil {
				return 0, err
			}
		}
	}
}

// ok sends a request that is answered by 200.
func (s sender) ok(body string) ([]byte, error) {
	status, answer, err := s(body)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d: %s", status, answer)
	}
	return answer, err
}

// tester is what a test and a benchmark have in common and the measurements need.
type tester interface {
	Helper()
	Fatal(...any)
	Cleanup(func())
	TempDir() string
}

// dialTime and answerLimit end a measurement of a server that hangs.
const (
	dialTime    = 10 * time.Second
	answerLimit = 60 * time.Second
)

// measured is what came of a load.
type measured struct {
	rate  float64         // answers a second
	times []time.Duration // of every answer, sorted
}

func (m measured) quantile(q float64) time.Duration {
	if len(m.times) == 0 {
		return 0
	}
	return m.times[min(int(q*float64(len(m.times))), len(m.times)-1)]
}

// closedLoop has each caller send its next request as soon as its last is answered, until stop says so before one.
func closedLoop(n int, stop func() bool, once func(i int) error) (measured, error) {
	var (
		all   = make([][]time.Duration, n)
		fails = make([]error, n)
		wait  sync.WaitGroup
		begin = time.Now()
	)
	for i := range n {
		wait.Go(func() {
			for last := time.Now(); !stop(); {
				if err := once(i); err != nil {
					fails[i] = err
					return
				}
				now := time.Now()
				all[i] = append(all[i], now.Sub(last))
				last = now
			}
		})
	}
	wait.Wait()
	took := time.Since(begin)
	times := slices.Concat(all...)
	slices.Sort(times)
	return measured{rate: float64(len(times)) / took.Seconds(), times: times}, errors.Join(fails...)
}

// forTime stops a load after d.
func forTime(d time.Duration) func() bool {
	end := time.Now().Add(d)
	return func() bool { return !time.Now().Before(end) }
}

// openLoop sends rate requests a second for d, whatever becomes of those before, each by a caller that is free; a request's time counts
// from when it was due. Too few callers are an error, because requests would then wait in the generator.
func openLoop(callers, rate int, d time.Duration, once func(i int) error) (measured, error) {
	free := make(chan int, callers)
	for i := range callers {
		free <- i
	}
	var (
		mu    sync.Mutex
		times []time.Duration
		fail  error
		wait  sync.WaitGroup
		begin = time.Now()
	)
	for n := range int(d.Seconds() * float64(rate)) {
		due := begin.Add(time.Duration(n) * time.Second / time.Duration(rate))
		time.Sleep(time.Until(due))
		select {
		case i := <-free:
			wait.Go(func() {
				err := once(i)
				took := time.Since(due)
				mu.Lock()
				times, fail = append(times, took), errors.Join(fail, err)
				mu.Unlock()
				free <- i
			})
		default:
			wait.Wait()
			return measured{}, errors.Join(fail, errors.New("no caller is free: the server does not keep up"))
		}
	}
	wait.Wait()
	slices.Sort(times)
	return measured{rate: float64(len(times)) / time.Since(begin).Seconds(), times: times}, fail
}

// spread is the least, the middle and the greatest of several runs.
type spread []float64

func (s spread) median() float64 {
	sorted := slices.Sorted(slices.Values(s))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

func (s spread) String() string {
	return fmt.Sprintf("%.3g (%.3g to %.3g of %d)", s.median(), slices.Min(s), slices.Max(s), len(s))
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
