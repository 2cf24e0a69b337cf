package issuer_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"signet/issuer"
	"signet/keys"
	"signet/repository/conformance"
	"signet/repository/sqlite"
)

// A world is one store, one clock, one mailbox, and the real use cases over them. A call may be run to its end at once, or one storage operation
// at a time in an order and with faults that the test chooses.
type world struct {
	t     testing.TB
	clock *clock
	keys  *testKeys
	store conformance.Store
	mails *postbag
	set   issuer.Settings
}

var epoch = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

func newWorld(t testing.TB) *world {
	t.Helper()
	c := &clock{now: epoch}
	w := &world{t: t, clock: c, keys: newTestKeys(c), mails: &postbag{}, set: settings()}
	s, err := sqlite.Open(t.Context(), filepath.Join(worldDir(t), "signet.db"), sqlite.Options{Wall: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	w.store = s
	return w
}

// worldDir is in memory where there is such a place: what outlives a power failure is the store's own tests' to ask, and thousands of interleavings need no
// disk.
func worldDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "signet-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func settings() issuer.Settings {
	return issuer.Settings{
		Issuer: "https://id.example.com", Skew: 30 * time.Second, AccessTTL: 5 * time.Minute, AccessAlg: keys.ES256, AccessTyp: "at+jwt",
		RefreshGrace: 30 * time.Second, RefreshIdle: 14 * 24 * time.Hour, RefreshAbsolute: 90 * 24 * time.Hour,
		CodeTTL: 10 * time.Minute, CodeLength: 6, CodeAttempts: 5, ResendAfter: 30 * time.Second,
		LimitCodes: issuer.Limit{N: 10, Window: 10 * time.Minute}, LimitGuesses: issuer.Limit{N: 20, Window: time.Hour},
		LimitPasswords: issuer.Limit{N: 10, Window: 15 * time.Minute},
	}
}

// replica is a Provider of its own on the world's store, or on a wrapper of it.
func (w *world) replica(store issuer.Store) *issuer.Provider {
	w.t.Helper()
	return w.made(store, w.keys, w.hasher())
}

func (w *world) hasher() *issuer.Hasher {
	w.t.Helper()
	h, err := issuer.NewHasher(issuer.HasherConfig{MemoryKiB: 8, Time: 1, Threads: 1, Slots: 8, Queue: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

// made is a Provider of these parts that has read the clients of the world's store.
func (w *world) made(store issuer.Store, k issuer.Keys, h *issuer.Hasher) *issuer.Provider {
	w.t.Helper()
	p := issuer.New(issuer.Deps{Settings: w.set, Store: store, Keys: k, Hasher: h, Postman: w.mails, Observer: ignore{}, Log: zerolog.Nop()})
	all, err := w.store.AllClients(w.t.Context())
	if err != nil || len(all) == 0 {
		w.t.Fatalf("clients: %v, %v", all, err)
	}
	loaded := issuer.New(issuer.Deps{Settings: w.set, Store: w.store, Keys: k, Hasher: h, Postman: w.mails, Observer: ignore{}, Log: zerolog.Nop()})
	if err := loaded.LoadClients(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	p.ShareClients(loaded)
	return p
}

const password = "correct horse battery"

var who = issuer.Requester{IP: "192.0.2.7", UserAgent: "test", RequestID: "r1"}

// signUp registers, reads the mail and proves the code.
func (w *world) signUp(email string) issuer.TokenSet {
	w.t.Helper()
	p := w.replica(w.store)
	t, err := p.Register(w.t.Context(), who, issuer.RegisterRequest{Email: email, Password: password, GivenName: "Ada"})
	if err != nil {
		w.t.Fatalf("register: %v", err)
	}
	set, err := p.Verify(w.t.Context(), who, issuer.VerifyRequest{ChallengeID: t.ChallengeID, Code: w.mails.code(w.t, email)})
	if err != nil {
		w.t.Fatalf("verify: %v", err)
	}
	return set
}

func (w *world) session(sid string) issuer.Session {
	w.t.Helper()
	s, err := w.store.Session(w.t.Context(), sid)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// ---- a call that is stepped through

// errCrashed ends a call whose process died: nothing of it reaches the store any more.
var errCrashed = errors.New("the process died")

// call is a use case in progress, waiting at its next storage operation.
type call struct {
	name    string
	at      chan string            // the operation that it waits before
	go_     chan conformance.Fault // lets it go on
	done    chan struct{}
	cancel  context.CancelFunc
	crashed atomic.Bool
	drain   func(context.Context)
	next    string
	ended   bool
	tokens  issuer.TokenSet
	err     error
	arrived time.Time
}

// begin starts run on a replica of its own and stops it before its first storage operation.
func (w *world) begin(name string, run func(ctx context.Context, p *issuer.Provider) (issuer.TokenSet, error)) *call {
	ctx, cancel := context.WithCancel(context.Background())
	c := &call{name: name, at: make(chan string), go_: make(chan conformance.Fault), done: make(chan struct{}), cancel: cancel, arrived: w.clock.Now()}
	p := w.replica(conformance.Faulty(w.store, func(op string, _ int) conformance.Fault {
		if c.crashed.Load() {
			return conformance.CrashBefore
		}
		select {
		case c.at <- op:
			return <-c.go_
		case <-c.done: // what the call left to the background
			return conformance.None
		}
	}))
	c.drain = p.Drain
	go func() {
		defer close(c.done)
		c.tokens, c.err = run(ctx, p)
	}()
	c.wait()
	return c
}

func (c *call) wait() {
	select {
	case c.next = <-c.at:
	case <-c.done:
		c.ended = true
	}
}

// step lets the call do its next operation, with a fault.
func (c *call) step(f conformance.Fault) {
	c.go_ <- f
	c.wait()
}

// crash is kill -9 before the next operation.
func (c *call) crash() {
	c.crashed.Store(true)
	c.cancel()
	c.go_ <- conformance.CrashBefore
	<-c.done
	died, now := context.WithCancel(context.Background())
	now()
	c.drain(died)
	c.ended, c.tokens, c.err = true, issuer.TokenSet{}, errCrashed
}

// finish runs the call to its end without faults.
func (c *call) finish() {
	for !c.ended {
		c.step(conformance.None)
	}
	c.cancel()
}

// ---- parts

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// postbag is the mail that left, but for what is dropped unsent.
type postbag struct {
	mu    sync.Mutex
	mails []issuer.Mail
}

func (b *postbag) Dispatch(m issuer.Mail) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mails = append(b.mails, m)
}

func (b *postbag) letters(to string) (out []issuer.Letter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.mails {
		var l issuer.Letter
		if !m.Drop && json.Unmarshal(m.Sealed, &l) == nil && l.To == to {
			out = append(out, l)
		}
	}
	return out
}

// code is the newest code mailed to an address.
func (b *postbag) code(t testing.TB, to string) string {
	t.Helper()
	code := ""
	for _, l := range b.letters(to) {
		if l.Code != "" {
			code = l.Code
		}
	}
	if code == "" {
		t.Fatalf("no code was mailed to %s", to)
	}
	return code
}

type ignore struct{}

func (ignore) SignIn(string, string) {}
func (ignore) Refresh(string)        {}
func (ignore) MailQueued()           {}

// testKeys signs nothing and seals nothing, so that a test can read tokens and mail; MAC secrets are real ones and can be rotated.
type testKeys struct {
	clock *clock
	mu    sync.Mutex
	age   int
}

func newTestKeys(c *clock) *testKeys { return &testKeys{clock: c} }

func (k *testKeys) Now() time.Time { return k.clock.Now() }

func (k *testKeys) rotateSecrets() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.age++
}

func testSecret(age int) keys.MACSecret {
	return keys.NewMACSecret(fmt.Sprintf("%08x", age), bytes.Repeat([]byte{byte(age + 1)}, 32))
}

func (k *testKeys) MACSecret(keys.MACPurpose) (keys.MACSecret, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return testSecret(k.age), nil
}

func (k *testKeys) MACSecretByID(_ context.Context, _ keys.MACPurpose, id string) (keys.MACSecret, error) {
	var age int
	if _, err := fmt.Sscanf(id, "%08x", &age); err != nil || age > k.age {
		return keys.MACSecret{}, keys.ErrUnknownSecret
	}
	return testSecret(age), nil
}

func (k *testKeys) Sign(alg keys.Algorithm, typ string, now time.Time, ttl time.Duration, claims func(iat, exp int64) any) (string, error) {
	payload, err := json.Marshal(claims(now.Unix(), now.Add(ttl).Unix()))
	return typ + "~" + base64.RawURLEncoding.EncodeToString(payload), err
}

func (k *testKeys) Verify(token string) (keys.Verified, error) {
	typ, text, ok := strings.Cut(token, "~")
	payload, err := base64.RawURLEncoding.DecodeString(text)
	if !ok || err != nil {
		return keys.Verified{}, keys.ErrToken
	}
	return keys.Verified{Type: typ, Payload: payload}, nil
}

func (k *testKeys) Seal(plaintext []byte, _ ...string) ([]byte, error) { return plaintext, nil }
func (k *testKeys) Open(sealed []byte, _ ...string) ([]byte, error)    { return sealed, nil }

func (b *postbag) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.mails)
}

func refreshing(token string) func(context.Context, *issuer.Provider) (issuer.TokenSet, error) {
	return func(ctx context.Context, p *issuer.Provider) (issuer.TokenSet, error) {
		return p.Refresh(ctx, who, token)
	}
}
