package issuer_test

import (
	"context"
	"testing"

	"pgregory.net/rapid"

	"signet/issuer"
)

// moving is an account that has proven two new addresses, another that has proven one of them too, and a registration of it.
type moving struct {
	w        *world
	p        *issuer.Provider
	a, b     issuer.Principal // b wants what a wants
	at       [4]string        // a's own, wanted by both, wanted by a, b's own
	ids      [3]string        // challenges: a to at[1], a to at[2], b to at[1]
	codes    [3]string
	register string
	regCode  string
	name     string
}

func newMoving(rt *rapid.T, w *world) *moving {
	m := &moving{w: w, p: w.replica(w.store), at: [4]string{uniqueEmail(), uniqueEmail(), uniqueEmail(), uniqueEmail()}}
	m.a, _ = w.signedIn(m.p, m.at[0])
	m.b, _ = w.signedIn(m.p, m.at[3])
	m.name = "name" + m.a.User.ID[24:]
	for i, c := range []struct {
		who issuer.Principal
		to  string
	}{{m.a, m.at[1]}, {m.a, m.at[2]}, {m.b, m.at[1]}} {
		tk, err := m.p.ChangeEmail(w.t.Context(), who, c.who, c.to, password)
		if err != nil {
			rt.Fatal(err)
		}
		m.ids[i], m.codes[i] = tk.ChallengeID, w.mails.code(w.t, c.to)
	}
	tk, err := m.p.Register(w.t.Context(), who, issuer.RegisterRequest{Email: m.at[1], Password: password})
	if err != nil {
		rt.Fatal(err)
	}
	m.register, m.regCode = tk.ChallengeID, w.mails.code(w.t, m.at[1])
	return m
}

// Section 5: an account moves to two addresses at once, one of them twice over; another account and a registration want one of these too; its name is
// changed, it is deleted, and a poll and a stranger meet the identifiers on the way; some of it at once, with crashes, lost answers and repeated writes
// anywhere. At most one active user has an address; an active user's address and name point to it at every moment that anything is answered; of two
// proven changes one wins; one poll after a crash every other address is free, and a registration by its reader ends with a working account.
func TestEmailChangeProperties(t *testing.T) {
	world := renewed(t)
	rapid.Check(t, func(rt *rapid.T) {
		w := world()
		m := newMoving(rt, w)
		proves := func(name string, who issuer.Principal, i int) func() *call {
			return func() *call { return w.begin(name, provingEmail(who, m.ids[i], m.codes[i])) }
		}
		plain := func(name string, run func(ctx context.Context, p *issuer.Provider) error) func() *call {
			return func() *call {
				return w.begin(name, func(ctx context.Context, p *issuer.Provider) (issuer.TokenSet, error) {
					return issuer.TokenSet{}, run(ctx, p)
				})
			}
		}
		calls := some(rt, []func() *call{
			proves("first", m.a, 0), proves("first", m.a, 0), proves("second", m.a, 1), proves("other", m.b, 2),
			func() *call { return w.begin("register", verifying(m.register, m.regCode)) },
			plain("delete", func(ctx context.Context, p *issuer.Provider) error { return p.DeleteMe(ctx, who, m.a, password) }),
			plain("rename", func(ctx context.Context, p *issuer.Provider) error {
				_, err := p.UpdateMe(ctx, m.a, issuer.ProfileUpdate{Username: &m.name})
				return err
			}),
			plain("stranger", func(ctx context.Context, p *issuer.Provider) error {
				_, err := p.ForgotPassword(ctx, who, m.at[1])
				return err
			}),
			func() *call { return w.begin("poll", settling) },
		}, 2)
		driveWatched(rt, calls, func(c *call) { m.atAnswer(rt, c) })
		for _, c := range calls {
			onlyKinds(rt, c, issuer.KindChallengeExpired, issuer.KindConflict, issuer.KindSessionRevoked)
		}
		if err := m.p.Settle(t.Context()); err != nil {
			rt.Fatal(err)
		}
		m.afterPoll(rt, calls)
	})
}

// atAnswer is what must hold at the very moment that a call is answered.
func (m *moving) atAnswer(rt *rapid.T, c *call) {
	m.pointed(rt)
	if !c.ended || c.err != nil {
		return
	}
	switch c.name {
	case "delete":
		if u := m.w.user(m.a.User.ID); u.State != issuer.UserDeleted || len(u.Release) > 0 {
			rt.Fatalf("a deletion was answered: %+v", u)
		}
	case "first", "second", "other":
		id, to := m.a.User.ID, m.at[1]
		if c.name == "second" {
			to = m.at[2]
		} else if c.name == "other" {
			id = m.b.User.ID
		}
		if u := m.w.user(id); u.State == issuer.UserActive && u.Email != to {
			rt.Fatalf("%s was answered: %+v", c.name, u)
		}
	}
}

// pointed: at every moment the address of an active user, and its name, point to it.
func (m *moving) pointed(rt *rapid.T) {
	for _, id := range []string{m.a.User.ID, m.b.User.ID} {
		u := m.w.user(id)
		if u.State != issuer.UserActive {
			continue
		}
		keys := []string{issuer.EmailKey(u.Email)}
		if _, key, err := issuer.CanonicalUsername(u.Username); err == nil {
			keys = append(keys, issuer.NameKey(key))
		}
		for _, key := range keys {
			if i, err := m.w.store.Identifier(m.w.t.Context(), key); err != nil || i.UserID != id {
				rt.Fatalf("%s of %+v: %+v, %v", key, u, i, err)
			}
		}
	}
}

func (m *moving) afterPoll(rt *rapid.T, calls []*call) {
	w := m.w
	w.sound(rt, m.a.User.ID, m.b.User.ID)
	keys := []string{"name:" + m.name}
	for _, address := range m.at {
		keys = append(keys, issuer.EmailKey(address))
	}
	w.free(rt, keys...)
	first, mayFirst := answered(calls, "first")
	second, maySecond := answered(calls, "second")
	deleted, mayDelete := answered(calls, "delete")
	if first > 0 && second > 0 {
		rt.Fatal("both of two changes from one address were answered")
	}
	u := w.user(m.a.User.ID)
	switch {
	case u.State == issuer.UserDeleted:
		if deleted+mayDelete == 0 {
			rt.Fatal("deleted by nobody")
		}
	case deleted > 0:
		rt.Fatalf("a deletion was answered: %+v", u)
	case first > 0 && u.Email != m.at[1], second > 0 && u.Email != m.at[2], first+mayFirst == 0 && u.Email == m.at[1], second+maySecond == 0 && u.Email == m.at[2]:
		rt.Fatalf("first %d, second %d: %+v", first, second, u)
	}
	if n := len(w.events("email.changed", u.ID)); u.State == issuer.UserActive && (u.Email != m.at[0]) != (n == 1) {
		rt.Fatalf("%d changes audited: %+v", n, u)
	}
	for _, address := range m.at {
		addressWorks(rt, w, m.p, address, password)
	}
}
