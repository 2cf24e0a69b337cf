package issuer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"signet/issuer"
	"signet/keys"
	"signet/repository/conformance"
	"signet/repository/sqlite"
)

// restoreWorld is a store with a real key ring, backed up with everything in it that must not come back, and some that a backup can have wrong.
type restoreWorld struct {
	t      *testing.T
	clock  *clock
	sealer *keys.Sealer
	backup string

	access, refresh string   // ada's
	challenge, code string   // of a sign-in of ada's that waits
	kid             string   // of the key that signed access
	revoked         []string // kids that were revoked after the backup
	secrets         []string
	users           int
}

func newRestoreWorld(t *testing.T) *restoreWorld {
	t.Helper()
	kek, err := keys.NewKEK(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	w := &restoreWorld{t: t, clock: &clock{now: epoch}, backup: filepath.Join(t.TempDir(), "backup.db")}
	if w.sealer, err = keys.NewSealer([]keys.KEK{kek}); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	s := w.open(filepath.Join(t.TempDir(), "signet.db"))
	p, ring, mails := w.serve(s)
	first := w.signUp(p, ring, mails, "ada@example.org")
	w.clock.advance(time.Minute)
	w.must(ring.Poll(ctx))
	next, err := p.Refresh(ctx, who, first.RefreshToken)
	w.must(err)
	w.access, w.refresh = next.AccessToken, next.RefreshToken
	for i := range 5 { // more than a page
		w.signUp(p, ring, mails, fmt.Sprintf("user%d@example.org", i))
	}
	w.signUp(p, ring, mails, "bob@example.org")
	ticket, err := p.Login(ctx, who, issuer.LoginRequest{Email: "ada@example.org", Password: password})
	w.must(err)
	w.challenge, w.code = ticket.ChallengeID, mails.sealedCode(ring, "ada@example.org")
	w.disorder(s)
	standing, err := w.operator(s).Standing(ctx)
	w.must(err)
	verified, err := ring.Verify(w.access)
	w.must(err)
	w.kid, w.revoked = verified.KeyID, []string{verified.KeyID, "made since"}
	document, err := s.LoadRing(ctx)
	w.must(err)
	var body struct{ Secrets []struct{ ID string } }
	w.must(json.Unmarshal(document.Body, &body))
	for _, secret := range body.Secrets {
		w.secrets = append(w.secrets, secret.ID)
	}
	if len(w.secrets) != 3 || !slices.Contains(standing.Published, w.kid) {
		t.Fatalf("secrets %v, kids %v, signed by %s", w.secrets, standing.Published, w.kid)
	}
	w.must(s.Backup(ctx, w.backup))
	w.clock.advance(time.Minute) // the access token is good for minutes more
	return w
}

// disorder is what a backup that was not made at one moment can hold.
func (w *restoreWorld) disorder(s *sqlite.Store) {
	ctx := w.t.Context()
	firm := func(id, user string) {
		w.must(s.InsertIdentifier(ctx, issuer.Identifier{ID: id, UserID: user, Claim: "c", Kind: issuer.IdentifierFirm}))
	}
	firm("email:ghost@example.org", "a-user-that-the-backup-lacks")
	bob, err := s.Identifier(ctx, "email:bob@example.org")
	w.must(err)
	_, err = s.DeleteIdentifier(ctx, bob.ID, bob.Claim)
	w.must(err)
	firm("email:bob-moved@example.org", bob.UserID)
	half := issuer.User{ID: "half", State: issuer.UserActive, Email: "half@example.org", EmailVerified: true, CreatedAt: w.clock.Now()}
	w.must(s.InsertIdentifier(ctx, issuer.Identifier{ID: "email:half@example.org", UserID: half.ID, Claim: "c", Kind: issuer.IdentifierRegister, Payload: &half, OpenSince: w.clock.Now()}))
	w.must(s.InsertUser(ctx, issuer.User{ID: "twin", State: issuer.UserActive, Email: "ada@example.org", CreatedAt: w.clock.Now()}))
	w.must(s.InsertUser(ctx, issuer.User{ID: "namesake", State: issuer.UserActive, Email: "namesake@example.org", Username: "Name", CreatedAt: w.clock.Now()}))
	w.must(s.InsertUser(ctx, issuer.User{ID: "name", State: issuer.UserActive, Email: "name@example.org", Username: "name", CreatedAt: w.clock.Now()}))
	firm("name:name", "name")
	w.users = 7 + 4 // ada, user0 to user4, bob; half, twin, namesake, name
}

func (w *restoreWorld) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *restoreWorld) open(path string) *sqlite.Store {
	w.t.Helper()
	s, err := sqlite.Open(w.t.Context(), path, sqlite.Options{Wall: w.clock.Now})
	w.must(err)
	w.t.Cleanup(func() { _ = s.Close() })
	return s
}

// restored is a copy of the backup, opened.
func (w *restoreWorld) restored() *sqlite.Store {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "signet.db")
	from := w.open(w.backup)
	w.must(from.Backup(w.t.Context(), path))
	w.must(from.Close())
	return w.open(path)
}

func (w *restoreWorld) operator(s keys.RingStore) keys.Operator {
	return keys.Operator{Store: s, Sealer: w.sealer, Wall: w.clock.Now}
}

func (w *restoreWorld) replica(s keys.RingStore) (*keys.Replica, error) {
	r, err := keys.NewReplica(keys.ReplicaConfig{ID: "r", Store: s, Sealer: w.sealer, Policy: keys.DefaultPolicy(), Algorithms: []keys.Algorithm{keys.ES256}, Wall: w.clock.Now})
	w.must(err)
	return r, r.Start(w.t.Context())
}

func (w *restoreWorld) provider(s issuer.Store, k issuer.Keys, mails issuer.Postman) *issuer.Provider {
	w.t.Helper()
	h, err := issuer.NewHasher(issuer.HasherConfig{MemoryKiB: 8, Time: 1, Threads: 1, Slots: 8, Queue: 100})
	w.must(err)
	return issuer.New(issuer.Deps{Settings: settings(), Store: s, Keys: k, Hasher: h, Postman: mails, Observer: ignore{}, Log: zerolog.Nop()})
}

// serve is a server's part.
func (w *restoreWorld) serve(s *sqlite.Store) (*issuer.Provider, *keys.Replica, *postbag) {
	w.t.Helper()
	ring, err := w.replica(s)
	w.must(err)
	mails := &postbag{}
	p := w.provider(s, ring, mails)
	w.must(p.LoadClients(w.t.Context()))
	return p, ring, mails
}

// sealedCode is the newest code mailed to an address.
func (b *postbag) sealedCode(ring *keys.Replica, to string) (code string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.mails {
		plain, err := ring.Open(m.Sealed, "outbox", m.ID)
		var l issuer.Letter
		if err == nil && json.Unmarshal(plain, &l) == nil && l.To == to && l.Code != "" {
			code = l.Code
		}
	}
	return code
}

func (w *restoreWorld) signUp(p *issuer.Provider, ring *keys.Replica, mails *postbag, email string) issuer.TokenSet {
	w.t.Helper()
	ticket, err := p.Register(w.t.Context(), who, issuer.RegisterRequest{Email: email, Password: password})
	w.must(err)
	set, err := p.Verify(w.t.Context(), who, issuer.VerifyRequest{ChallengeID: ticket.ChallengeID, Code: mails.sealedCode(ring, email)})
	w.must(err)
	return set
}

// onlyNow is what a command has of the keys.
type onlyNow struct {
	issuer.Keys
	clock *clock
}

func (k onlyNow) Now() time.Time { return k.clock.Now() }
func (onlyNow) Seal([]byte, ...string) ([]byte, error) {
	return nil, issuer.ErrNoKeys
}

// restore runs the use case over a store that has faults.
func (w *restoreWorld) restore(s *sqlite.Store, plan conformance.Plan) (issuer.Restored, error) {
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	var died atomic.Bool
	faulty := conformance.Faulty(s, func(op string, n int) conformance.Fault {
		f := plan(op, n)
		if f == conformance.CrashBefore {
			died.Store(true)
			cancel() // nothing is tried again by a process that is dead
		}
		return f
	})
	forget := func(ctx context.Context) error {
		if died.Load() {
			return errCrashed
		}
		return s.ForgetTransient(ctx)
	}
	p := w.provider(faulty, onlyNow{clock: w.clock}, nil)
	return p.Restore(ctx, issuer.Restoring{Ring: w.operator(faulty), Forget: forget, Revoked: w.revoked, Detail: "test"})
}

func never(string, int) conformance.Fault { return conformance.None }

// nothingComesBack is the invariant of a restore, on a store that was served by nobody since.
func (w *restoreWorld) nothingComesBack(s *sqlite.Store) {
	w.t.Helper()
	ctx := w.t.Context()
	if due, err := s.DueMails(ctx, w.clock.Now().Add(time.Hour), 10); err != nil || len(due) > 0 {
		w.t.Errorf("mail came back: %v, %v", due, err)
	}
	p, ring, mails := w.serve(s)
	if _, err := p.Refresh(ctx, who, w.refresh); issuer.KindOf(err) != issuer.KindInvalidToken {
		w.t.Errorf("the refresh token: %v", err)
	}
	if _, err := p.Authenticate(ctx, w.access); err == nil {
		w.t.Error("the access token is accepted")
	}
	if _, err := p.Verify(ctx, who, issuer.VerifyRequest{ChallengeID: w.challenge, Code: w.code}); issuer.KindOf(err) != issuer.KindChallengeExpired {
		w.t.Errorf("the code: %v", err)
	}
	for _, purpose := range []keys.MACPurpose{keys.MACRefresh, keys.MACCode, keys.MACDevice} {
		for _, id := range w.secrets {
			if _, err := ring.MACSecretByID(ctx, purpose, id); !errors.Is(err, keys.ErrUnknownSecret) {
				w.t.Errorf("a secret of the backup: %v", err)
			}
		}
	}
	if _, err := ring.Verify(w.access); errors.Is(err, keys.ErrToken) != slices.Contains(w.revoked, w.kid) {
		w.t.Errorf("what the key signed: %v", err)
	}
	standing, err := w.operator(s).Standing(ctx)
	if err != nil || standing.Restarting != "" || !slices.Equal(standing.Revoked, w.revoked) || slices.Contains(standing.Published, w.kid) == slices.Contains(w.revoked, w.kid) {
		w.t.Errorf("%+v, %v", standing, err)
	}
	if live, err := s.SessionsActiveSince(ctx, time.Time{}, issuer.SessionCursor{}, 10); err != nil || len(live) > 0 {
		w.t.Errorf("%d sessions live, %v", len(live), err)
	}
	said, err := s.ListAudit(ctx, issuer.AuditQuery{Type: "store.restored"}, issuer.Place{}, 10)
	if err != nil || len(said) != 1 {
		w.t.Errorf("the audit log says %v, %v", said, err)
	}
	w.inOrder(s)
	for _, email := range []string{"ada@example.org", "bob@example.org"} {
		ticket, err := p.Login(ctx, who, issuer.LoginRequest{Email: email, Password: password})
		w.must(err)
		set, err := p.Verify(ctx, who, issuer.VerifyRequest{ChallengeID: ticket.ChallengeID, Code: mails.sealedCode(ring, email)})
		w.must(err)
		if _, err := p.Authenticate(ctx, set.AccessToken); err != nil {
			w.t.Errorf("%s can't sign in anew: %v", email, err)
		}
	}
	w.signUp(p, ring, mails, "ghost@example.org")
	w.signUp(p, ring, mails, "bob-moved@example.org")
}

// inOrder are the invariants of identifiers.
func (w *restoreWorld) inOrder(s *sqlite.Store) {
	w.t.Helper()
	ctx := w.t.Context()
	users, err := s.ListUsers(ctx, issuer.UserQuery{}, issuer.Place{}, 100)
	if err != nil || len(users) != w.users {
		w.t.Fatalf("%d users, %v", len(users), err)
	}
	taken := map[string]string{}
	for _, u := range users {
		if u.Pending != 0 {
			w.t.Errorf("%s: an act is not carried out", u.ID)
		}
		if u.State != issuer.UserActive {
			if u.ID != "twin" {
				w.t.Errorf("%s is %s", u.ID, u.State)
			}
			continue
		}
		if other := taken[u.Email]; other != "" {
			w.t.Errorf("%s and %s have one address", other, u.ID)
		}
		taken[u.Email] = u.ID
		names := []string{issuer.EmailKey(u.Email)}
		if u.Username != "" {
			names = append(names, issuer.NameKey("name"))
		}
		for _, name := range names {
			if i, err := s.Identifier(ctx, name); err != nil || i.UserID != u.ID || i.Kind != issuer.IdentifierFirm {
				w.t.Errorf("%s of %s: %+v, %v", name, u.ID, i, err)
			}
		}
	}
	if len(taken) != w.users-1 {
		w.t.Errorf("%d active users", len(taken))
	}
	for _, name := range []string{"email:ghost@example.org", "email:bob-moved@example.org"} {
		if _, err := s.Identifier(ctx, name); !errors.Is(err, issuer.ErrNotFound) {
			w.t.Errorf("%s is still taken: %v", name, err)
		}
	}
}

func TestARestoreBringsNothingBack(t *testing.T) {
	w := newRestoreWorld(t)
	for _, revoked := range [][]string{w.revoked, nil} {
		w.revoked = revoked
		s := w.restored()
		sum, err := w.restore(s, never)
		w.must(err)
		slices.Sort(sum.Conflicts)
		if sum.Sessions != 7 || sum.Users != w.users || sum.Released != 2 || sum.Inserted != 3 || !slices.Equal(sum.Conflicts, []string{"namesake", "twin"}) {
			t.Errorf("%+v", sum)
		}
		if revoked != nil && len(sum.KeyChanges) == 0 {
			t.Error("it says nothing of keys")
		}
		w.nothingComesBack(s)
	}
}

// What a restore is there for: a backup that is only copied into place brings everything back.
func TestACopiedBackupBringsEverythingBack(t *testing.T) {
	w := newRestoreWorld(t)
	ctx := t.Context()
	p, _, _ := w.serve(w.restored())
	if _, err := p.Authenticate(ctx, w.access); err != nil {
		t.Error(err)
	}
	if _, err := p.Refresh(ctx, who, w.refresh); err != nil {
		t.Error(err)
	}
	if _, err := p.Verify(ctx, who, issuer.VerifyRequest{ChallengeID: w.challenge, Code: w.code}); err != nil {
		t.Error(err)
	}
}

// A crash before any operation, and then a second run: until that one is complete nobody serves, and then nothing came back.
func TestARestoreGoesOnAfterACrash(t *testing.T) {
	w := newRestoreWorld(t)
	all := 0
	_, err := w.restore(w.restored(), func(_ string, n int) conformance.Fault { all = n; return conformance.None })
	w.must(err)
	for n := 1; n <= all; n++ {
		if n > 6 && n%7 != 0 && os.Getenv("SIGNET_TEST_LONG") != "1" {
			continue
		}
		s := w.restored()
		if _, err := w.restore(s, conformance.From(n, conformance.CrashBefore)); err == nil {
			t.Fatalf("operation %d of %d was not there", n, all)
		}
		standing, err := w.operator(s).Standing(t.Context())
		w.must(err)
		if _, err := w.replica(s); errors.Is(err, keys.ErrRestarting) != (standing.Restarting != "") {
			t.Errorf("crash at %d: mark %q, a server says %v", n, standing.Restarting, err)
		}
		if (standing.Restarting == "") != (n <= ringOperations) {
			t.Errorf("crash at %d: mark %q", n, standing.Restarting)
		}
		if _, err := w.restore(s, never); err != nil {
			t.Fatalf("after a crash at %d: %v", n, err)
		}
		w.nothingComesBack(s)
		if t.Failed() {
			t.Fatalf("crash at operation %d of %d", n, all)
		}
	}
	t.Logf("crashes at %d operations", all)
}

// ringOperations are those until the mark is saved: load the ring, ask the time, save.
const ringOperations = 3

// Answers that are lost and writes that arrive twice, at every operation.
func TestARestoreTakesLostAnswers(t *testing.T) {
	w := newRestoreWorld(t)
	for first, fault := range []conformance.Fault{conformance.AnswerLost, conformance.Twice} {
		s := w.restored()
		_, err := w.restore(s, func(op string, n int) conformance.Fault {
			if op == "StoreTime" || op == "LoadRing" || n%2 == first {
				return conformance.None // reads of the ring are not tried again: the operator is told, and begins anew
			}
			return fault
		})
		w.must(err)
		w.nothingComesBack(s)
	}
}

// A store that never served has no ring to mark, and still gets its identifiers in order.
func TestARestoreOfAStoreWithoutARing(t *testing.T) {
	w := &restoreWorld{t: t, clock: &clock{now: epoch}}
	s := w.open(filepath.Join(t.TempDir(), "signet.db"))
	w.must(s.InsertUser(t.Context(), issuer.User{ID: "u", State: issuer.UserActive, Email: "u@example.org", CreatedAt: epoch}))
	sum, err := w.restore(s, never)
	if err != nil || sum.Inserted != 1 || sum.Users != 1 {
		t.Errorf("%+v, %v", sum, err)
	}
	if _, err := s.Identifier(t.Context(), "email:u@example.org"); err != nil {
		t.Error(err)
	}
}
