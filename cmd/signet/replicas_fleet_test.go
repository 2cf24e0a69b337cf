//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// fleet is three replicas behind one address for verifiers, the apps that refresh, and what went wrong.
type fleet struct {
	t       *testing.T
	dir     string
	environ []string
	front   *httptest.Server
	apps    []*app
	probe   string // refresh token of a session for the requests that wait for a paused replica

	mu      sync.Mutex
	members [3]*member
	revoked []string
	wrong   []string
	seen    map[string]int // answers by status
}

// member is one process.
type member struct {
	client
	index   int
	process *process
	killed  atomic.Bool // it is, or is about to be

	mu   sync.Mutex
	naps []*nap
}

// nap is a pause of a process.
type nap struct {
	stopped, woken time.Time // woken is zero while it lasts
	answers        int       // to requests that were sent meanwhile
}

type app struct{ token string }

const fleetApps = 9

// newFleet signs the apps in while there is one replica, whose mailbox then has every mail, and starts the others.
func newFleet(t *testing.T, environ []string) *fleet {
	t.Helper()
	f := &fleet{t: t, dir: t.TempDir(), seen: map[string]int{}}
	f.front = httptest.NewServer(http.HandlerFunc(f.forward))
	t.Cleanup(f.front.Close)
	f.environ = slices.Concat(fleetPolicy, unlimited, cheapHashes, environ, []string{"SIGNET_ISSUER=" + f.front.URL})
	f.begin(0)
	for _, token := range signIn(t, f.member(0).base, "app", fleetApps+1) {
		f.apps = append(f.apps, &app{token: token})
	}
	f.probe = f.apps[fleetApps].token
	f.apps = f.apps[:fleetApps]
	f.begin(1)
	f.begin(2)
	return f
}

// begin starts a replica. The third signs access tokens by RS256, the others by ES256.
func (f *fleet) begin(i int) {
	environ := slices.Clone(f.environ)
	if i == 2 {
		environ = append(environ, "SIGNET_ACCESS_ALG=RS256")
	}
	p, err := startServer(f.dir, environ, serveArgs...)
	if err != nil {
		f.fault("start replica %d: %v", i, err)
		f.t.FailNow()
	}
	m := &member{client: client{base: p.url}, index: i, process: p}
	f.t.Cleanup(func() {
		_ = m.process.cmd.Process.Signal(syscall.SIGCONT)
		m.process.kill()
		if f.t.Failed() && os.Getenv("SIGNET_TEST_LOGS") != "" {
			f.t.Logf("log of replica %d:\n%s", i, p.log.String())
		}
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.members[i] = m
}

func (f *fleet) member(i int) *member {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.members[i]
}

func (f *fleet) kill(i int) {
	m := f.member(i)
	m.killed.Store(true)
	m.process.kill()
}

// awake are the replicas that take requests now, in a random order.
func (f *fleet) awake() (all []*member) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range rand.Perm(len(f.members)) {
		if m := f.members[i]; m != nil && !m.killed.Load() && !m.sleeping() {
			all = append(all, m)
		}
	}
	return all
}

func (m *member) sleeping() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.naps) > 0 && m.naps[len(m.naps)-1].woken.IsZero()
}

// stopped pauses the process and waits until the kernel says that it is.
func (m *member) stopped() error {
	if err := m.process.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	stat := fmt.Sprintf("/proc/%d/stat", m.process.cmd.Process.Pid)
	for end := time.Now().Add(startTime); ; time.Sleep(time.Millisecond) {
		line, err := os.ReadFile(stat)
		if err != nil {
			return err
		}
		// The state stands after the name, which is in parentheses.
		if _, after, _ := strings.Cut(string(line), ") "); strings.HasPrefix(after, "T") {
			break
		}
		if time.Now().After(end) {
			return errors.New("the process does not stop")
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.naps = append(m.naps, &nap{stopped: time.Now()})
	return nil
}

func (m *member) woken() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.naps[len(m.naps)-1].woken = time.Now()
	return m.process.cmd.Process.Signal(syscall.SIGCONT)
}

// notBefore is a moment that the answer to a request sent at a time can't have been made before.
func (m *member) notBefore(sent time.Time) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range m.naps {
		if sent.After(n.stopped) && sent.Before(n.woken) {
			n.answers++
			return n.woken
		}
	}
	return sent
}

func (f *fleet) pauses() []*nap {
	m := f.member(1)
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.naps)
}

// app refreshes in a chain. A third of them each stays with one replica as long as it lives, asleep or not; the others go where one is awake.
func (f *fleet) app(ctx context.Context, i int, check *checks) {
	for ctx.Err() == nil {
		m := f.member(i % 3)
		if all := f.awake(); len(all) > 0 && (i >= 3 || m.killed.Load()) {
			m = all[0]
		}
		f.refresh(m, f.apps[i], check)
		rest(ctx, 40*time.Millisecond)
	}
}

// refresh presents the app's token and takes the next.
func (f *fleet) refresh(m *member, a *app, check *checks) {
	sent := time.Now()
	got, err := m.call("POST", "/api/v1/token/refresh", "", map[string]any{"refresh_token": a.token})
	switch {
	case err != nil && m.killed.Load():
		f.count("cut by the kill")
		return
	case err != nil:
		f.fault("refresh at replica %d: %v", m.index, err)
		return
	}
	notBefore := m.notBefore(sent)
	if f.fine(m, "refresh", got.status, got.header) && got.status == http.StatusOK {
		a.token = got.text("refresh_token")
		check.add(f, m, got.text("access_token"), notBefore)
	}
}

// fine says whether an answer is one of those that are allowed.
func (f *fleet) fine(m *member, what string, status int, header http.Header) bool {
	f.count(fmt.Sprint(status))
	if status/100 == 2 || status == http.StatusNotModified || (status == http.StatusServiceUnavailable && header.Get("Retry-After") != "") {
		return true
	}
	f.fault("%s at replica %d: %d, Retry-After %q", what, m.index, status, header.Get("Retry-After"))
	return false
}

// forward is a load balancer for what verifiers ask: it goes to another replica when one can't be reached or does not serve.
func (f *fleet) forward(w http.ResponseWriter, r *http.Request) {
	for _, m := range f.awake() {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		status, header, body, err := ask(ctx, m.base+r.URL.Path)
		cancel()
		if err != nil {
			if !m.killed.Load() && !m.sleeping() && !errors.Is(err, context.DeadlineExceeded) && r.Context().Err() == nil {
				f.fault("%s at replica %d: %v", r.URL.Path, m.index, err)
			}
			continue
		}
		if f.fine(m, r.URL.Path, status, header) && status == http.StatusOK {
			maps.Copy(w.Header(), header)
			_, _ = w.Write(body)
			return
		}
	}
	w.WriteHeader(http.StatusServiceUnavailable)
}

func ask(ctx context.Context, url string) (int, http.Header, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, nil, err
	}
	got, err := testHTTP.Do(r)
	if err != nil {
		return 0, nil, nil, err
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	return got.StatusCode, got.Header, body, err
}

func (f *fleet) count(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen[what]++
}

func (f *fleet) counts() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.seen)
}

// fault notes what must not happen; the first ones are told.
func (f *fleet) fault(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.wrong) < 20 {
		f.wrong = append(f.wrong, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
	}
}

func (f *fleet) fault1(err error) {
	if err != nil {
		f.fault("%v", err)
	}
}

func (f *fleet) faults() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.wrong)
}
