package conformance

import (
	"testing"
	"time"

	"signet/issuer"
	"signet/keys"
)

// reopen closes a store that holds one of everything and looks again.
func reopen(t *testing.T, h Harness) {
	s, ctx := h.Open(t), t.Context()
	u, i, c, d, m := sampleUser(), sampleIdentifier(), sampleChallenge(), liveSession(), sampleMail()
	ok(t, s.InsertUser(ctx, u))
	ok(t, s.InsertIdentifier(ctx, i))
	ok(t, s.InsertChallenge(ctx, c))
	ok(t, s.InsertSession(ctx, d))
	ok(t, s.InsertMail(ctx, m))
	ok(t, s.InsertClient(ctx, issuer.Client{ID: "kept", Name: "Kept", Disabled: true, CreatedAt: base}))
	ok(t, s.AppendAudit(ctx, issuer.AuditEvent{ID: "kept", Type: "x", At: base}))
	ok(t, s.PutHeartbeat(ctx, keys.Heartbeat{Replica: "r", At: base}))
	doc := keys.RingDocument{Version: 1, By: "a", Body: []byte("{}")}
	must(s.SaveRing(ctx, 0, doc))(t)
	take(t, s, "kept", "a1", 1, base, true, base)
	must(s.CountSource(ctx, "source", after(time.Minute)))(t)
	rotated, hit, err := s.RotateSession(ctx, issuer.Rotation{SID: d.ID, Gen: d.Gen, Secret: d.Secret, ClientIDs: []string{d.ClientID}, Now: base, Next: "s2", Idle: time.Hour, Att: "a"})
	ok(t, err)
	if !hit {
		t.Fatal("the rotation missed")
	}

	s = h.Reopen(t, s)
	same(t, "user", must(s.User(ctx, u.ID))(t), u)
	same(t, "identifier", must(s.Identifier(ctx, i.ID))(t), i)
	same(t, "challenge", must(s.Challenge(ctx, c.ID))(t), c)
	same(t, "session", must(s.Session(ctx, d.ID))(t), rotated)
	same(t, "ring", must(s.LoadRing(ctx))(t), doc)
	same(t, "mails", must(s.DueMails(ctx, base, 10))(t), []string{m.ID})
	take(t, s, "kept", "a2", 1, base, false, after(window))
	if n := must(s.CountSource(ctx, "source", after(time.Minute)))(t); n != 2 {
		t.Errorf("the source's count went on at %d", n)
	}
	if n := len(must(s.AllClients(ctx))(t)); n != 2 {
		t.Errorf("%d clients, want 2", n)
	}
	if n := len(must(s.ListAudit(ctx, issuer.AuditQuery{Since: base}, issuer.Place{}, 10))(t)); n != 1 {
		t.Errorf("%d audit events, want 1", n)
	}
	if n := len(must(s.Heartbeats(ctx))(t)); n != 1 {
		t.Errorf("%d heartbeats, want 1", n)
	}
}
