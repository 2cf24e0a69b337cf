//go:build pkcs11

package pkcs11

import (
	"fmt"
	"strings"
	"sync"

	"github.com/miekg/pkcs11"
)

// connection is a log-in to a token: one session that is held for as long as it lasts, because the log-in ends with the last session, and those that are
// borrowed. Once retired it is closed when the last borrower is done. The invariant: a session is used by one operation at a time, and never after
// an error that may have left it in the middle of something.
type connection struct {
	module *module
	epoch  int
	slot   uint
	keeper pkcs11.SessionHandle

	mu      sync.Mutex
	idle    []pkcs11.SessionHandle
	users   int
	retired bool
}

// session is borrowed for one operation.
type session struct {
	*pkcs11.Ctx
	handle     pkcs11.SessionHandle
	connection *connection // handles of objects are good for this one alone
}

// connect finds the token by its label, wherever it is plugged in now, and logs in.
func (t *Token) connect() (*connection, error) {
	m := t.module
	m.calls.RLock()
	defer m.calls.RUnlock()
	slot, err := m.find(t.config.Token)
	if err != nil {
		return nil, err
	}
	keeper, err := m.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err != nil {
		return nil, fmt.Errorf("open a session: %w", err)
	}
	if err := m.Login(keeper, pkcs11.CKU_USER, t.config.PIN); err != nil && !is(err, pkcs11.CKR_USER_ALREADY_LOGGED_IN) {
		_ = m.CloseSession(keeper)
		return nil, fmt.Errorf("log in: %w", err)
	}
	return &connection{module: m, epoch: m.epoch, slot: slot, keeper: keeper}, nil
}

func (m *module) find(label string) (uint, error) {
	slots, err := m.GetSlotList(true)
	if err != nil {
		return 0, fmt.Errorf("list slots: %w", err)
	}
	found, count := uint(0), 0
	for _, slot := range slots {
		info, err := m.GetTokenInfo(slot)
		if err == nil && strings.TrimRight(info.Label, " \x00") == label {
			found, count = slot, count+1
		}
	}
	switch count {
	case 0:
		return 0, fmt.Errorf("%w in %d slots", errNoToken, len(slots))
	case 1:
		return found, nil
	default:
		return 0, fmt.Errorf("%d tokens have this label", count)
	}
}

// use lends a session to an operation.
func (c *connection) use(operation func(*session) error) error {
	c.module.calls.RLock()
	defer c.module.calls.RUnlock()
	handle, err := c.borrow()
	if err != nil {
		return err
	}
	err = operation(&session{c.module.Ctx, handle, c})
	c.giveBack(handle, err == nil)
	return err
}

// lives says whether the module was not initialized again since.
func (c *connection) lives() bool {
	c.module.calls.RLock()
	defer c.module.calls.RUnlock()
	return c.epoch == c.module.epoch
}

func (c *connection) borrow() (pkcs11.SessionHandle, error) {
	c.mu.Lock()
	if c.retired || c.epoch != c.module.epoch {
		c.mu.Unlock()
		return 0, pkcs11.Error(pkcs11.CKR_SESSION_CLOSED)
	}
	c.users++
	if n := len(c.idle); n > 0 {
		handle := c.idle[n-1]
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		return handle, nil
	}
	c.mu.Unlock()
	handle, err := c.module.OpenSession(c.slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err != nil {
		c.giveBack(0, false)
		return 0, fmt.Errorf("open a session: %w", err)
	}
	return handle, nil
}

// giveBack ends the borrowing; a session that an operation failed on is closed. 0 is none.
func (c *connection) giveBack(handle pkcs11.SessionHandle, good bool) {
	if !good && handle != 0 {
		_ = c.module.CloseSession(handle)
	}
	c.mu.Lock()
	c.users--
	if good {
		c.idle = append(c.idle, handle)
	}
	last := c.retired && c.users == 0
	c.mu.Unlock()
	if last {
		c.close()
	}
}

// retire has the connection closed as soon as nobody uses it.
func (c *connection) retire() {
	c.module.calls.RLock()
	defer c.module.calls.RUnlock()
	c.mu.Lock()
	last := !c.retired && c.users == 0
	c.retired = true
	c.mu.Unlock()
	if last {
		c.close()
	}
}

// close gives up every session. Errors don't matter: they are gone then. The caller holds module.calls.
func (c *connection) close() {
	if c.epoch != c.module.epoch {
		return // the handles may be another's by now
	}
	for _, handle := range append(c.idle, c.keeper) {
		_ = c.module.CloseSession(handle)
	}
	c.idle = nil
}
