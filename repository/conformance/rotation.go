package conformance

import (
	"context"
	"slices"
	"testing"
	"time"

	"signet/issuer"
)

func rotation(t *testing.T, s Store) {
	rotate(t, s)
	redate(t, s)
	t.Run("many rotations keep the last", func(t *testing.T) { manyRotations(t, s) })
}

func rotate(t *testing.T, s Store) {
	sessionMethod(s, method[issuer.Session, issuer.Rotation]{
		name: "RotateSession",
		fresh: func() (issuer.Session, issuer.Rotation) {
			d := liveSession()
			return d, issuer.Rotation{SID: d.ID, Gen: d.Gen, Secret: d.Secret, ClientIDs: []string{"other", issuer.FirstPartyID}, Now: base, Next: "s2", Idle: 2 * time.Hour, Att: "att-6"}
		},
		call: func(ctx context.Context, _ issuer.Session, r issuer.Rotation) (*issuer.Session, bool, error) {
			return found(s.RotateSession(ctx, r))
		},
		effect: func(d issuer.Session, r issuer.Rotation) *issuer.Session {
			d.Gen, d.Secret, d.Exp, d.IdleAt, d.At, d.By = r.Gen+1, r.Next, r.Now.Add(r.Idle), r.Now.Add(r.Idle), later(d.At, r.Now), r.Att
			d.Recent = append(slices.Clone(d.Recent), issuer.Superseded{Gen: r.Gen, At: r.Now})
			d.Recent = d.Recent[max(0, len(d.Recent)-issuer.RecentKept):]
			return &d
		},
		cases: []variant[issuer.Session, issuer.Rotation]{
			{name: "the first", doc: func(d *issuer.Session) { d.Gen, d.Recent = 0, nil }, arg: func(r *issuer.Rotation) { r.Gen = 0 }, hit: true},
			{name: "a full recent", doc: func(d *issuer.Session) { d.Gen, d.Recent = 20, recent(12, 20) }, arg: func(r *issuer.Rotation) { r.Gen = 20 }, hit: true},
			{name: "an almost full recent", doc: func(d *issuer.Session) { d.Gen, d.Recent = 20, recent(13, 20) }, arg: func(r *issuer.Rotation) { r.Gen = 20 }, hit: true},
			{name: "the same secret again", arg: func(r *issuer.Rotation) { r.Next = r.Secret }, hit: true},
			{name: "a noted theft of a live one", doc: func(d *issuer.Session) { d.Notice = true }, hit: true},
			{name: "beyond the absolute lifetime", arg: func(r *issuer.Rotation) { r.Idle = 48 * time.Hour }, hit: true},
			{name: "microseconds", arg: func(r *issuer.Rotation) { r.Now = r.Now.Add(1700 * time.Microsecond) }, hit: true},
			{name: "by a slow clock", arg: func(r *issuer.Rotation) { r.Now = after(-2 * time.Minute) }, hit: true},
			{name: "by a clock hours behind", arg: func(r *issuer.Rotation) { r.Now = after(-5 * time.Hour) }, hit: true},
			{name: "just before it idles out", arg: func(r *issuer.Rotation) { r.Now = after(time.Hour - ms) }, hit: true},
			{name: "when it idles out", arg: func(r *issuer.Rotation) { r.Now = after(time.Hour) }},
			{name: "after it idled out", arg: func(r *issuer.Rotation) { r.Now = after(2 * time.Hour) }},
			{name: "just before its end", doc: longIdle, arg: func(r *issuer.Rotation) { r.Now = after(24*time.Hour - ms) }, hit: true},
			{name: "at its end", doc: longIdle, arg: func(r *issuer.Rotation) { r.Now = after(24 * time.Hour) }},
			{name: "after its end", doc: longIdle, arg: func(r *issuer.Rotation) { r.Now = after(25 * time.Hour) }},
			{name: "an older generation", arg: func(r *issuer.Rotation) { r.Gen-- }},
			{name: "a later generation", arg: func(r *issuer.Rotation) { r.Gen++ }},
			{name: "another secret", arg: func(r *issuer.Rotation) { r.Secret = "s0" }},
			{name: "another client", arg: func(r *issuer.Rotation) { r.ClientIDs = []string{"other"} }},
			{name: "no client", arg: func(r *issuer.Rotation) { r.ClientIDs = nil }},
			{name: "revoked", doc: revoked},
		},
	}).run(t)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func longIdle(d *issuer.Session) { d.IdleAt = after(72 * time.Hour) }

func recent(from, to int64) (list []issuer.Superseded) {
	for g := from; g < to; g++ {
		list = append(list, issuer.Superseded{Gen: g, At: after(time.Duration(g-to) * time.Second)})
	}
	return list
}

func redate(t *testing.T, s Store) {
	type args struct {
		gen int64
		att string
		at  time.Time
	}
	sessionMethod(s, method[issuer.Session, args]{
		name: "RedateRotation", again: hits,
		fresh: func() (issuer.Session, args) {
			d := liveSession()
			return d, args{d.Gen, d.By, base.Add(2500 * time.Microsecond)}
		},
		call: func(ctx context.Context, d issuer.Session, a args) (*issuer.Session, bool, error) {
			hit, err := s.RedateRotation(ctx, d.ID, a.gen, a.att, a.at)
			return nil, hit, err
		},
		effect: func(d issuer.Session, a args) *issuer.Session {
			d.At, d.Recent = later(d.At, a.at), slices.Clone(d.Recent)
			for i := range d.Recent {
				if d.Recent[i].Gen == a.gen-1 {
					d.Recent[i].At = a.at
				}
			}
			return &d
		},
		cases: []variant[issuer.Session, args]{
			{name: "revoked meanwhile", doc: revoked, hit: true},
			{name: "a full recent", doc: func(d *issuer.Session) { d.Gen, d.Recent = 20, recent(12, 20) }, arg: func(a *args) { a.gen = 20 }, hit: true},
			{name: "by a slow clock", arg: func(a *args) { a.at = after(-2 * time.Minute) }, hit: true},
			{name: "rotated again", doc: func(d *issuer.Session) { d.Gen++ }},
			{name: "a generation to come", arg: func(a *args) { a.gen++ }},
			{name: "rotated by another", doc: func(d *issuer.Session) { d.By = "thief" }},
		},
	}).run(t)
}

func manyRotations(t *testing.T, s Store) {
	d := liveSession()
	d.Gen, d.Recent = 0, nil
	ok(t, s.InsertSession(t.Context(), d))
	var want []issuer.Superseded
	for g := range int64(2*issuer.RecentKept + 1) {
		now := after(time.Duration(g) * time.Second)
		got, hit, err := s.RotateSession(t.Context(), issuer.Rotation{SID: d.ID, Gen: g, Secret: "s1", ClientIDs: []string{issuer.FirstPartyID}, Now: now, Next: "s1", Idle: time.Hour, Att: "a"})
		ok(t, err)
		want = append(want, issuer.Superseded{Gen: g, At: now})
		want = want[max(0, len(want)-issuer.RecentKept):]
		if !hit || got.Gen != g+1 {
			t.Fatalf("rotation %d: %v, now at %d", g, hit, got.Gen)
		}
		same(t, "recent", got.Recent, want)
	}
}
