//go:build pkcs11

package pkcs11

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/miekg/pkcs11"
)

// module is a vendor's library in this process. PKCS #11 state belongs to the process, so that there is one for each path, and all tokens of it share
// its fate. It is never unloaded: libraries leave threads behind.
type module struct {
	*pkcs11.Ctx
	path string

	// calls is held for reading by whatever is under way in the library, and for writing while it is initialized.
	calls   sync.RWMutex
	epoch   int // counts initializations; handles of an earlier one mean nothing
	renewed time.Time
	pause   time.Duration // between initializations
	doubts  time.Duration // between those for a key that is not there
}

var modules = struct {
	mu     sync.Mutex
	byPath map[string]*module
}{byPath: map[string]*module{}}

// loadModule loads and initializes a library, or finds it loaded. The error says what an operator can do.
func loadModule(path string) (*module, error) {
	modules.mu.Lock()
	defer modules.mu.Unlock()
	if m := modules.byPath[path]; m != nil {
		return m, nil
	}
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", path)
	}
	ctx := pkcs11.New(path)
	if ctx == nil {
		return nil, fmt.Errorf("%s does not load: it is no PKCS #11 library, one of another architecture, or lacks a library that it needs", path)
	}
	if err := ctx.Initialize(); err != nil && !is(err, pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED) {
		ctx.Destroy()
		return nil, fmt.Errorf("%s can't be initialized: %w", path, err)
	}
	m := &module{Ctx: ctx, path: path, epoch: 1, pause: renewEvery, doubts: renewForKey}
	modules.byPath[path] = m
	return m, nil
}

// What spaces initializations out: each makes every session of the process fail. A token that answers but lacks a key most likely lost it for good.
const (
	renewEvery  = 5 * time.Second
	renewForKey = 30 * time.Second
)

// renew initializes the library again, which is the only way to have some of them see a token, or keys, that came back. It does nothing while
// anything is under way in it, nor within pause of the last time. The caller holds no lock of m.
func (m *module) renew(pause time.Duration) error {
	if !m.calls.TryLock() {
		return errors.New("the PKCS #11 library is busy")
	}
	defer m.calls.Unlock()
	if time.Since(m.renewed) < pause {
		return errors.New("the PKCS #11 library was initialized a moment ago")
	}
	m.renewed = time.Now()
	m.epoch++
	_ = m.Finalize() // it may have lost its state already
	if err := m.Initialize(); err != nil && !is(err, pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED) {
		return fmt.Errorf("initialize the PKCS #11 library: %w", err)
	}
	return nil
}

// is says whether err is one of these return values.
func is(err error, values ...pkcs11.Error) bool {
	var e pkcs11.Error
	if !errors.As(err, &e) {
		return false
	}
	for _, v := range values {
		if e == v {
			return true
		}
	}
	return false
}

// lost says that sessions are gone, and perhaps the token: begin anew.
func lost(err error) bool {
	return errors.Is(err, errNoToken) || is(err, pkcs11.CKR_SESSION_HANDLE_INVALID, pkcs11.CKR_SESSION_CLOSED, pkcs11.CKR_USER_NOT_LOGGED_IN, pkcs11.CKR_TOKEN_NOT_PRESENT,
		pkcs11.CKR_TOKEN_NOT_RECOGNIZED, pkcs11.CKR_DEVICE_REMOVED, pkcs11.CKR_DEVICE_ERROR, pkcs11.CKR_SLOT_ID_INVALID, pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED,
		pkcs11.CKR_GENERAL_ERROR, pkcs11.CKR_FUNCTION_FAILED)
}

// noHandle says that an object is not where it was, or is gone.
func noHandle(err error) bool {
	return is(err, pkcs11.CKR_OBJECT_HANDLE_INVALID, pkcs11.CKR_KEY_HANDLE_INVALID)
}
