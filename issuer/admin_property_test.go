package issuer_test

import (
	"context"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"signet/issuer"
	"signet/repository/conformance"
)

// A sign-in, a refresh and a poll race with somebody who disables an account, takes its roles, or does both, with crashes and lost answers
// anywhere. Once that has been answered, no refresh succeeds of a session that began before, and none carries the roles that were taken;
// after a crash both hold once the next poll is over.
func TestAdminActProperties(t *testing.T) {
	w := newWorld(t)
	rapid.Check(t, func(rt *rapid.T) {
		disable, demote := rapid.Bool().Draw(rt, "disable"), rapid.Bool().Draw(rt, "demote")
		if !disable && !demote {
			demote = true
		}
		email := uniqueEmail()
		p := w.replica(w.store)
		me, s := w.signedIn(p, email, "admin", "editor")
		ticket, err := p.Login(t.Context(), who, issuer.LoginRequest{Email: email, Password: password})
		if err != nil {
			rt.Fatal(err)
		}
		patch := issuer.UserPatch{}
		if disable {
			patch.Disabled = &yes
		}
		if demote {
			patch.Roles = &[]string{"reader"}
		}
		calls := []*call{
			w.begin("patch", func(ctx context.Context, p *issuer.Provider) (issuer.TokenSet, error) {
				_, err := p.PatchUser(ctx, issuer.Operator(), me.User.ID, patch)
				return issuer.TokenSet{}, err
			}),
			w.begin("verify", verifying(ticket.ChallengeID, w.mails.code(t, email))),
			w.begin("refresh", refreshing(s.RefreshToken)),
			w.begin("poll", settling),
		}
		drive(rt, calls)
		for _, c := range calls {
			onlyKinds(rt, c, issuer.KindChallengeExpired, issuer.KindSessionRevoked)
		}
		u := w.user(me.User.ID)
		if calls[0].err != nil {
			if u.Ver == me.User.Ver {
				return // died before its write: nothing was promised
			}
			if err := p.Settle(t.Context()); err != nil { // whoever's poll comes next
				rt.Fatal(err)
			}
		}
		if (u.State == issuer.UserDisabled) != disable || slices.Contains(u.Roles, "admin") == demote {
			rt.Fatalf("half of it was done: %+v", u)
		}
		tokens := []string{s.RefreshToken, calls[2].tokens.RefreshToken, calls[1].tokens.RefreshToken}
		for _, token := range tokens {
			if token == "" {
				continue
			}
			next, err := p.Refresh(t.Context(), who, token)
			switch {
			case err != nil && !disable:
				rt.Fatalf("a refresh fails of an account that lost its roles alone: %v", err)
			case err == nil && disable:
				rt.Fatal("a refresh succeeds of an account that is disabled")
			case err == nil && (next.Scope != "account" || len(claimsOf(t, next.AccessToken)["roles"].([]any)) != 1):
				rt.Fatalf("a refresh carries what was taken: %v", claimsOf(t, next.AccessToken))
			}
		}
		if err := p.Settle(t.Context()); err != nil {
			rt.Fatal(err)
		}
		if u = w.user(me.User.ID); u.Pending != 0 {
			rt.Fatalf("an effect stays recorded: %+v", u)
		}
		if calls[0].err == nil {
			audited(rt, w, me.User.ID, disable, demote)
		}
	})
}

// audited: what was answered is in the log, once.
func audited(rt *rapid.T, w *world, id string, disable, demote bool) {
	count := map[string]int{}
	log, err := w.replica(w.store).ListAudit(w.t.Context(), issuer.Operator(), issuer.AuditQuery{Type: "user.", UserID: id}, issuer.Place{}, 200)
	if err != nil {
		rt.Fatal(err)
	}
	for _, e := range log.Items {
		count[e.Type]++
	}
	if (count["user.disabled"] == 1) != disable || (count["user.roles"] == 1) != demote {
		rt.Fatalf("audited %v", count)
	}
}

// A call that died after its act is finished by the same call made again, at once: nobody has to wait for a poll.
func TestAnActIsFinishedByTheSameCall(t *testing.T) {
	w := newWorld(t)
	p := w.replica(w.store)
	by, _ := w.admin(p)
	ada, s := w.signedIn(p, "ada@example.org")
	dying := w.begin("disable", func(ctx context.Context, p *issuer.Provider) (issuer.TokenSet, error) {
		_, err := p.PatchUser(ctx, by, ada.User.ID, issuer.UserPatch{Disabled: &yes})
		return issuer.TokenSet{}, err
	})
	for dying.next != "SessionsOf" {
		dying.step(conformance.None)
	}
	dying.crash()
	if u := w.user(ada.User.ID); u.State != issuer.UserDisabled || u.Pending == 0 || w.session(s.SID).Revoked != nil {
		t.Fatalf("not half done: %+v", u)
	}
	if _, err := p.PatchUser(t.Context(), by, ada.User.ID, issuer.UserPatch{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	if u := w.user(ada.User.ID); u.Pending != 0 || w.session(s.SID).Revoked == nil || len(w.audited("user.disabled")) != 1 {
		t.Errorf("left half done: %+v", u)
	}
}
