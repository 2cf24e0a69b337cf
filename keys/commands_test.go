package keys

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// Each test here fails when the rule that it names is taken out of a command.

// give applies a command at the stepper's now.
func (s *stepper) give(do command) []Change {
	s.t.Helper()
	list, err := s.try(do)
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

func (s *stepper) try(do command) ([]Change, error) {
	s.t.Helper()
	s.n++
	l := s.life
	l.command = true
	before := s.ring
	next, notes, short, err := do.apply(before, s.now, l, plenty("command"+time.Duration(s.n).String()))
	if !short.Empty() {
		s.t.Fatalf("short of %v", short)
	}
	if err == nil {
		s.ring = next
	}
	return priced(append(changes(before, next), notes...), before, next, s.now, l.Policy), err
}

// refused gives a command that must be refused with these words, and change nothing.
func (s *stepper) refused(do command, words string) {
	s.t.Helper()
	before := s.ring
	if _, err := s.try(do); err == nil || !strings.Contains(err.Error(), words) || s.ring != before {
		s.t.Errorf("refused with %v, want %q", err, words)
	}
}

func kindsOf(list []Change) (kinds []ChangeKind) {
	for _, c := range list {
		kinds = append(kinds, c.Kind)
	}
	return kinds
}

func (s *stepper) signs() string   { return s.ring.SigningKey(ES256).ID }
func (s *stepper) standby() string { return s.ring.Standby(ES256).ID }

var es256 = []Algorithm{ES256}

func TestRotateNowRefusesWhatVerifiersLack(t *testing.T) {
	s := newStepper(t, ES256)
	s.live(10 * time.Second)
	standby := s.standby()
	var unknown *NotKnownError
	_, err := s.try(each(es256, rotateNow(false)))
	if !errors.As(err, &unknown) || unknown.KeyID != standby || s.since(unknown.KnownAt) != 40*time.Second || len(unknown.Costs) == 0 {
		t.Fatalf("%v", err)
	}
	// R 4s + A 5s + E 2s: a heeding verifier has it 11 s after its publication, in one second.
	if c := unknown.Costs[0]; s.since(*c.Until) != 11*time.Second || !strings.Contains(c.Why, "R 4s + A 5s + E 2s = 11s") {
		t.Errorf("%s", c)
	}
	list := s.give(each(es256, rotateNow(true)))
	if s.signs() != standby || len(list) == 0 || list[0].Kind != ChangePromoted || len(list[0].Costs) != len(unknown.Costs) {
		t.Errorf("%v", list)
	}
	checkShape(t, s.ring, ES256)
}

func TestRotateNowOfAKnownStandbyCostsNothing(t *testing.T) {
	s := newStepper(t, ES256)
	s.live(41 * time.Second)
	standby := s.standby()
	list := s.give(each(es256, rotateNow(false)))
	if s.signs() != standby || list[0].Costs != nil {
		t.Errorf("%v", list)
	}
}

func TestRollback(t *testing.T) {
	s := newStepper(t, ES256)
	s.live(100 * time.Second) // two keys have signed, and the first has left the ring by now
	first := s.signs()
	s.live(20 * time.Second)
	second, standby, earlier := s.signs(), s.standby(), s.ring.Key(first).Prev
	list := s.give(each(es256, rollback))
	if got := kindsOf(list); !slices.Equal(got, []ChangeKind{ChangePromoted, ChangeWithdrawn}) {
		t.Errorf("%v", list)
	}
	back, undone := s.ring.SigningKey(ES256), s.ring.Key(second)
	if back.ID != first || !back.DueAt.Equal(s.now.Add(time.Minute)) || back.Prev != earlier || !back.DropsAt.IsZero() {
		t.Errorf("back: %+v", back)
	}
	if undone == nil || undone.State != Retired || !undone.Withdrawn || !undone.DropsAt.Equal(s.now.Add(40*time.Second)) {
		t.Errorf("the successor, which has signed: %+v", undone)
	}
	if s.standby() != standby {
		t.Error("another standby")
	}
	s.live(time.Minute)
	if s.signs() != standby {
		t.Error("the schedule does not go on with the standby")
	}
	s.live(time.Minute)
	if s.ring.Key(second) != nil {
		t.Error("the withdrawn key never leaves")
	}
}

// What a key signed long ago counts when it stops a second time, though tokens live shorter by now.
func TestRollbackKeepsTheLongestLife(t *testing.T) {
	s := newStepper(t, ES256)
	first := s.signs()
	s.life.Policy.TokenTTL = 2 * time.Minute
	s.live(60 * time.Second)
	s.ring = s.ring.clone()
	s.ring.TTL.Value = 6 * time.Second // lowered, long after
	s.give(each(es256, rollback))
	if k := s.ring.SigningKey(ES256); k.ID != first || k.TTL != 2*time.Minute {
		t.Errorf("%+v", k)
	}
}

func TestRollbackRefusals(t *testing.T) {
	s := newStepper(t, ES256)
	s.refused(each([]Algorithm{RS256}, rollback), "no signing key")
	s.refused(each(es256, rollback), "no key signed before it")
	s.live(60 * time.Second)
	first := s.ring.SigningKey(ES256).Prev
	fork := *s
	fork.give(revoke(first))
	fork.refused(each(es256, rollback), "is revoked")
	fork = *s
	fork.live(40 * time.Second)
	fork.refused(each(es256, rollback), "has left the ring")
	// A withdrawn key never signs again by a rollback.
	s.give(each(es256, rollback))
	s.ring = s.ring.clone()
	s.ring.SigningKey(ES256).Prev = s.ring.latestOf(Retired)
	s.refused(each(es256, rollback), "is withdrawn")
}

// latestOf is the kid of the last key in a state.
func (r *Ring) latestOf(state State) (kid string) {
	for _, k := range r.Keys {
		if k.State == state {
			kid = k.ID
		}
	}
	return kid
}

func TestRotateToBringsAWithdrawnKeyBack(t *testing.T) {
	s := newStepper(t, ES256)
	s.live(60 * time.Second)
	second := s.signs()
	s.give(each(es256, rollback))
	first := s.signs()
	s.give(rotateTo(second))
	k := s.ring.SigningKey(ES256)
	if k.ID != second || k.Withdrawn || k.Next || k.Prev != first || !k.DueAt.Equal(s.now.Add(time.Minute)) {
		t.Errorf("a withdrawn key that every verifier has does not sign at once: %+v", k)
	}
	checkShape(t, s.ring, ES256)
	before := s.ring
	if list := s.give(rotateTo(second)); s.ring != before || len(list) != 1 || !list[0].Already {
		t.Errorf("a second time: %v", list)
	}
	s.refused(rotateTo(first), "rollback")
	s.refused(rotateTo("nonsense"), "no such key")
	s.give(revoke(first))
	s.refused(rotateTo(first), "is revoked")
}

func TestRotateToChoosesAmongStandbys(t *testing.T) {
	s := newStepper(t, ES256)
	generated := s.standby()
	s.live(5 * time.Second)
	s.give(importKey(Key{ID: "imported", Algorithm: ES256, Private: Sealed{Blob: []byte{1}}}))
	if s.standby() != "imported" {
		t.Fatal("the imported key does not go first")
	}
	list := s.give(rotateTo(generated))
	if s.standby() != generated || len(list) != 1 || list[0].KeyID != generated || s.since(list[0].At) != 40*time.Second {
		t.Fatalf("%v", list)
	}
	before := s.ring
	if list := s.give(rotateTo(generated)); s.ring != before || !list[0].Already {
		t.Errorf("a second time: %v", list)
	}
	s.live(35 * time.Second)
	if s.signs() != generated {
		t.Error("another key signs")
	}
	s.live(time.Minute)
	if s.signs() != "imported" {
		t.Error("the imported key has lost its turn")
	}
}

// A key that only a restored ring had may have been out of the set: it waits, whatever it says of its publication.
func TestRotateToOfAMergedKeyWaits(t *testing.T) {
	backup, mine, s := history(t, ES256)
	other := backup.clone()
	other.Keys = append(other.Keys, Key{ID: "theirs", Algorithm: ES256, State: Signing, SignedAt: t0, PublishedAt: t0, WindowAt: t0, Private: Sealed{Blob: []byte{1}}})
	other.Key(backup.SigningKey(ES256).ID).State = Retired
	s.ring = Merge(other, mine, s.now, s.life.Policy)
	s.step()
	s.give(rotateTo("theirs"))
	if s.signs() == "theirs" || s.standby() != "theirs" {
		t.Fatal("it signs at once, or does not go next")
	}
	s.live(39 * time.Second)
	if s.signs() == "theirs" {
		t.Fatal("it signs before verifiers can have it")
	}
	s.live(2 * time.Second)
	if s.signs() != "theirs" {
		t.Error("it never signs")
	}
}

// An outage counts for a withdrawn key as for a standby.
func TestWithdrawnKeyWaitsAnewAfterAnOutage(t *testing.T) {
	backup, mine, s := history(t, ES256)
	other := backup.clone()
	other.Keys = append(other.Keys, Key{ID: "theirs", Algorithm: ES256, State: Retired, SignedAt: t0, WindowAt: t0, TTL: time.Minute, Private: Sealed{Blob: []byte{1}}})
	s.ring = Merge(other, mine, s.now, s.life.Policy)
	s.step()
	s.absent(45 * time.Second)
	s.give(rotateTo("theirs"))
	if s.signs() == "theirs" {
		t.Error("a publication that nobody could fetch counts")
	}
}

func TestRevokeOrderOfTakeover(t *testing.T) {
	known := func() *stepper { // the signing key has a predecessor, and a standby that is known
		s := newStepper(t, ES256)
		s.live(60 * time.Second)
		s.live(30 * time.Second)
		return s
	}
	s := known()
	s.now = s.now.Add(10*time.Second - time.Millisecond) // the predecessor is still there, the standby not known
	bad, before, standby := s.signs(), s.ring.SigningKey(ES256).Prev, s.standby()
	list := s.give(revoke(bad))
	if s.signs() != before || s.standby() != standby {
		t.Error("not the key before, which every cache holds")
	}
	if got := kindsOf(list); !slices.Equal(got, []ChangeKind{ChangePromoted, ChangeRevoked}) && !slices.Equal(got, []ChangeKind{ChangeRevoked, ChangePromoted}) {
		t.Errorf("%v", list)
	}
	s.checkRevoked(bad)

	s = newStepper(t, ES256)
	s.life.Policy.TokenTTL = time.Minute // so that the predecessor is there for long
	s.live(102 * time.Second)
	bad, standby = s.signs(), s.standby()
	// An imported key goes first by the schedule, but not every verifier has it.
	s.give(importKey(Key{ID: "imported", Algorithm: ES256, Private: Sealed{Blob: []byte{1}}}))
	s.give(revoke(bad))
	if s.signs() != standby || s.standby() != "imported" {
		t.Error("not the standby that is known")
	}

	s = known()
	s.give(each(es256, rollback)) // the only retired key is withdrawn now, and the standby is not known
	standby = s.standby()
	s.give(importKey(Key{ID: "imported", Algorithm: ES256, Private: Sealed{Blob: []byte{1}}}))
	list = s.give(revoke(s.signs()))
	if s.signs() != standby {
		t.Error("not the oldest standby")
	}
	for _, c := range list {
		if c.Kind == ChangePromoted && len(c.Costs) == 0 {
			t.Error("a key that verifiers lack costs nothing")
		}
	}
}

// checkRevoked: out of the ring, with its private half, for ever; the successor of whoever took over is wanted at once.
func (s *stepper) checkRevoked(kid string) {
	s.t.Helper()
	checkShape(s.t, s.ring, ES256)
	if doc := must(s.ring.encode()); strings.Count(string(doc.Body), kid) != 1 || !slices.Contains(s.ring.Revoked, kid) {
		s.t.Errorf("%s is in the ring in more places than one", kid)
	}
	if k := s.ring.SigningKey(ES256); !k.DueAt.Equal(s.now) {
		s.t.Errorf("its successor is due %s later", k.DueAt.Sub(s.now))
	}
}

// Caches that keep a set for ever ask again only when they meet a kid published after they last did: a key published after the revocation must come.
func TestAfterARevocationAKeyUnknownToEveryCacheFollows(t *testing.T) {
	s := newStepper(t, ES256)
	s.give(importKey(Key{ID: "imported", Algorithm: ES256, Private: Sealed{Blob: []byte{1}}}))
	s.live(41 * time.Second)
	revokedAt := s.now
	s.give(revoke(s.signs())) // two known standbys: one takes over, the other is due and known at once
	s.live(43 * time.Second)
	if k := s.ring.SigningKey(ES256); !k.PublishedAt.After(revokedAt) {
		t.Errorf("%s after the revocation a key signs that was published before", s.now.Sub(revokedAt))
	}
}

func TestRevokeOfOtherKeys(t *testing.T) {
	s := newStepper(t, ES256)
	standby, signs := s.standby(), s.signs()
	list := s.give(revoke(standby))
	if s.signs() != signs || s.standby() == standby || list[0].Kind != ChangeRevoked || !strings.HasPrefix(list[0].Costs[0].Who, "refused from nobody") {
		t.Errorf("a standby: %v", list)
	}
	if s.ring.SigningKey(ES256).DueAt.Equal(s.now) {
		t.Error("the schedule is changed for a key that never signed")
	}
	before := s.ring
	if list := s.give(revoke(standby)); s.ring != before || !list[0].Already {
		t.Errorf("again: %v", list)
	}
	s.live(2 * time.Minute)
	retired := s.ring.latestOf(Retired)
	s.give(revoke(retired))
	if s.ring.Key(retired) != nil || s.ring.everHeld("nonsense") {
		t.Error("a retired key is still there")
	}
	dropped := s.ring.Dropped[0].ID
	s.give(revoke(dropped))
	if len(s.ring.Dropped) != 0 || !slices.Contains(s.ring.Revoked, dropped) {
		t.Error("the public half of a revoked key is kept")
	}
	s.refused(revoke("nonsense"), "no such key")
}

func TestRevokeAll(t *testing.T) {
	s := newStepper(t, ES256, RS256)
	s.live(65 * time.Second)
	var all []string
	for _, k := range s.ring.Keys {
		if k.Algorithm == ES256 {
			all = append(all, k.ID)
		}
	}
	others := s.ring.SigningKey(RS256).ID
	s.give(revokeAll(ES256))
	for _, kid := range all {
		if s.ring.Key(kid) != nil || !slices.Contains(s.ring.Revoked, kid) {
			t.Errorf("%s is still there", kid)
		}
	}
	if k := s.ring.SigningKey(ES256); !k.DueAt.Equal(s.now) || s.ring.SigningKey(RS256).ID != others {
		t.Error("nothing unknown follows, or another algorithm is touched")
	}
	checkShape(t, s.ring, ES256, RS256)
	s.refused(revokeAll("PS256"), "no PS256 key")
}

func TestExposureIsFromTheTermsAndNotTheLifeOfTokens(t *testing.T) {
	s := newStepper(t, ES256)
	s.life.Policy.TokenTTL = time.Hour
	s.live(61 * time.Second)
	list := s.give(revoke(s.signs()))
	i := slices.IndexFunc(list, func(c Change) bool { return c.Kind == ChangeRevoked })
	var texts []string
	for _, c := range list[i].Costs {
		texts = append(texts, c.String())
	}
	text := strings.Join(texts, "\n")
	for _, want := range []string{
		"refused from everybody: tokens that it signed fail at once",
		"believed by verifiers that heed the headers until 2030-01-01T00:01:12Z: R 4s + A 5s + E 2s = 11s",
		"cut off from the store until 2030-01-01T00:01:13Z: Q 5s + A 5s + E 2s = 12s",
		"Microsoft.IdentityModel until 2030-01-01T12:52:12Z: R 4s + A 5s + E 2s + V 12h51m = 12h51m11s",
		"go-oidc and whatever keeps a set for ever",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
}

func TestImportedKeyWaitsLikeAnyOther(t *testing.T) {
	s := newStepper(t, ES256)
	first := s.signs()
	s.live(59 * time.Second)
	list := s.give(importKey(Key{ID: "imported", Algorithm: ES256, Private: Sealed{Blob: []byte{1}}}))
	if len(list) != 2 || list[1].Kind != ChangePlanned || !list[1].At.Equal(s.now.Add(40*time.Second)) {
		t.Errorf("%v", list)
	}
	s.live(39 * time.Second)
	if s.signs() != first {
		t.Fatal("a key signs that verifiers may lack, or another took the imported one's turn")
	}
	s.live(time.Second)
	if s.signs() != "imported" {
		t.Error("the imported key does not sign when it is known")
	}
}

func TestImportRefusals(t *testing.T) {
	s := newStepper(t, ES256)
	s.refused(importKey(Key{ID: s.standby(), Algorithm: ES256}), "in the ring already")
	bad := s.standby()
	s.give(revoke(bad))
	s.refused(importKey(Key{ID: bad, Algorithm: ES256}), "is revoked")
	s.live(101 * time.Second)
	s.refused(importKey(Key{ID: s.ring.Dropped[0].ID, Algorithm: ES256}), "has left it")
	for i := len(s.ring.Keys); i < maxPublished; i++ {
		s.give(importKey(Key{ID: "imported" + time.Duration(i).String(), Algorithm: ES256}))
	}
	s.refused(importKey(Key{ID: "one more", Algorithm: ES256}), "48 keys are published")
	s.refused(each(es256, rotateNow(true)), "48 keys are published")
}

// A public half of a ring that was lost verifies for what it may have signed, and never signs.
func TestImportedPublicKey(t *testing.T) {
	s := newStepper(t, ES256)
	s.give(importPublic(Key{ID: "lost", Algorithm: ES256}))
	s.refused(rotateTo("lost"), "no private half")
	if k := s.ring.Key("lost"); k.State != Retired || !k.DropsAt.Equal(s.now.Add(40*time.Second)) {
		t.Errorf("%+v", k)
	}
	signs := s.signs()
	s.give(revoke(signs))
	if s.signs() == "lost" {
		t.Error("it took over")
	}
}

func TestCommandsHoldTimeThatWentBack(t *testing.T) {
	s := newStepper(t, ES256)
	s.live(50 * time.Second)
	attended := s.ring.AttendedAt
	s.now = t0.Add(-time.Hour)
	s.give(each(es256, rotate))
	if k := s.ring.SigningKey(ES256); !k.SignedAt.Equal(attended) || !s.ring.Standby(ES256).WindowAt.Equal(attended) {
		t.Errorf("stamped %s and %s", k.SignedAt, s.ring.Standby(ES256).WindowAt)
	}
}

func TestCommandIsOneVersionWithTheStepBeforeIt(t *testing.T) {
	s := newStepper(t, ES256, RS256)
	version := s.ring.Version
	s.now = s.now.Add(70 * time.Second) // both are due, and an outage lies before
	s.give(revoke(s.ring.SigningKey(RS256).ID))
	if s.ring.Version != version+1 {
		t.Errorf("version %d after %d", s.ring.Version, version)
	}
	checkShape(t, s.ring, ES256, RS256)
}

// A backup was put back with no replica alive. Past the due time the standby of the backup signs, because it did when all was lost.
func TestRestartPastTheDueTime(t *testing.T) {
	s := newStepper(t, ES256)
	s.live(30 * time.Second) // the backup is made now: the standby is not known yet
	standby := s.standby()
	s.now = s.now.Add(50 * time.Second)
	s.give(restart([]string{"made since"}))
	if s.signs() != standby {
		t.Error("the old key signs, which verifiers may have let go of")
	}
	if k := s.ring.Standby(ES256); !k.WindowAt.Equal(s.now) || !slices.Contains(s.ring.Revoked, "made since") {
		t.Error("a standby counts as published before, or a revocation is forgotten")
	}
	checkShape(t, s.ring, ES256)
}

func TestRestartBeforeTheDueTime(t *testing.T) {
	s := newStepper(t, ES256)
	s.live(42 * time.Second) // the standby is known
	signs, secrets := s.signs(), s.ring.Secrets
	s.now = s.now.Add(10 * time.Second)
	s.give(restart(nil))
	if s.signs() != signs {
		t.Error("the signing key does not sign on")
	}
	if s.ring.Known(s.ring.Standby(ES256), s.now) {
		t.Error("a publication counts that nobody knows of")
	}
	for _, old := range secrets {
		if hasSecret(s.ring, old.ID) {
			t.Errorf("a %s secret of the backup is still there", old.Purpose)
		}
	}
	for _, p := range macPurposes {
		if s.ring.DerivingSecret(p, s.now) == nil {
			t.Errorf("no secret derives for %s", p)
		}
	}
	s.live(38 * time.Second)
	if s.signs() != signs {
		t.Fatal("the standby signs before verifiers can have it")
	}
	s.live(3 * time.Second)
	if s.signs() == signs {
		t.Error("the standby never signs")
	}
}

func TestRestartHeedsRevocations(t *testing.T) {
	s := newStepper(t, ES256)
	s.live(10 * time.Second)
	bad := s.signs()
	s.give(restart([]string{bad}))
	if s.ring.Key(bad) != nil || s.signs() == "" {
		t.Error("a key that was revoked since the backup signs")
	}
	s.checkRevoked(bad)
}
