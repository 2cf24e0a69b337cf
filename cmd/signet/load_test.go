package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

// The load generator of the measurements. It shares the cores with what it measures, so that it does as little as it can: requests are
// bytes made beforehand, and an answer is read no further than its status, its length and its body.

// caller is one connection to a server, with one request under way at a time.
type caller struct {
	conn net.Conn
	in   *bufio.Reader
	body []byte // of the last answer, until the next
}

// dialTime and answerLimit end a measurement of a server that hangs.
const (
	dialTime    = 10 * time.Second
	answerLimit = 60 * time.Second
)

func dial(addr string) (*caller, error) {
	c, err := net.DialTimeout("tcp", addr, dialTime)
	if err != nil {
		return nil, err
	}
	return &caller{conn: c, in: bufio.NewReaderSize(c, 8<<10)}, nil
}

// dialMany opens n connections, closed with the test.
func dialMany(tb tester, addr string, n int) []*caller {
	tb.Helper()
	all := make([]*caller, n)
	for i := range all {
		c, err := dial(addr)
		if err != nil {
			tb.Fatal(err)
		}
		all[i] = c
		tb.Cleanup(func() { c.conn.Close() })
	}
	return all
}

// tester is what a test and a benchmark have in common and this generator needs.
type tester interface {
	Helper()
	Fatal(...any)
	Cleanup(func())
	TempDir() string
}

// request is the bytes of a request; body nil is a GET.
func request(path, body string) []byte {
	if body == "" {
		return []byte("GET " + path + " HTTP/1.1\r\nHost: id.example.org\r\nUser-Agent: bench\r\nAccept: application/json\r\n\r\n")
	}
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: id.example.org\r\nUser-Agent: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}

// send asks and reads the answer: its status, and its body in c.body.
func (c *caller) send(request []byte) (status int, err error) {
	if _, err := c.conn.Write(request); err != nil {
		return 0, err
	}
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < len("HTTP/1.1 200") {
		return 0, errors.New("not an HTTP answer")
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, err
	}
	length := 0
	for {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return 0, err
		}
		if len(line) <= 2 {
			break
		}
		if n, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(n))); err != nil {
				return 0, err
			}
		}
	}
	c.body = slices.Grow(c.body[:0], length)[:length]
	_, err = io.ReadFull(c.in, c.body)
	return status, err
}

// get sends requests that are all answered by 200.
func (c *caller) get(request []byte) error {
	status, err := c.send(request)
	if err == nil && status != 200 {
		err = fmt.Errorf("status %d: %s", status, c.body)
	}
	return err
}

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
			mu.Lock()
			fail = errors.Join(fail, errors.New("no caller is free: the server does not keep up"))
			mu.Unlock()
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
