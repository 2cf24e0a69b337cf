//go:build pkcs11

package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/pkcs11"

	"signet/keys"
)

// Errors of a token.
var (
	// ErrPIN: the token refused the PIN. It is not tried again by this process.
	ErrPIN = errors.New("the token refuses the PIN")
	// ErrNoAnswer: the module did not return in time.
	ErrNoAnswer = errors.New("the PKCS #11 module does not answer")

	errNoToken = errors.New("no token with this label")
	errNoKey   = errors.New("the token does not have the key")
)

// Config names a token. Zero times and counts stand for the defaults.
type Config struct {
	Module string // path of the vendor's shared library
	Token  string // label of the token (CKA_LABEL of C_InitToken), without its padding
	PIN    string // of the normal user
	// Timeout bounds every operation but the making of keys, retries and waiting for a session included: 3 s.
	Timeout time.Duration
	// MakeTimeout bounds the making of a key pair, which takes hardware its time: 2 min.
	MakeTimeout time.Duration
	// Sessions bounds the operations at the same time: 8. One session more is held besides.
	Sessions int
}

// Token is a token that keeps private keys: a keys.Vault. Safe for concurrent use.
type Token struct {
	config Config
	module *module
	places chan struct{} // one for each operation that is in the module
	stuck  atomic.Int32  // of them, those that nobody waits for any more

	mu      sync.Mutex
	current *connection // nil until one is needed
	refused error       // ErrPIN, for good
	failure error       // of the last try to connect
	failed  time.Time   // when that was
}

// connectEvery spaces tries to connect out: requests that come meanwhile get the last failure.
const connectEvery = 500 * time.Millisecond

var _ keys.Vault = (*Token)(nil)

// New loads the module. It looks for the token only when that is needed: a token that is away is no error here.
func New(c Config) (*Token, error) {
	if c.Module == "" || c.Token == "" || c.PIN == "" {
		return nil, errors.New("PKCS #11: module, token and PIN are needed")
	}
	if len(c.Token) > 32 {
		return nil, errors.New("PKCS #11: a token's label has at most 32 bytes")
	}
	if c.Timeout == 0 {
		c.Timeout = 3 * time.Second
	}
	if c.MakeTimeout == 0 {
		c.MakeTimeout = 2 * time.Minute
	}
	if c.Sessions == 0 {
		c.Sessions = 8
	}
	m, err := loadModule(c.Module)
	if err != nil {
		return nil, fmt.Errorf("PKCS #11 module: %w", err)
	}
	return &Token{config: c, module: m, places: make(chan struct{}, c.Sessions)}, nil
}

// Scheme is pkcs11.
func (t *Token) Scheme() string { return scheme }

// Check logs in, unless that was done, and asks the token for its state. Errors: ErrPIN, ErrNoAnswer, or that there is no such token.
func (t *Token) Check(ctx context.Context) error {
	return t.do(ctx, t.config.Timeout, func(s *session) error {
		_, err := s.GetSessionInfo(s.handle)
		return err
	})
}

// Close gives the sessions back, unless the module hangs. What is under way ends with an error or a result; the Token may be used again.
func (t *Token) Close() {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		t.mu.Lock()
		c := t.current
		t.current = nil
		t.mu.Unlock()
		if c != nil {
			c.retire()
		}
	}()
	select {
	case <-closed:
	case <-time.After(t.config.Timeout):
	}
}

// do runs an operation with a session, and once more on a new connection when the old one turns out to be lost. It returns after
// limit at the latest; the operation itself may go on until the module returns.
func (t *Token) do(ctx context.Context, limit time.Duration, operation func(*session) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if int(t.stuck.Load()) >= t.config.Sessions {
		return fmt.Errorf("%w: %d calls have not returned", ErrNoAnswer, t.config.Sessions)
	}
	select {
	case t.places <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("%w: no session is free", ErrNoAnswer)
	}
	result := make(chan error, 1)
	var left atomic.Bool // exactly one of the two sides takes it: the caller as it gives up, or the call as it returns
	go func() {
		err := t.attempt(operation)
		if left.Swap(true) {
			t.stuck.Add(-1)
		}
		<-t.places
		result <- err
	}()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	t.stuck.Add(1)
	if left.Swap(true) { // it returned at this very moment
		t.stuck.Add(-1)
	}
	return fmt.Errorf("%w: %w", ErrNoAnswer, context.Cause(ctx))
}

func (t *Token) attempt(operation func(*session) error) error {
	c, err := t.connected()
	if err != nil {
		return err
	}
	err = c.use(operation)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNoKey): // or the library has not noticed that the token was out, and is in again
		if t.module.renew(t.module.doubts) != nil {
			return err
		}
	case !lost(err):
		return err
	}
	t.drop(c)
	if c, err = t.connected(); err != nil {
		return err
	}
	if err = c.use(operation); err != nil && lost(err) {
		t.drop(c)
	}
	return err
}

// connected is the connection in use, or a new one. Operations wait here for each other while one of them logs in.
func (t *Token) connected() (*connection, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refused != nil {
		return nil, t.refused
	}
	if t.current != nil && t.current.lives() {
		return t.current, nil
	}
	t.current = nil
	if t.failure != nil && time.Since(t.failed) < connectEvery {
		return nil, t.failure
	}
	c, err := t.connect()
	if err != nil && lost(err) && t.module.renew(t.module.pause) == nil {
		c, err = t.connect()
	}
	if is(err, pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_LOCKED, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE, pkcs11.CKR_PIN_EXPIRED) {
		t.refused = fmt.Errorf("%w (token %q): %w", ErrPIN, t.config.Token, err)
		return nil, t.refused
	}
	if err != nil {
		t.failure, t.failed = fmt.Errorf("token %q: %w", t.config.Token, err), time.Now()
		return nil, t.failure
	}
	t.current, t.failure = c, nil
	return c, nil
}

// drop has nobody begin anything on c.
func (t *Token) drop(c *connection) {
	t.mu.Lock()
	if t.current == c {
		t.current = nil
	}
	t.mu.Unlock()
	c.retire()
}
