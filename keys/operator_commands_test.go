package keys

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var ctxb = context.Background()

func TestCommandsSettleRacesAndLostAnswers(t *testing.T) {
	for name, give := range map[string]func(Operator, *Ring) ([]Change, error){
		"rotate --now": func(o Operator, _ *Ring) ([]Change, error) { return o.RotateNow(ctxb, nil, true) },
		"rotate --to":  func(o Operator, r *Ring) ([]Change, error) { return o.RotateTo(ctxb, r.Standby(ES256).ID) },
		"rollback":     func(o Operator, _ *Ring) ([]Change, error) { return o.Rollback(ctxb, nil) },
		"revoke":       func(o Operator, r *Ring) ([]Change, error) { return o.Revoke(ctxb, r.SigningKey(ES256).ID) },
		"import":       func(o Operator, _ *Ring) ([]Change, error) { return o.Import(ctxb, testImport(t), false) },
	} {
		for _, v := range []verdict{unanswered, refused} {
			w := newWorld(t)
			r := w.started(short(), ES256)
			w.live(65*time.Second, r) // a key before the signing one is there
			once := v
			w.store.fault = func(op string) verdict {
				if op != "save" {
					return works
				}
				defer func() { once = works }()
				return once
			}
			before := w.store.ring(t)
			list, err := give(operator(w), before)
			after := w.store.ring(t)
			if err != nil || len(list) == 0 || after.Version != before.Version+1 {
				t.Errorf("%s, %d: version %d after %d, %v, %v", name, v, after.Version, before.Version, list, err)
			}
			for _, c := range list {
				if c.RingVersion != after.Version {
					t.Errorf("%s: says version %d, is %d", name, c.RingVersion, after.Version)
				}
			}
			checkShape(t, after, ES256)
			w.store.fault = func(string) verdict { return works }
			poll(t, r)
			signed(t, r, ES256)
		}
	}
}

// A save whose answer was lost takes effect once, even when it can't be looked for at once: rollback does not go back twice.
func TestALostAnswerIsNoSecondCommand(t *testing.T) {
	w := newWorld(t)
	r := w.started(short(), ES256)
	w.live(65*time.Second, r)
	before := w.store.ring(t)
	want := before.SigningKey(ES256).Prev
	save, load := unanswered, works
	w.store.fault = func(op string) verdict {
		switch op {
		case "save":
			v := save
			if v == unanswered {
				save, load = works, refused
			}
			return v
		case "load":
			v := load
			load = works
			return v
		}
		return works
	}
	list, err := operator(w).Rollback(ctxb, nil)
	after := w.store.ring(t)
	if err != nil || after.Version != before.Version+1 || after.SigningKey(ES256).ID != want {
		t.Fatalf("version %d after %d, %s signs, want %s: %v", after.Version, before.Version, after.SigningKey(ES256).ID, want, err)
	}
	if len(list) == 0 || list[0].RingVersion != after.Version {
		t.Errorf("it says %+v", list)
	}
}

// Where later versions hide whether it landed, a command says so, and does nothing more.
func TestALostAnswerThatLaterVersionsHide(t *testing.T) {
	w := newWorld(t)
	r := w.started(short(), ES256)
	w.live(65*time.Second, r)
	before := w.store.ring(t)
	o := operator(w)
	o.Store = &buriedStore{RingStore: o.Store, bury: func() { w.live(65*time.Second, r) }}
	_, err := o.Rollback(ctxb, nil)
	if err == nil || !strings.Contains(err.Error(), "may be done") {
		t.Fatalf("version %d after %d: %v", w.store.ring(t).Version, before.Version, err)
	}
}

// buriedStore loses the answer of its first save, and others write on top before anybody looks.
type buriedStore struct {
	RingStore
	bury func()
}

func (s *buriedStore) SaveRing(ctx context.Context, expected int64, next RingDocument) (bool, error) {
	saved, err := s.RingStore.SaveRing(ctx, expected, next)
	if bury := s.bury; bury != nil {
		s.bury = nil
		bury()
		return false, errors.New("the answer was lost")
	}
	return saved, err
}

// A key that was forced to sign before verifiers had it is no safe way back: the cost is said.
func TestRollbackToAForcedKeyCosts(t *testing.T) {
	w := newWorld(t)
	r := w.started(short(), ES256)
	o := operator(w)
	w.live(20*time.Second, r)
	for range 2 {
		if _, err := o.RotateNow(ctxb, nil, true); err != nil {
			t.Fatal(err)
		}
	}
	list, err := o.Rollback(ctxb, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(list, func(c Change) bool { return c.Kind == ChangePromoted && len(c.Costs) > 0 }) {
		t.Errorf("free of charge: %+v", list)
	}
}

// A kid is an argument of commands: none that is made here looks like a flag.
func TestNoKidLooksLikeAFlag(t *testing.T) {
	for range 400 {
		pair, err := generate(ES256, 0)
		if err != nil {
			t.Fatal(err)
		}
		if kid, err := thumbprint(pair.Public()); err != nil || strings.HasPrefix(kid, "-") {
			t.Fatalf("kid %q, %v", kid, err)
		}
	}
}

// Whoever is asked takes their time: what is saved then is made of the ring and the moment after the answer.
func TestAskingComesBeforeAFreshStart(t *testing.T) {
	w := newWorld(t)
	r := w.started(short(), ES256)
	o := operator(w)
	asked := 0
	o.Agree = func(list []Change) error {
		asked++
		w.live(7*time.Second, r) // other versions come about meanwhile
		return nil
	}
	signing := w.store.ring(t).SigningKey(ES256).ID
	if _, err := o.Revoke(ctxb, signing); err != nil || asked != 1 {
		t.Fatalf("asked %d times, %v", asked, err)
	}
	if at := w.store.ring(t).SigningKey(ES256).SignedAt; !at.Equal(w.now) {
		t.Errorf("stamped %s before the answer", w.now.Sub(at))
	}
	o.Agree = func([]Change) error {
		w.pass(3 * time.Second) // and when nobody changes anything
		return nil
	}
	key := testImport(t)
	if _, err := o.Import(ctxb, key, false); err != nil || !w.store.ring(t).Key(key.KeyID).WindowAt.Equal(w.now) {
		t.Errorf("stamped before the answer, %v", err)
	}
	if _, err := operator(w).Revoke(ctxb, key.KeyID); err != nil {
		t.Fatal(err)
	}
	// Something else would be done by now: the question is another.
	w.live(20*time.Second, r)
	asked = 0
	var texts []string
	o.Agree = func(list []Change) error {
		asked++
		texts = append(texts, list[0].KeyID)
		if asked == 1 {
			w.live(45*time.Second, r)
		}
		return nil
	}
	if _, err := o.RotateNow(ctxb, nil, true); err != nil || asked != 2 || texts[0] == texts[1] {
		t.Errorf("asked %d times about %v, %v", asked, texts, err)
	}
	version := w.store.doc.Version
	o.Agree = func([]Change) error { return errNotAgreed }
	if _, err := o.RotateNow(ctxb, nil, true); !errors.Is(err, errNotAgreed) || w.store.doc.Version != version {
		t.Errorf("a refusal changes something: %v", err)
	}
}

func TestCommandsRefuseAnEmptyRing(t *testing.T) {
	o := operator(newWorld(t))
	for name, err := range map[string]error{
		"rollback": second(o.Rollback(ctxb, nil)), "revoke": second(o.Revoke(ctxb, "k")), "revoke all": second(o.RevokeAll(ctxb, ES256)), "import": second(o.Import(ctxb, testImport(t), false)),
		"plan": second(o.Plan(ctxb)), "export": second(o.ExportPublic(ctxb)), "private": second(o.ExportPrivate(ctxb)), "rewrap": second(o.Rewrap(ctxb, RewrapOptions{})),
		"restart": second(o.Restart(ctxb, nil)), "now": second(o.RotateNow(ctxb, nil, true)), "to": second(o.RotateTo(ctxb, "k")),
	} {
		if !errors.Is(err, ErrNoRing) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// A key that does not open here must not come to sign: every replica would stand still.
func TestNothingIsMadeToSignThatDoesNotOpen(t *testing.T) {
	w := newWorld(t)
	r := w.started(short(), ES256)
	w.live(65*time.Second, r)
	o := operator(w)
	o.Sealer, _ = NewSealer([]KEK{testKEK(9)})
	version := w.store.doc.Version
	for name, err := range map[string]error{
		"rollback": second(o.Rollback(ctxb, nil)),
		"now":      second(o.RotateNow(ctxb, nil, true)),
	} {
		if !errors.Is(err, ErrUnknownKEK) || w.store.doc.Version != version {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Tokens that a revoked key signed fail at once, and the next are good.
func TestRevokeBesideARunningReplica(t *testing.T) {
	w := newWorld(t)
	r := w.started(short(), ES256)
	token := signed(t, r, ES256)
	list, err := operator(w).Revoke(ctxb, w.store.ring(t).SigningKey(ES256).ID)
	if err != nil || len(list) < 2 {
		t.Fatal(list, err)
	}
	poll(t, r)
	if _, err := r.Verify(token); !errors.Is(err, ErrToken) {
		t.Errorf("its token: %v", err)
	}
	if _, err := r.Verify(signed(t, r, ES256)); err != nil {
		t.Error(err)
	}
	body := must(json.Marshal(list))
	for _, want := range []string{`"change":"revoked"`, `"costs":[{"who":"refused from everybody","until":null,`, `"ring_version":`} {
		if !strings.Contains(string(body), want) {
			t.Errorf("lacks %s: %s", want, body)
		}
	}
}

func TestRewrap(t *testing.T) {
	w := newWorld(t)
	r := w.started(short(), ES256)
	w.live(61*time.Second, r) // a retired key is there, too
	before := w.store.ring(t)
	sealer, err := NewSealer([]KEK{testKEK(2), testKEK(1)})
	if err != nil {
		t.Fatal(err)
	}
	o := operator(w)
	o.Sealer = sealer
	delete(w.store.beats, r.id)
	var seen []int
	done, err := o.Rewrap(ctxb, RewrapOptions{Progress: func(done, all int) { seen = append(seen, done, all) }})
	if err != nil || done.Sealed != len(before.Keys)+len(before.Secrets) || done.Already != 0 || done.RingVersion != before.Version+1 || done.KEKID != testKEK(2).ID() {
		t.Fatalf("%+v, %v", done, err)
	}
	if n := len(seen); n != 2*done.Sealed || seen[n-2] != done.Sealed || seen[n-1] != done.Sealed {
		t.Errorf("progress %v", seen)
	}
	only, _ := NewSealer([]KEK{testKEK(2)})
	after := w.store.ring(t)
	for i, k := range after.Keys {
		if _, err := openKey(ctxb, k, only, Keeping{}); err != nil {
			t.Errorf("%s key: %v", k.State, err)
		}
		k.Private = before.Keys[i].Private
		if !bytes.Equal(must(json.Marshal(k)), must(json.Marshal(before.Keys[i]))) {
			t.Errorf("something else of key %s changed", k.ID)
		}
	}
	for _, s := range after.Secrets {
		if _, err := openSecret(s, only); err != nil {
			t.Error(err)
		}
	}
	if done, err := o.Rewrap(ctxb, RewrapOptions{}); err != nil || done.Sealed != 0 || w.store.doc.Version != after.Version {
		t.Errorf("a second time: %+v, %v", done, err)
	}
	o.Sealer, _ = NewSealer([]KEK{testKEK(3)})
	if _, err := o.Rewrap(ctxb, RewrapOptions{}); !errors.Is(err, ErrUnknownKEK) || w.store.doc.Version != after.Version {
		t.Errorf("something that does not open: %v", err)
	}
}

// A live replica without the first KEK is waited for during four polls, then named; a dead one's heartbeat is too old by then.
func TestRewrapWaitsForReplicas(t *testing.T) {
	for name, test := range map[string]struct {
		beat  func(now time.Time, first string) Heartbeat
		learn bool
		force bool
		fails bool
		waits time.Duration
	}{
		"has it": {beat: func(now time.Time, first string) Heartbeat { return Heartbeat{"r", now, 1, []string{"x", first}, 0} }},
		"lacks it": {beat: func(now time.Time, _ string) Heartbeat {
			return Heartbeat{"r", now.Add(time.Hour), 1, []string{"x"}, 0}
		}, fails: true, waits: 4 * time.Second},
		"learns it": {beat: func(now time.Time, _ string) Heartbeat {
			return Heartbeat{"r", now.Add(time.Hour), 1, []string{"x"}, 0}
		}, learn: true, waits: 2 * time.Second},
		"dies":         {beat: func(now time.Time, _ string) Heartbeat { return Heartbeat{"r", now, 1, nil, 0} }, waits: 4 * time.Second},
		"died":         {beat: func(now time.Time, _ string) Heartbeat { return Heartbeat{"r", now.Add(-4 * time.Second), 1, nil, 0} }},
		"is passed by": {beat: func(now time.Time, _ string) Heartbeat { return Heartbeat{"r", now.Add(time.Hour), 1, nil, 0} }, force: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.live(time.Second, w.started(short(), ES256))
			doc := w.store.doc
			synctest.Test(t, func(t *testing.T) {
				store := newMemoryStore()
				store.doc = doc
				sealer, _ := NewSealer([]KEK{testKEK(2), testKEK(1)})
				first := sealer.KEKIDs()[0]
				began := time.Now()
				store.beats["r"] = test.beat(began, first)
				if test.learn {
					time.AfterFunc(1500*time.Millisecond, func() {
						_ = store.PutHeartbeat(ctxb, Heartbeat{"r", began.Add(time.Hour), 1, []string{first, "x"}, 0})
					})
				}
				var told []string
				o := Operator{Store: store, Sealer: sealer, Wall: time.Now, Policy: short()}
				done, err := o.Rewrap(ctxb, RewrapOptions{Force: test.force, Waiting: func(names []string) { told = append(told, names...) }})
				if (err != nil) != test.fails || (err != nil && !strings.Contains(err.Error(), ": r.")) || time.Since(began) != test.waits {
					t.Errorf("after %s: %v", time.Since(began), err)
				}
				if (done.Sealed > 0) == test.fails || (test.waits > 0) != slices.Equal(told, []string{"r"}) || test.force != slices.Equal(done.Skipped, []string{"r"}) {
					t.Errorf("%+v, told of %v", done, told)
				}
			})
		})
	}
}

func TestExport(t *testing.T) {
	w := newWorld(t)
	r := w.started(short(), ES256, RS256)
	w.live(61*time.Second, r)
	o := operator(w)
	public, err := Operator{Store: w.store, Wall: o.Wall}.ExportPublic(ctxb)
	if err != nil || !bytes.Equal(public, must(r.JWKS()).Body) {
		t.Errorf("not what is published: %s, %v", public, err)
	}
	e, err := o.ExportPrivate(ctxb)
	ring := w.store.ring(t)
	if err != nil || len(e.KeyIDs) != len(ring.Keys) || e.Left != nil || e.RingVersion != ring.Version {
		t.Fatalf("%+v, %v", e.KeyIDs, err)
	}
	for _, k := range ring.Keys {
		i, err := ParseImport(e.Body, k.ID)
		if err != nil || i.KeyID != k.ID || i.Algorithm != k.Algorithm || !i.Private() {
			t.Errorf("%s does not come back: %v", k.ID, err)
		}
	}
	o.Sealer, _ = NewSealer([]KEK{testKEK(9)})
	if e, err := o.ExportPrivate(ctxb); err == nil || e.Body != nil {
		t.Errorf("half an export: %v", err)
	}
}

func TestPlan(t *testing.T) {
	w := newWorld(t)
	r := w.started(short(), ES256)
	w.live(70*time.Second, r)
	o := Operator{Store: w.store, Wall: func() time.Time { return w.now }, Policy: short()}
	p, err := o.Plan(ctxb)
	if err != nil || p.Refused != "" || len(p.Algorithms) != 1 || len(p.Algorithms[0].Keys) != 3 || p.RingVersion != w.store.doc.Version {
		t.Fatalf("%+v, %v", p, err)
	}
	var next []string
	for _, e := range p.Next {
		next = append(next, e.At.Sub(t0).String()+" "+e.Event)
	}
	want := []string{"1m40s known", "1m40s drops", "2m0s signs", "2m0s retires", "2m0s published", "2m40s drops"}
	slices.Sort(next)
	slices.Sort(want)
	if !slices.Equal(next, want) {
		t.Errorf("next is %v, want %v", next, want)
	}
	// D 40 s less Q 5 + A 5 + E 2 + P 1 + 2S 1.
	if p.Allowance != 26 {
		t.Errorf("V is %d", p.Allowance)
	}
	i := slices.IndexFunc(p.Arithmetic, func(l PlanLine) bool { return l.Name == "I1" })
	if l := p.Arithmetic[i]; l.Left.Value != 40 || len(l.Terms) != 5 || l.Sum != 14 || !l.Holds {
		t.Errorf("%+v", l)
	}
	for _, v := range p.Verifiers {
		if covered := v.Needs != nil && *v.Needs <= 26; v.Covered != covered {
			t.Errorf("%+v", v)
		}
	}
	o.Policy.JWKSMaxAge = time.Hour
	if p, err := o.Plan(ctxb); err != nil || !strings.Contains(p.Refused, "DOES NOT HOLD") || p.Allowance >= 0 {
		t.Errorf("an illegal policy: %q, V %d, %v", p.Refused, p.Allowance, err)
	}
}
