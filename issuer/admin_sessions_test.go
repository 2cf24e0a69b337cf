package issuer_test

import (
	"slices"
	"testing"
	"time"

	"signet/issuer"
	"signet/repository/conformance"
)

func sids(page issuer.Page[issuer.Session]) (out []string) {
	for _, s := range page.Items {
		out = append(out, s.ID)
	}
	return out
}

// A user lists its outstanding sessions and ends them one by one, nobody else's.
func TestMySessions(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	ada, first := w.signedIn(p, "ada@example.org")
	bob, _ := w.signedIn(p, "bob@example.org")
	w.clock.advance(time.Minute)
	second := w.signIn(p, "ada@example.org")
	w.clock.advance(time.Minute)
	third := w.signIn(p, "ada@example.org")
	if err := p.Logout(ctx, who, third.RefreshToken); err != nil {
		t.Fatal(err)
	}
	list := func() []string {
		t.Helper()
		page, err := p.MySessions(ctx, ada, issuer.Place{}, 10)
		if err != nil || page.Next != nil {
			t.Fatalf("%+v, %v", page, err)
		}
		return sids(page)
	}
	if got := list(); !slices.Equal(got, []string{first.SID, second.SID}) {
		t.Errorf("listed %v", got)
	}
	for _, sid := range []string{bob.Session.ID, "AAAAAAAAAAAAAAAAAAAAAA", "", "\xff"} {
		wantKind(t, p.EndSession(ctx, who, ada, sid), issuer.KindNotFound)
	}
	if w.session(bob.Session.ID).Revoked != nil {
		t.Fatal("somebody else's session was ended")
	}
	for range 2 {
		if err := p.EndSession(ctx, who, ada, second.SID); err != nil {
			t.Fatal(err)
		}
		w.clock.advance(time.Second)
	}
	_, err := p.Refresh(ctx, who, second.RefreshToken)
	wantKind(t, err, issuer.KindSessionRevoked)
	if r := w.session(second.SID).Revoked; r.Why != issuer.RevokedEnded {
		t.Errorf("revoked for %s", r.Why)
	}
	if err := p.EndSession(ctx, who, ada, third.SID); err != nil || w.session(third.SID).Revoked.Why != issuer.RevokedLogout {
		t.Errorf("one that was over: %v", err)
	}
	log := w.audited("session.ended")
	if len(log) != 1 || log[0].Actor != ada.User.ID || log[0].Target != ada.User.ID || log[0].SID != second.SID || log[0].Source != who.IP || log[0].RequestID != who.RequestID {
		t.Errorf("audited %+v", log)
	}
	if got := list(); !slices.Equal(got, []string{first.SID}) {
		t.Errorf("listed %v", got)
	}
	w.clock.advance(15 * 24 * time.Hour)
	if got := list(); len(got) != 0 {
		t.Errorf("expired ones are listed: %v", got)
	}
}

// An administrator lists everybody's sessions, those that were revoked too, and ends any.
func TestAdminSessions(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	by, root := w.admin(p)
	w.clock.advance(time.Second)
	ada, s := w.signedIn(p, "ada@example.org")
	list := func(user string, revoked bool) []string {
		t.Helper()
		page, err := p.ListSessions(ctx, by, user, revoked, issuer.Place{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		return sids(page)
	}
	if got := list("", false); !slices.Equal(got, []string{root.Session.ID, ada.Session.ID}) {
		t.Errorf("all: %v", got)
	}
	for range 2 {
		if err := p.EndAnySession(ctx, by, ada.Session.ID); err != nil {
			t.Fatal(err)
		}
		w.clock.advance(time.Second)
	}
	_, err := p.Refresh(ctx, who, s.RefreshToken)
	wantKind(t, err, issuer.KindSessionRevoked)
	for _, c := range []struct {
		user    string
		revoked bool
		want    []string
	}{{"", false, []string{root.Session.ID}}, {"", true, []string{ada.Session.ID}}, {ada.User.ID, true, []string{ada.Session.ID}}, {ada.User.ID, false, nil},
		{root.User.ID, true, nil}, {"nobody", true, nil}} {
		if got := list(c.user, c.revoked); !slices.Equal(got, c.want) {
			t.Errorf("of %q, revoked %v: %v, want %v", c.user, c.revoked, got, c.want)
		}
	}
	if log := w.audited("session.ended"); len(log) != 1 || log[0].Actor != root.User.ID || log[0].Target != ada.User.ID || log[0].SID != ada.Session.ID {
		t.Errorf("audited %+v", log)
	}
	_, err = p.ListSessions(ctx, by, "a b", false, issuer.Place{}, 10)
	wantKind(t, err, issuer.KindInvalidRequest)
}

func TestOverview(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	by, _ := w.admin(p)
	w.signedIn(p, "ada@example.org")
	bob, _ := w.signedIn(p, "bob@example.org")
	eve, _ := w.signedIn(p, "eve@example.org")
	if _, err := p.PatchUser(ctx, by, bob.User.ID, issuer.UserPatch{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	if err := p.DeleteUser(ctx, by, eve.User.ID); err != nil {
		t.Fatal(err)
	}
	o, err := p.Overview(ctx, by)
	if err != nil || o.Counts != (issuer.Counts{Active: 2, Disabled: 1, Deleted: 1, Outstanding: 2, Revoked: 2}) || o.QueuedMails < 4 {
		t.Errorf("%+v, %v", o, err)
	}
}

// A start is recorded, with what its caller says of it.
func TestRecordStart(t *testing.T) {
	w := newWorld(t)
	w.replica(w.store).RecordStart(t.Context(), "signet 1.0, embedded store")
	if log := w.audited("server.started"); len(log) != 1 || log[0].Detail != "signet 1.0, embedded store" || !log[0].At.Equal(epoch) || log[0].Actor != "" {
		t.Errorf("audited %+v", log)
	}
}

// Whatever is lost of a session's end, or done twice, it is recorded once.
func TestTheEndOfASessionIsRecordedOnce(t *testing.T) {
	for n := 1; ; n++ {
		for _, fault := range []conformance.Fault{conformance.AnswerLost, conformance.Twice, conformance.CrashBefore} {
			w := newWorld(t)
			ada, _ := w.signedIn(w.replica(w.store), "ada@example.org")
			counted := conformance.Counting(conformance.Faulty(w.store, conformance.At(n, fault)))
			p := w.replica(counted)
			counted.Reset()
			if err := p.EndSession(t.Context(), who, ada, ada.Session.ID); err != nil {
				t.Fatal(err)
			}
			if log := w.audited("session.ended"); len(log) != 1 || w.session(ada.Session.ID).Revoked == nil {
				t.Errorf("fault %d of operation %d: audited %+v", fault, n, log)
			}
			if counted.Total() < n {
				return
			}
		}
	}
}
