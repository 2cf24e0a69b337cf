package keys

import (
	"fmt"
	"testing"
	"time"
)

// Each test here fails when the rule that it names is taken out of Step.

var t0 = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// plenty is a supply of names: Step looks at nothing else of a key.
func plenty(tag string) (s Supply) {
	for i := range 6 {
		for _, a := range []Algorithm{ES256, RS256} {
			s.Keys = append(s.Keys, Key{ID: fmt.Sprintf("%s-%s-%d", a, tag, i), Algorithm: a, Private: Sealed{Blob: []byte{1}}})
		}
		for _, p := range macPurposes {
			s.Secrets = append(s.Secrets, Secret{ID: fmt.Sprintf("%s-%s-%d", p, tag, i), Purpose: p})
		}
	}
	return s
}

// stepper takes a ring through time, counting steps to name the keys.
type stepper struct {
	t    *testing.T
	ring *Ring
	now  time.Time
	life Lifecycle
	n    int
}

func newStepper(t *testing.T, algs ...Algorithm) *stepper {
	s := &stepper{t: t, ring: &Ring{}, now: t0, life: Lifecycle{Policy: short().Resolved(), Algorithms: algs}}
	s.step()
	return s
}

func (s *stepper) step() {
	s.t.Helper()
	s.n++
	next, short := Step(s.ring, s.now, s.life, plenty(fmt.Sprint(s.n)))
	if !short.Empty() {
		s.t.Fatalf("short of %v", short)
	}
	s.ring = next
}

// live steps every second for d.
func (s *stepper) live(d time.Duration) {
	s.t.Helper()
	for range int(d / time.Second) {
		s.now = s.now.Add(time.Second)
		s.step()
	}
}

// absent lets time pass with nobody there, then steps.
func (s *stepper) absent(d time.Duration) {
	s.t.Helper()
	s.now = s.now.Add(d)
	s.step()
}

func (s *stepper) since(at time.Time) time.Duration { return at.Sub(t0) }

func TestFreshRingSignsAtOnceAndHasStandbys(t *testing.T) {
	s := newStepper(t, RS256, ES256)
	if len(s.ring.Keys) != 4 || s.ring.Version != 1 {
		t.Fatalf("version %d with %d keys", s.ring.Version, len(s.ring.Keys))
	}
	for _, a := range []Algorithm{RS256, ES256} {
		if s.ring.SigningKey(a) == nil || s.ring.Standby(a) == nil {
			t.Errorf("%s lacks a key", a)
		}
	}
	for _, p := range macPurposes {
		if s.ring.DerivingSecret(p, s.now) == nil {
			t.Errorf("no secret derives for %s", p)
		}
	}
}

func TestStepSaysWhatItIsShortOf(t *testing.T) {
	in := &Ring{}
	next, short := Step(in, t0, Lifecycle{Policy: short().Resolved(), Algorithms: []Algorithm{RS256}}, Supply{})
	if next != in || short.Keys[RS256] != 2 || short.Secrets[MACRefresh] != 1 {
		t.Errorf("short of %v, changed %v", short, next != in)
	}
}

func TestRingInUseWaitsBeforeItsFirstKeySigns(t *testing.T) {
	s := &stepper{t: t, ring: &Ring{}, now: t0, life: Lifecycle{Policy: short().Resolved(), Algorithms: []Algorithm{ES256}, InUse: true}}
	s.step()
	s.live(39 * time.Second)
	if s.ring.SigningKey(ES256) != nil {
		t.Fatal("signs before verifiers can have the key")
	}
	s.live(time.Second)
	if s.ring.SigningKey(ES256) == nil || s.ring.Standby(ES256) == nil {
		t.Fatal("does not sign when the key is known")
	}
}

func TestAlgorithmAddedLaterWaits(t *testing.T) {
	s := newStepper(t, ES256)
	s.life.Algorithms = []Algorithm{ES256, RS256}
	s.live(39 * time.Second)
	if s.ring.SigningKey(RS256) != nil {
		t.Fatal("RS256 signs before verifiers can have its key")
	}
	s.live(2 * time.Second)
	if s.ring.SigningKey(RS256) == nil {
		t.Fatal("RS256 never signs")
	}
	s.life.Algorithms = []Algorithm{RS256} // a replica without ES256 still looks after it
	first := s.ring.SigningKey(ES256).ID
	s.live(60 * time.Second)
	if s.ring.SigningKey(ES256).ID == first {
		t.Error("ES256 is not rotated by a replica that does not want it")
	}
}

func TestScheduledRotation(t *testing.T) {
	s := newStepper(t, ES256)
	first, standby := s.ring.SigningKey(ES256).ID, s.ring.Standby(ES256).ID
	s.live(59 * time.Second)
	if s.ring.SigningKey(ES256).ID != first {
		t.Fatal("rotated before its time")
	}
	s.live(time.Second)
	k := s.ring.SigningKey(ES256)
	if k.ID != standby || k.Prev != first || s.since(k.SignedAt) != time.Minute || s.since(k.DueAt) != 2*time.Minute || k.TTL != 6*time.Second {
		t.Fatalf("the standby did not take over: %+v", k)
	}
	if s.ring.Standby(ES256) == nil {
		t.Fatal("no standby in the version that promotes")
	}
	old := s.ring.Key(first)
	if old.State != Retired || s.since(old.StopsAt) != time.Minute || s.since(old.DropsAt) != 100*time.Second {
		t.Fatalf("the old key: %+v", old)
	}
	s.live(39 * time.Second)
	if s.ring.Key(first) == nil {
		t.Fatal("dropped before its time")
	}
	s.live(time.Second)
	if s.ring.Key(first) != nil || len(s.ring.Dropped) != 1 || s.ring.Dropped[0].ID != first {
		t.Fatal("not dropped, or its public half is lost")
	}
	s.now = s.now.Add(keepDropped)
	s.step()
	for _, d := range s.ring.Dropped {
		if d.ID == first {
			t.Error("the public half is kept for ever")
		}
	}
}

func TestStandbyNotKnownDoesNotSign(t *testing.T) {
	s := newStepper(t, ES256)
	first := s.ring.SigningKey(ES256).ID
	s.ring = s.ring.clone()
	s.ring.SigningKey(ES256).DueAt = s.now
	s.live(39 * time.Second)
	if s.ring.SigningKey(ES256).ID != first {
		t.Fatal("a key signs that caches may lack")
	}
	s.live(time.Second)
	if s.ring.SigningKey(ES256).ID == first {
		t.Fatal("the known standby does not sign")
	}
}

func TestImportedStandbyGoesFirst(t *testing.T) {
	s := newStepper(t, ES256)
	s.ring = s.ring.clone()
	s.ring.Keys = append(s.ring.Keys, Key{ID: "imported", Algorithm: ES256, State: Published, Imported: true, PublishedAt: s.now, WindowAt: s.now})
	s.live(60 * time.Second)
	if s.ring.SigningKey(ES256).ID != "imported" {
		t.Error("the imported key waits behind another")
	}
}

func TestOutageStartsPublicationAnew(t *testing.T) {
	s := newStepper(t, ES256)
	s.live(30 * time.Second) // the standby is not known yet
	s.absent(40 * time.Second)
	if !s.ring.Standby(ES256).WindowAt.Equal(s.now) || !s.ring.ResumedAt.Equal(s.now) {
		t.Fatal("a publication that nobody could fetch counts")
	}
	first := s.ring.SigningKey(ES256).ID
	s.live(39 * time.Second)
	if s.ring.SigningKey(ES256).ID != first {
		t.Fatal("signs by a key that caches may lack")
	}
	s.live(time.Second)
	if s.ring.SigningKey(ES256).ID == first {
		t.Fatal("rotation is stuck after an outage")
	}
}

func TestOutageLeavesKnownStandbyAndKeepsRetired(t *testing.T) {
	s := newStepper(t, ES256)
	s.live(60 * time.Second)
	s.live(41 * time.Second) // the first key has been dropped, the standby is known
	window := s.ring.Standby(ES256).WindowAt
	s.ring = s.ring.clone()
	s.ring.Keys = append(s.ring.Keys, Key{ID: "old", Algorithm: ES256, State: Retired, StopsAt: s.now, DropsAt: s.now.Add(time.Minute), TTL: 6 * time.Second})
	s.absent(2 * time.Minute)
	if !s.ring.SigningKey(ES256).SignedAt.Equal(s.now) {
		t.Error("a known standby is due and does not sign")
	}
	if signing := s.ring.SigningKey(ES256); !signing.WindowAt.Equal(window) {
		t.Error("the window of a known standby was begun anew")
	}
	if k := s.ring.Key("old"); k == nil || !k.DropsAt.Equal(s.now.Add(s.life.Policy.keep(k.TTL))) {
		t.Error("a retired key left in the very step that found the outage")
	}
}

func TestShortAbsenceIsNoOutage(t *testing.T) {
	s := newStepper(t, ES256)
	s.absent(12 * time.Second)
	if !s.ring.ResumedAt.Equal(t0) || !s.ring.AttendedAt.Equal(s.now) {
		t.Error("an absence of G counts as an outage, or was not recorded")
	}
}

func TestTimeNeverGoesBack(t *testing.T) {
	s := newStepper(t, ES256)
	s.live(30 * time.Second)
	attended := s.ring.AttendedAt
	s.now = t0.Add(-time.Hour)
	before := s.ring
	s.step()
	if s.ring != before {
		t.Error("a clock that went back changes the ring")
	}
	s.life.Algorithms = append(s.life.Algorithms, RS256)
	s.step()
	if at := s.ring.Standby(RS256).WindowAt; !at.Equal(attended) {
		t.Errorf("a stamp before the last attendance: %s", at)
	}
}

func TestLeaseOfPublishAheadIsRaisedAtOnceAndLoweredLate(t *testing.T) {
	s := newStepper(t, ES256)
	s.live(45 * time.Second)
	longer := s.life.Policy
	longer.PublishAhead, longer.SigningPeriod = 50*time.Second, 70*time.Second
	shorter := s.life.Policy
	s.life.Policy = longer
	s.step()
	if s.ring.Ahead.Value != 50*time.Second || s.ring.Known(s.ring.Standby(ES256), s.now) {
		t.Fatal("a longer publish-ahead does not count at once")
	}
	asserted := s.ring.Ahead.AssertedAt
	s.life.Policy = shorter
	patience := longer.PublishAhead + longer.AttendEvery + 2*longer.Skew
	for s.now.Sub(asserted) <= patience-time.Second {
		s.live(time.Second)
		if s.ring.Ahead.Value != 50*time.Second {
			t.Fatalf("lowered %s after it was asserted, before %s", s.now.Sub(asserted), patience)
		}
	}
	s.live(3 * time.Second)
	if s.ring.Ahead.Value != 40*time.Second {
		t.Error("never lowered")
	}
	if s.since(s.ring.Ahead.AssertedAt) == 0 {
		t.Error("not asserted")
	}
}

func TestLongerPublishAheadCountsFromTheOutage(t *testing.T) {
	s := newStepper(t, ES256)
	s.live(41 * time.Second) // known under 40 s
	s.absent(13 * time.Second)
	s.life.Policy.PublishAhead, s.life.Policy.SigningPeriod = 50*time.Second, 90*time.Second
	s.step()
	if !s.ring.Standby(ES256).WindowAt.Equal(s.ring.ResumedAt) {
		t.Error("under the longer publish-ahead the time before the outage counts")
	}
}

func TestKeyIsKeptForTheLongestLifeItWasAllowed(t *testing.T) {
	s := newStepper(t, ES256)
	first := s.ring.SigningKey(ES256).ID
	s.life.Policy.TokenTTL = 2 * time.Minute
	s.step()
	if s.ring.Key(first).TTL != 2*time.Minute {
		t.Fatal("a longer token life is not carried by the signing key")
	}
	s.life.Policy.TokenTTL = 6 * time.Second
	for s.ring.Key(first).State == Signing {
		s.live(time.Second)
	}
	k := s.ring.Key(first)
	if k.TTL != 2*time.Minute || k.DropsAt.Sub(k.StopsAt) < s.life.Policy.keep(2*time.Minute) {
		t.Errorf("kept %s for tokens of %s", k.DropsAt.Sub(k.StopsAt), k.TTL)
	}
	s.life.Policy.Leeway = time.Minute // a setting that would have kept it longer
	s.live(time.Second)
	if k := s.ring.Key(first); k.DropsAt.Sub(k.StopsAt) < s.life.Policy.keep(2*time.Minute) {
		t.Error("a longer leeway does not keep what is retired")
	}
}

func TestKeepIsFromEveryTerm(t *testing.T) {
	p := short()
	if got, want := p.keep(6*time.Second), 6*time.Second+4*time.Second+3*time.Second+1500*time.Millisecond; got != want {
		t.Errorf("kept %s, want T + R + L + 3S = %s", got, want)
	}
	p.StaleReads = 10 * time.Second
	if got, want := p.keep(6*time.Second), 24500*time.Millisecond; got != want {
		t.Errorf("kept %s, want %s where reads may be late", got, want)
	}
}

func TestCommandsNeitherAttendNorAssert(t *testing.T) {
	s := newStepper(t, ES256)
	s.live(5 * time.Second)
	attended := s.ring.AttendedAt
	s.life.command = true
	s.life.Policy.PublishAhead = time.Hour
	s.absent(20 * time.Second)
	if !s.ring.AttendedAt.Equal(attended) {
		t.Error("a command counts as a replica that publishes")
	}
	if s.ring.Ahead.Value != 40*time.Second {
		t.Error("a command raised a lease")
	}
	if !s.ring.Standby(ES256).WindowAt.Equal(s.now) {
		t.Error("a command does not see the outage")
	}
}

func TestSecretSchedule(t *testing.T) {
	s := newStepper(t, ES256)
	p := s.life.Policy
	first := s.ring.DerivingSecret(MACCode, s.now).ID
	at := func(d time.Duration) { s.now = t0.Add(d); s.step() }
	at(p.SecretPeriod - time.Minute)
	if len(s.ring.Secrets) != 3 {
		t.Fatal("replaced early")
	}
	at(p.SecretPeriod)
	if len(s.ring.Secrets) != 6 {
		t.Fatalf("%d secrets", len(s.ring.Secrets))
	}
	wait := p.trueR() + 2*p.Skew
	if s.ring.DerivingSecret(MACCode, s.now.Add(wait-time.Millisecond)).ID != first {
		t.Error("derives before every replica has it")
	}
	if s.ring.DerivingSecret(MACCode, s.now.Add(wait)).ID == first {
		t.Error("never derives")
	}
	gone := p.SecretPeriod + wait + p.CodeLife + 2*p.Skew
	// Replicas are there all along, else the outage keeps it longer.
	for d := p.SecretPeriod; d < gone; d += 10 * time.Second {
		at(d)
		if !hasSecret(s.ring, first) {
			t.Fatalf("dropped %s before what it derived expired", gone-d)
		}
	}
	at(gone)
	if hasSecret(s.ring, first) {
		t.Error("kept beyond its time")
	}
	if !hasSecret(s.ring, s.ring.DerivingSecret(MACDevice, t0.Add(p.SecretPeriod)).ID) {
		t.Error("the device secret went with it")
	}
}

func TestSecretIsKeptForTheLongestLife(t *testing.T) {
	s := newStepper(t, ES256)
	s.life.Policy.CodeLife = time.Hour
	s.step()
	s.life.Policy.CodeLife = time.Minute
	s.now = t0.Add(s.life.Policy.SecretPeriod)
	s.step()
	for _, n := range s.ring.Secrets {
		if n.Purpose == MACCode && !n.DropsAt.IsZero() && n.DropsAt.Sub(s.now) < time.Hour {
			t.Errorf("kept %s for codes of an hour", n.DropsAt.Sub(s.now))
		}
	}
}

func hasSecret(r *Ring, id string) bool {
	for _, n := range r.Secrets {
		if n.ID == id {
			return true
		}
	}
	return false
}

func TestStepDoesNotTouchItsInput(t *testing.T) {
	s := newStepper(t, ES256, RS256)
	before, err := s.ring.encode()
	if err != nil {
		t.Fatal(err)
	}
	in := s.ring
	s.now = s.now.Add(61 * time.Second)
	s.step()
	after, err := in.encode()
	if err != nil || string(before.Body) != string(after.Body) {
		t.Error("Step changed the ring that it was given")
	}
}
