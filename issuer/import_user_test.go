package issuer_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/issuer"
	"signet/repository/conformance"
)

// A hash that Django made of `violet otter plays cello`, at little cost.
const (
	djangoPassword = "violet otter plays cello"
	djangoHash     = "pbkdf2_sha256$1000$seasalt$tfzWb0+6qR2E6uj705JhesCHre//2xiePh/m79KEFKs="
)

func row(id, email, username string) issuer.ImportedUser {
	return issuer.ImportedUser{ID: id, Email: email, Username: username, PasswordHash: djangoHash, GivenName: "Zoe\u0308", FamilyName: "O'Neill",
		CreatedAt: time.Date(2019, 3, 4, 5, 6, 7, 891234567, time.UTC), LastLoginAt: time.Date(2024, 12, 31, 23, 0, 0, 0, time.FixedZone("", 3600))}
}

// settled is a replica that has read what a server reads before it answers.
func (w *world) settled(store issuer.Store) *issuer.Provider {
	w.t.Helper()
	p := w.replica(store)
	if err := p.LoadHashKinds(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) imports(u issuer.ImportedUser) {
	w.t.Helper()
	if got, err := w.replica(w.store).ImportUser(w.t.Context(), u); err != nil || got != issuer.ImportMade {
		w.t.Fatalf("import %+v: %s, %v", u, got, err)
	}
}

// An account comes with what it had: id, names, times, roles, state, and a password that works once and is then hashed anew.
func TestImportedUser(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	u := row("4711", " Zoe@Example.ORG", "Ｚoë")
	u.Roles = []string{"admin", "staff"}
	w.imports(u)
	got, err := w.store.User(ctx, "4711")
	want := issuer.User{ID: "4711", State: issuer.UserActive, Email: "zoe@example.org", Username: "Zoë", NameRev: 1, PasswordHash: djangoHash, GivenName: "Zo\u00eb", FamilyName: "O'Neill",
		Roles: u.Roles, CreatedAt: time.Date(2019, 3, 4, 5, 6, 7, 891e6, time.UTC), LastLoginAt: time.Date(2024, 12, 31, 22, 0, 0, 0, time.UTC)}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%v\n%+v, want\n%+v", err, got, want)
	}
	for _, id := range []string{issuer.EmailKey("zoe@example.org"), issuer.NameKey("zoë")} {
		if i, err := w.store.Identifier(ctx, id); err != nil || i.UserID != "4711" || i.Kind != issuer.IdentifierFirm || i.Payload != nil {
			t.Errorf("%s: %+v, %v", id, i, err)
		}
	}
	p := w.settled(w.store)
	tk, err := p.Login(ctx, who, issuer.LoginRequest{Username: "ZOË", Password: djangoPassword})
	if err != nil {
		t.Fatal(err)
	}
	if got, err = w.store.User(ctx, "4711"); err != nil || !strings.HasPrefix(got.PasswordHash, "$argon2id$") || got.EmailVerified {
		t.Errorf("after the password: %+v, %v", got, err)
	}
	s, err := p.Verify(ctx, who, issuer.VerifyRequest{ChallengeID: tk.ChallengeID, Code: w.mails.code(t, "zoe@example.org")})
	if err != nil || s.UserID != "4711" || claimsOf(t, s.AccessToken)["sub"] != "4711" || s.Scope != "account admin" {
		t.Fatalf("%+v, %v", s, err)
	}
	if got, err = w.store.User(ctx, "4711"); err != nil || !got.EmailVerified {
		t.Errorf("after the code: %+v, %v", got, err)
	}
	w.clock.advance(time.Hour)
	if _, err := p.Login(ctx, who, issuer.LoginRequest{Email: "zoe@example.org", Password: djangoPassword}); err != nil {
		t.Errorf("the second sign-in: %v", err)
	}
}

// A disabled account is one from the first moment on, has its username, and can't sign in.
func TestImportedDisabledUser(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	u := row("019481f4-5b1c-7d3e-8f00-0123456789AB", "ada@example.org", "ada")
	u.Disabled = true
	w.imports(u)
	got, err := w.store.User(ctx, "019481f4-5b1c-7d3e-8f00-0123456789ab")
	if err != nil || got.State != issuer.UserDisabled || got.Username != "ada" {
		t.Fatalf("%+v, %v", got, err)
	}
	if i, err := w.store.Identifier(ctx, issuer.NameKey("ada")); err != nil || i.UserID != got.ID || i.Kind != issuer.IdentifierFirm {
		t.Errorf("%+v, %v", i, err)
	}
	_, err = w.settled(w.store).Login(ctx, who, issuer.LoginRequest{Username: "ada", Password: djangoPassword})
	wantKind(t, err, issuer.KindInvalidCredentials)
	other := row("2", "eve@example.org", "Ada")
	_, err = w.replica(w.store).ImportUser(ctx, other)
	wantKind(t, err, issuer.KindConflict)
}

// The same row again is the same act: nothing is written, and what its owner has changed since stays.
func TestImportAgain(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	u, off := row("1", "ada@example.org", "ada"), row("2", "bob@example.org", "bob")
	off.Disabled = true
	w.imports(u)
	w.imports(off)
	counted := conformance.Counting(w.store)
	p := w.replica(counted)
	for _, r := range []issuer.ImportedUser{u, off} {
		for range 2 {
			if got, err := p.ImportUser(ctx, r); err != nil || got != issuer.ImportThere {
				t.Errorf("again: %s, %v", got, err)
			}
		}
	}
	if _, changed := counted.Operations()["InsertUser"]; changed {
		t.Errorf("%v", counted.Operations())
	}
	before, _ := w.store.User(ctx, "1")
	if _, err := w.replica(w.store).UpdateMe(ctx, issuer.Principal{User: before}, issuer.ProfileUpdate{Username: new("countess")}); err != nil {
		t.Fatal(err)
	}
	if got, err := p.ImportUser(ctx, u); err != nil || got != issuer.ImportThere {
		t.Errorf("after a change of username: %s, %v", got, err)
	}
	if now, _ := w.store.User(ctx, "1"); now.Username != "countess" {
		t.Errorf("the import took the username back: %+v", now)
	}
}

// What can't be taken is refused whole, with every field and without the value, and nothing is written.
func TestImportRefuses(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	for field, bad := range map[string][]func(*issuer.ImportedUser){
		"id": {func(u *issuer.ImportedUser) { u.ID = "" }, func(u *issuer.ImportedUser) { u.ID = "0" }, func(u *issuer.ImportedUser) { u.ID = "-1" },
			func(u *issuer.ImportedUser) { u.ID = "007" }, func(u *issuer.ImportedUser) { u.ID = "9223372036854775808" }, func(u *issuer.ImportedUser) { u.ID = "ada" },
			func(u *issuer.ImportedUser) { u.ID = "00000000-0000-0000-0000-000000000000" }, func(u *issuer.ImportedUser) { u.ID = strings.Repeat("z", 36) }},
		"email":       {func(u *issuer.ImportedUser) { u.Email = "" }, func(u *issuer.ImportedUser) { u.Email = "secret" }, func(u *issuer.ImportedUser) { u.Email = "secret@x" }},
		"username":    {func(u *issuer.ImportedUser) { u.Username = "a secret" }, func(u *issuer.ImportedUser) { u.Username = strings.Repeat("x", 151) }},
		"given_name":  {func(u *issuer.ImportedUser) { u.GivenName = "secret\x00" }},
		"family_name": {func(u *issuer.ImportedUser) { u.FamilyName = strings.Repeat("secret", 50) }},
		"password": {func(u *issuer.ImportedUser) { u.PasswordHash = "secret" }, func(u *issuer.ImportedUser) {
			u.PasswordHash = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		}, func(u *issuer.ImportedUser) { u.PasswordHash = strings.Replace(djangoHash, "1000", "10000001", 1) }},
		"created_at":    {func(u *issuer.ImportedUser) { u.CreatedAt = epoch.Add(48 * time.Hour) }, func(u *issuer.ImportedUser) { u.CreatedAt = time.Unix(-1, 0).UTC() }},
		"last_login_at": {func(u *issuer.ImportedUser) { u.LastLoginAt = epoch.Add(48 * time.Hour) }},
		"roles":         {func(u *issuer.ImportedUser) { u.Roles = []string{"Secret Role"} }},
	} {
		for n, change := range bad {
			counted := conformance.Counting(w.store)
			p := w.replica(counted)
			u := row("1", "ada@example.org", "ada")
			change(&u)
			for name, call := range map[string]func(context.Context, issuer.ImportedUser) (issuer.ImportOutcome, error){"import": p.ImportUser, "check": p.CheckImport} {
				_, err := call(ctx, u)
				var e *issuer.Error
				if !errors.As(err, &e) || e.Kind != issuer.KindInvalidRequest || len(e.Fields) != 1 || e.Fields[0].Field != field {
					t.Errorf("%s %d, %s: %v", field, n, name, err)
				} else if strings.Contains(fmt.Sprint(e.Fields, err), "secret") {
					t.Errorf("%s %d: the refusal repeats the value: %v", field, n, e.Fields)
				}
			}
			if counted.Total() != 0 {
				t.Errorf("%s %d: %v", field, n, counted.Operations())
			}
		}
	}
}

// Who has an id, an address or a username keeps it, and who is refused for one leaves nothing.
func TestImportConflicts(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.signUp("taken@example.org")
	w.imports(row("1", "ada@example.org", "ada"))
	w.imports(row("2", "gone@example.org", "gone"))
	gone, err := w.store.User(ctx, "2")
	if err != nil {
		t.Fatal(err)
	}
	if _, hit, err := w.store.ActOnUser(ctx, "2", issuer.Act{Ver: gone.Ver, Att: "x", At: epoch, EndAll: issuer.RevokedDeleted, State: issuer.UserDeleted, Erase: true}); !hit || err != nil {
		t.Fatal(hit, err)
	}
	for field, u := range map[string]issuer.ImportedUser{
		"id":       row("1", "other@example.org", ""),
		"id ":      row("2", "other@example.org", ""),
		"email":    row("3", "TAKEN@example.org", "free"),
		"email ":   row("3", "ada@example.org", ""),
		"username": row("3", "other@example.org", "ADA"),
	} {
		p := w.replica(w.store)
		for name, call := range map[string]func(context.Context, issuer.ImportedUser) (issuer.ImportOutcome, error){"check": p.CheckImport, "import": p.ImportUser} {
			got, err := call(ctx, u)
			var e *issuer.Error
			if got != "" || !errors.As(err, &e) || e.Kind != issuer.KindConflict || len(e.Fields) != 1 || e.Fields[0].Field != strings.TrimSpace(field) {
				t.Errorf("%s, %s: %q, %v", field, name, got, err)
			}
		}
		if _, err := w.store.User(ctx, "3"); !errors.Is(err, issuer.ErrNotFound) {
			t.Errorf("%s: the refused one is there: %v", field, err)
		}
		for _, id := range []string{issuer.EmailKey("other@example.org"), issuer.NameKey("free")} {
			if _, err := w.store.Identifier(ctx, id); !errors.Is(err, issuer.ErrNotFound) {
				t.Errorf("%s: %s stays reserved: %v", field, id, err)
			}
		}
	}
	// The names of the deleted account are free.
	w.imports(row("4", "gone@example.org", "gone"))
}

// whole checks that the account is there as imported, and its identifiers point to it.
func (w *world) whole(when string, u issuer.ImportedUser) {
	w.t.Helper()
	ctx := w.t.Context()
	got, err := w.store.User(ctx, u.ID)
	if err != nil || got.Email != u.Email || got.Username != u.Username || got.PasswordHash != u.PasswordHash || (got.State == issuer.UserDisabled) != u.Disabled || len(got.Release) > 0 {
		w.t.Fatalf("%s: %+v, %v", when, got, err)
	}
	for _, id := range []string{issuer.EmailKey(u.Email), issuer.NameKey(u.Username)} {
		if i, err := w.store.Identifier(ctx, id); err != nil || i.UserID != u.ID || i.Kind != issuer.IdentifierFirm || i.Payload != nil || !i.OpenSince.IsZero() {
			w.t.Fatalf("%s: %s: %+v, %v", when, id, i, err)
		}
	}
}

// Killed before any operation, or with any answer lost or any write made twice, an import that is run again makes the account whole; and until
// then a poll of a running server, or somebody who registers with the address, finds nothing that blocks or steals it.
func TestImportCrashes(t *testing.T) {
	for _, disabled := range []bool{false, true} {
		u := row("7", "ada@example.org", "ada")
		u.Disabled, u.Roles = disabled, []string{"staff"}
		for n := 1; ; n++ {
			ops := 0
			for name, plan := range map[string]conformance.Plan{
				"killed": conformance.From(n, conformance.CrashBefore), "lost": conformance.At(n, conformance.AnswerLost), "twice": conformance.At(n, conformance.Twice),
			} {
				for _, between := range []string{"", "poll", "registration"} {
					w := newWorld(t)
					when := fmt.Sprintf("disabled %v, operation %d %s, then %q", disabled, n, name, between)
					ctx, cancel := context.WithCancel(t.Context())
					p := w.replica(conformance.Faulty(w.store, func(op string, i int) conformance.Fault {
						ops = max(ops, i)
						f := plan(op, i)
						if f == conformance.CrashBefore {
							cancel()
						}
						return f
					}))
					_, err := p.ImportUser(ctx, u)
					if (err == nil) == (name == "killed" && ops >= n) {
						t.Fatalf("%s: %v", when, err)
					}
					cancel()
					w.between(when, between, u)
					outcome, err := w.replica(w.store).ImportUser(t.Context(), u)
					if err != nil {
						t.Fatalf("%s: again: %s, %v", when, outcome, err)
					}
					w.whole(when, u)
					audit, err := w.store.ListAudit(t.Context(), issuer.AuditQuery{Type: "user.imported"}, issuer.Place{}, 10)
					if err != nil || len(audit) != 1 || audit[0].Target != "7" {
						t.Fatalf("%s: audit %+v, %v", when, audit, err)
					}
				}
			}
			if ops < n {
				break
			}
		}
	}
}

// between is what others do after an import was killed and before it is run again.
func (w *world) between(when, what string, u issuer.ImportedUser) {
	w.t.Helper()
	switch what {
	case "poll":
		if err := w.replica(w.store).Settle(w.t.Context()); err != nil {
			w.t.Fatalf("%s: settle: %v", when, err)
		}
		open, err := w.store.OpenIdentifiers(w.t.Context(), "", 10)
		if err != nil || len(open) > 0 {
			w.t.Fatalf("%s: open after a poll: %+v, %v", when, open, err)
		}
	case "registration": // asks, and gives no code: nobody gets the address
		if _, err := w.replica(w.store).Register(w.t.Context(), who, issuer.RegisterRequest{Email: u.Email, Password: password}); err != nil {
			w.t.Fatalf("%s: register: %v", when, err)
		}
	}
}

// The hash of an imported account is replaced only if it is still there: a reset that comes between the check of the old password and its rehash wins.
func TestAResetBeatsTheRehashOfAnImportedHash(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.imports(row("1", "ada@example.org", ""))
	reset := "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	p := w.settled(conformance.Faulty(w.store, func(op string, _ int) conformance.Fault {
		if op == "RehashPassword" {
			u, err := w.store.User(ctx, "1")
			if err == nil && u.PasswordHash == djangoHash {
				_, _, err = w.store.ActOnUser(ctx, "1", issuer.Act{Ver: u.Ver, Att: "reset", At: epoch, EndAll: issuer.RevokedReset, PasswordHash: &reset})
			}
			if err != nil {
				t.Error(err)
			}
		}
		return conformance.None
	}))
	tk, err := p.Login(ctx, who, issuer.LoginRequest{Email: "ada@example.org", Password: djangoPassword})
	if err != nil {
		t.Fatal(err)
	}
	if u, err := w.store.User(ctx, "1"); err != nil || u.PasswordHash != reset {
		t.Errorf("the rehash undid the reset: %+v, %v", u, err)
	}
	_, err = p.Verify(ctx, who, issuer.VerifyRequest{ChallengeID: tk.ChallengeID, Code: w.mails.code(t, "ada@example.org")})
	wantKind(t, err, issuer.KindChallengeExpired)
}

// Two imports of different files that meet over an id: one has it, and the other leaves no identifier behind.
func TestTwoImportsOfOneID(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	a, b := row("1", "ada@example.org", ""), row("1", "bob@example.org", "")
	p := w.replica(conformance.Faulty(w.store, func(op string, _ int) conformance.Fault {
		if op == "InsertUser" {
			w.imports(b)
		}
		return conformance.None
	}))
	_, err := p.ImportUser(ctx, a)
	wantKind(t, err, issuer.KindConflict)
	if _, err := w.store.Identifier(ctx, issuer.EmailKey("ada@example.org")); !errors.Is(err, issuer.ErrNotFound) {
		t.Errorf("the address stays reserved: %v", err)
	}
	if u, err := w.store.User(ctx, "1"); err != nil || u.Email != "bob@example.org" {
		t.Errorf("%+v, %v", u, err)
	}
}

// A username that somebody takes between the look-up and the move: the account is there without it, and the answer says so.
func TestAUsernameTakenMeanwhile(t *testing.T) {
	for _, disabled := range []bool{false, true} {
		w, ctx := newWorld(t), t.Context()
		u := row("1", "ada@example.org", "ada")
		u.Disabled = disabled
		taken := false
		p := w.replica(conformance.Faulty(w.store, func(op string, _ int) conformance.Fault {
			if op == "FirmIdentifier" && !taken {
				taken = true
				w.imports(row("2", "eve@example.org", "ada"))
			}
			return conformance.None
		}))
		got, err := p.ImportUser(ctx, u)
		var e *issuer.Error
		if got != issuer.ImportMade || !errors.As(err, &e) || e.Kind != issuer.KindConflict || e.Fields[0].Field != "username" {
			t.Errorf("%s, %v", got, err)
		}
		if i, err := w.store.Identifier(ctx, issuer.NameKey("ada")); err != nil || i.UserID != "2" {
			t.Errorf("%+v, %v", i, err)
		}
		if got, err := p.ImportUser(ctx, u); got != issuer.ImportThere || issuer.KindOf(err) != issuer.KindConflict {
			t.Errorf("again: %s, %v", got, err)
		}
	}
}

// Requirement 86, with imported accounts: a refused password step costs the same store operations and the same work of every family of hashes, whether the account
// is unknown, known, disabled, imported with any kind of hash, or without a password; before and after its kind is known here.
func TestARefusedPasswordCostsTheSameForImportedUsers(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.signUp("known@example.org")
	h, err := issuer.NewHasher(issuer.HasherConfig{MemoryKiB: 8, Time: 1, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	counted := conformance.Counting(w.store)
	p := issuer.New(issuer.Deps{Settings: w.set, Store: counted, Keys: w.keys, Hasher: h, Postman: w.mails, Observer: ignore{}})
	p.ShareClients(w.replica(w.store))
	asked := []issuer.LoginRequest{{Email: "known@example.org"}, {Email: "unknown@example.org"}, {Username: "nobody"}, {Email: "disabled@example.org"}, {Email: "nopassword@example.org"}}
	for n, hash := range djangoHashes {
		u := row(fmt.Sprint(n+1), fmt.Sprintf("imported%d@example.org", n), fmt.Sprintf("imported%d", n))
		u.PasswordHash = hash
		w.imports(u)
		asked = append(asked, issuer.LoginRequest{Email: u.Email}, issuer.LoginRequest{Username: u.Username})
	}
	for id, email := range map[string]string{"101": "disabled@example.org", "102": "nopassword@example.org"} {
		u := row(id, email, "")
		if u.Disabled = id == "101"; !u.Disabled {
			u.PasswordHash = ""
		}
		w.imports(u)
	}
	for _, known := range []bool{false, true} {
		if known {
			if err := p.LoadHashKinds(ctx); err != nil {
				t.Fatal(err)
			}
		}
		for _, typed := range []string{"wrong password", "Zoe\u0308 wrong"} {
			var want map[string]uint64
			var said string
			for i, r := range asked {
				r.Password = typed
				counted.Reset()
				before := h.Work()
				_, err := p.Login(ctx, who, r)
				wantKind(t, err, issuer.KindInvalidCredentials)
				got := h.Work()
				for family := range got {
					got[family] -= before[family]
				}
				got["operations"] = uint64(counted.Total())
				if i == 0 {
					want, said = got, err.Error()
				}
				if !reflect.DeepEqual(got, want) || err.Error() != said {
					t.Errorf("%+v: %v, %v; of a known account %v, %s", r, got, err, want, said)
				}
			}
			if imported := want["pbkdf2_sha256"] > 0 && want["bcrypt"] > 0; imported != known {
				t.Errorf("kinds known: %v, and a refusal costs %v", known, want)
			}
		}
	}
}

// djangoHashes are one of each family, of low cost, and two of some.
var djangoHashes = []string{
	djangoHash,
	"pbkdf2_sha256$1200$seasalt$tfzWb0+6qR2E6uj705JhesCHre//2xiePh/m79KEFKs=",
	"pbkdf2_sha1$1000$seasalt$AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
	"argon2$argon2id$v=19$m=64,t=1,p=2$MGtOSjB6cUxaakc4b1g5Y2NORTlnaA$63SKl55+rPC/slRIWXdI2fjMoGiDF6v1b1vAbD50t34",
	"argon2$argon2i$v=19$m=64,t=2,p=2$MGtOSjB6cUxaakc4b1g5Y2NORTlnaA$63SKl55+rPC/slRIWXdI2fjMoGiDF6v1b1vAbD50t34",
	"bcrypt$$2b$04$63KwMncgIjMtIxeyTebyEOZrnsYkAJDZb1PGk6UIooZPyJKqKsrqS",
	"bcrypt_sha256$$2b$05$63KwMncgIjMtIxeyTebyEOZrnsYkAJDZb1PGk6UIooZPyJKqKsrqS",
	"scrypt$16$seasalt$1$1$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
	"scrypt$16$seasalt$2$3$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
}

// Every poll reads the kinds again; while the store does not answer, those read before stay.
func TestPollsReadTheKindsOfHashes(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	down := false
	p := w.replica(conformance.Faulty(w.store, func(op string, _ int) conformance.Fault {
		if down && op == "HashKinds" {
			return conformance.CrashBefore
		}
		return conformance.None
	}))
	login := issuer.LoginRequest{Email: "ada@example.org", Password: djangoPassword}
	w.imports(row("1", "ada@example.org", ""))
	_, err := p.Login(ctx, who, login)
	wantKind(t, err, issuer.KindInvalidCredentials) // its kind is new here: nobody may tell it from any other account
	if err := p.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	down = true
	if err := p.Settle(ctx); err == nil {
		t.Error("a poll that could not read the kinds says nothing")
	}
	if _, err := p.Login(ctx, who, login); err != nil {
		t.Errorf("after a poll: %v", err)
	}
	kinds, err := w.store.HashKinds(ctx)
	if err != nil || !slices.Equal(kinds, []string{"argon2id$m=8,t=1,p=1"}) {
		t.Errorf("after the rehash the kinds are %v, %v", kinds, err)
	}
}
