package issuer_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/issuer"
)

// Requirement 104: a sign-in, a theft and a logout of all sessions are in the audit log, with who, which session and from where, and
// without any secret.
func TestSignInsAreAudited(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	s := w.signUp("ada@example.org")
	next, err := p.Refresh(ctx, who, s.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	w.clock.advance(time.Minute)
	_, err = p.Refresh(ctx, who, s.RefreshToken)
	wantKind(t, err, issuer.KindTokenReused)
	again := w.signIn(p, "ada@example.org")
	me, err := p.Authenticate(ctx, again.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.LogoutAll(ctx, who, me); err != nil {
		t.Fatal(err)
	}
	events, err := w.store.ListAudit(ctx, issuer.AuditQuery{}, issuer.Place{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct{ kind, sid string }{{"sign_in.ok", s.SID}, {"token.reuse", s.SID}, {"sign_in.ok", again.SID}, {"logout.all", again.SID}} {
		if !slices.ContainsFunc(events, func(e issuer.AuditEvent) bool {
			return e.Type == want.kind && e.SID == want.sid && (e.Actor == s.UserID || e.Type == "token.reuse" && e.Target == s.UserID) && e.ClientID == issuer.FirstPartyID && !e.At.IsZero()
		}) {
			t.Errorf("no %s of session %s in %+v", want.kind, want.sid, events)
		}
	}
	if i := slices.IndexFunc(events, func(e issuer.AuditEvent) bool { return e.Type == "sign_in.ok" }); i < 0 || events[i].Source != who.IP || events[i].RequestID != who.RequestID {
		t.Errorf("a sign-in does not say from where: %+v", events)
	}
	log, err := json.Marshal(events)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{password, w.mails.code(t, "ada@example.org"), s.RefreshToken, next.RefreshToken, again.AccessToken, again.DeviceToken} {
		if strings.Contains(string(log), secret) {
			t.Errorf("the audit log holds %q", secret)
		}
	}
}
