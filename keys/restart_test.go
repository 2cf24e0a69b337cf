package keys

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// Nobody serves by a ring that is restored by half, and what was begun is not begun anew.
func TestARestartIsMarkedUntilItIsComplete(t *testing.T) {
	w := newWorld(t)
	r := w.started(short(), ES256)
	w.live(65*time.Second, r)
	o := operator(w)
	old := w.store.ring(t)
	bad := old.SigningKey(ES256).ID
	if list, err := o.Restart(ctxb, []string{bad, "made since"}); err != nil || len(list) == 0 {
		t.Fatal(list, err)
	}
	marked, err := o.Standing(ctxb)
	if err != nil || marked.Restarting == "" || slices.Contains(marked.Published, bad) || !slices.Contains(marked.Revoked, bad) || !slices.Contains(marked.Revoked, "made since") {
		t.Fatalf("%+v, %v", marked, err)
	}
	if err := r.Poll(ctxb); !errors.Is(err, ErrRestarting) {
		t.Errorf("a replica that runs takes it: %v", err)
	}
	if err := w.replica(short(), 0, ES256).Start(ctxb); !errors.Is(err, ErrRestarting) {
		t.Errorf("a replica starts by it: %v", err)
	}
	secrets := w.store.ring(t).Secrets
	if _, err := o.Restart(ctxb, []string{bad}); err != nil {
		t.Fatal(err)
	}
	if again := w.store.ring(t); again.Restarting != marked.Restarting || !hasSecret(again, secrets[0].ID) {
		t.Error("going on begins anew")
	}
	if _, err := o.Restart(ctxb, []string{"another"}); err != nil || !slices.Contains(w.store.ring(t).Revoked, "another") {
		t.Errorf("a revocation that is named later is forgotten: %v", err)
	}
	for range 2 {
		if err := o.Restarted(ctxb); err != nil {
			t.Fatal(err)
		}
	}
	fresh := w.replica(short(), 0, ES256)
	if err := fresh.Start(ctxb); err != nil {
		t.Fatal(err)
	}
	signed(t, fresh, ES256)
	for _, s := range old.Secrets {
		if hasSecret(w.store.ring(t), s.ID) {
			t.Errorf("the %s secret of the backup is still there", s.Purpose)
		}
	}
}

// What does not open is named, all of it, retired keys and secrets included.
func TestCheckOpen(t *testing.T) {
	w := newWorld(t)
	r := w.started(short(), ES256)
	w.live(65*time.Second, r)
	o := operator(w)
	if err := o.CheckOpen(ctxb); err != nil {
		t.Fatal(err)
	}
	o.Sealer, _ = NewSealer([]KEK{testKEK(9)})
	err := o.CheckOpen(ctxb)
	if !errors.Is(err, ErrUnknownKEK) {
		t.Fatal(err)
	}
	ring := w.store.ring(t)
	for _, k := range ring.Keys {
		if !strings.Contains(err.Error(), string(k.State)+" key "+k.ID) {
			t.Errorf("%s key %s is not named: %v", k.State, k.ID, err)
		}
	}
	for _, s := range ring.Secrets {
		if !strings.Contains(err.Error(), s.ID) {
			t.Errorf("secret %s is not named", s.ID)
		}
	}
}
