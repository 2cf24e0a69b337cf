package issuer

import (
	"context"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/unicode/norm"
)

// spent is what a call computed.
func spent(h *Hasher, call func()) map[string]uint64 {
	before := h.Work()
	call()
	after := h.Work()
	maps.DeleteFunc(after, func(family string, units uint64) bool { return units == before[family] })
	for family := range after {
		after[family] -= before[family]
	}
	return after
}

// Requirement 86, in units of work: every failed Verify computes the same, whatever the stored hash is, and of every family as much as its slowest.
func TestAFailedVerifyCostsTheSameForAllKinds(t *testing.T) {
	ctx := context.Background()
	h := mustHasher(t, cheap)
	older, err := mustHasher(t, HasherConfig{MemoryKiB: 32, Time: 3}).Hash(ctx, "x")
	if err != nil {
		t.Fatal(err)
	}
	own, err := h.Hash(ctx, "x")
	if err != nil {
		t.Fatal(err)
	}
	stored := map[string]string{"none": "", "unusable": "!", "another": "md5$x$y", "own": own, "older": older}
	var kinds []string
	for _, u := range djangoUsers(t) {
		if !u.slow() {
			stored[u.name] = u.hash
			kinds = append(kinds, HashKind(u.hash))
		}
	}
	h.SetKinds(append(kinds, HashKind(older)))
	want := map[string]uint64{
		"argon2id$m=16,t=1,p=1": 1, "argon2id$m=32,t=3,p=1": 1, "argon2$argon2id$m=64,t=1,p=2": 1, "argon2$argon2i$m=512,t=2,p=2": 1,
		"pbkdf2_sha256": 1200, "pbkdf2_sha1": 1000, "bcrypt": 32, "scrypt$n=16,r=1,p=1": 1, "scrypt$n=16,r=2,p=3": 1,
	}
	for name, hash := range stored {
		for typed, times := range map[string]uint64{"wrong password": 1, "Zoe\u0308 wrong": 2} {
			got := spent(h, func() {
				if ok, err := h.Verify(ctx, hash, typed); ok || err != nil {
					t.Errorf("%s: %v, %v", name, ok, err)
				}
			})
			wanted := maps.Clone(want)
			for family := range wanted {
				if !strings.HasPrefix(family, "argon2id$") {
					wanted[family] *= times // tried as typed, and composed
				}
			}
			if !maps.Equal(got, wanted) {
				t.Errorf("%s, %+q: %v, want %v", name, typed, got, wanted)
			}
		}
	}
}

// A Verify that matches computes that hash and no more.
func TestASuccessIsNotPadded(t *testing.T) {
	ctx := context.Background()
	h := mustHasher(t, cheap)
	var all []string
	for _, u := range djangoUsers(t) {
		all = append(all, HashKind(u.hash))
	}
	h.SetKinds(all)
	for _, u := range djangoUsers(t) {
		parsed, err := parseHash(u.hash)
		if err != nil || u.slow() {
			continue
		}
		family, units := parsed.recipe.family()
		got := spent(h, func() {
			if ok, err := h.Verify(ctx, u.hash, u.password); !ok || err != nil {
				t.Errorf("%s: %v, %v", u.name, ok, err)
			}
		})
		if !maps.Equal(got, map[string]uint64{family.name(): units}) {
			t.Errorf("%s: %v", u.name, got)
		}
	}
}

// A kind that came since the last poll tells nothing: an imported hash is not computed before everybody's sign-in costs as much, not even for its
// owner. A new cost of this service's own is computed, and from then on for all.
func TestAKindThatIsNew(t *testing.T) {
	ctx := context.Background()
	h := mustHasher(t, cheap)
	baseline := spent(h, func() { _, _ = h.Verify(ctx, "", "violet otter plays cello") })
	for _, u := range djangoUsers(t) {
		for _, typed := range []string{u.password, "violet otter plays drums"} {
			want := spent(h, func() { _, _ = h.Verify(ctx, "", typed) })
			got := spent(h, func() {
				if ok, err := h.Verify(ctx, u.hash, typed); ok || err != nil {
					t.Errorf("%s: %v, %v before its kind is known", u.name, ok, err)
				}
			})
			if !maps.Equal(got, want) || !maps.Equal(got, baseline) {
				t.Errorf("%s: %v; of nobody %v", u.name, got, want)
			}
		}
	}
	h.SetKinds([]string{"pbkdf2_sha256$1199", "bcrypt$4"})
	for _, u := range djangoUsers(t) {
		ok, err := h.Verify(ctx, u.hash, u.password)
		want := slices.Contains([]string{"unicode", "decomposed", "bcrypt", "bcrypt_72", "decomposed_bcrypt"}, u.name) // 1200 rounds and cost 5 are more
		if ok != want || err != nil {
			t.Errorf("%s: %v, %v", u.name, ok, err)
		}
	}
	h.SetKinds(nil)
	other, err := mustHasher(t, HasherConfig{MemoryKiB: 32, Time: 3}).Hash(ctx, "x")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := h.Verify(ctx, other, "x"); !ok || err != nil {
		t.Errorf("the owner of a hash of another cost is refused: %v, %v", ok, err)
	}
	if got := spent(h, func() { _, _ = h.Verify(ctx, "", "x") }); got[HashKind(other)] != 1 {
		t.Errorf("a failed sign-in costs %v once a hash of another cost was met", got)
	}
}

// A hash that takes more memory or more threads than a slot stands for takes more slots, and a Verify takes as many whoever it is for.
func TestSlotsAreWeighed(t *testing.T) {
	h := mustHasher(t, HasherConfig{MemoryKiB: 64, Time: 1, Threads: 1, Slots: 4, Queue: 2})
	for kind, slots := range map[string]int{
		"": 1, "pbkdf2_sha256$1000": 1, "argon2$argon2id$m=64,t=1,p=1": 1, "argon2$argon2id$m=65,t=1,p=1": 2, "argon2$argon2id$m=64,t=1,p=3": 3, "argon2$argon2id$m=4096,t=1,p=1": 4,
		"scrypt$n=1024,r=1,p=1": 2,
	} {
		h.SetKinds([]string{kind})
		seen := make(chan int64, 1)
		err := h.inSlots(context.Background(), h.kinds.Load().slots, func() {
			busy, _, _ := h.Stats()
			seen <- busy
		})
		if got := <-seen; err != nil || got != int64(slots) {
			t.Errorf("%s: %d slots, want %d", kind, got, slots)
		}
		if busy, waiting, _ := h.Stats(); busy != 0 || waiting != 0 {
			t.Errorf("%s: %d slots stay taken", kind, busy)
		}
	}
	// Two who each want all of them do not wait for each other's half, however the slots come free.
	for range 4 {
		h.slots <- struct{}{}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	for range 2 {
		go func() { done <- h.inSlots(ctx, 4, func() {}) }()
	}
	for {
		if _, waiting, _ := h.Stats(); waiting == 2 {
			break
		}
	}
	for range 4 {
		runtime.Gosched()
		<-h.slots
	}
	for range 2 {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(time.Minute):
			t.Fatal("both wait for ever")
		}
	}
	// One who gives up leaves nothing taken.
	h.slots <- struct{}{}
	go func() { done <- h.inSlots(ctx, 4, func() {}) }()
	for len(h.slots) < 4 {
	}
	cancel()
	if err := <-done; KindOf(err) != KindUnavailable || len(h.slots) != 1 {
		t.Errorf("%v, %d slots taken", err, len(h.slots))
	}
}

// Both forms of a password are one for this service's own hashes, however Django's are tried.
func TestOwnHashesTakeOneTry(t *testing.T) {
	h := mustHasher(t, cheap)
	stored, err := h.Hash(context.Background(), "Zoë")
	if err != nil {
		t.Fatal(err)
	}
	got := spent(h, func() {
		if ok, err := h.Verify(context.Background(), stored, norm.NFD.String("Zoë")); !ok || err != nil {
			t.Error(ok, err)
		}
	})
	if !maps.Equal(got, map[string]uint64{HashKind(stored): 1}) {
		t.Error(got)
	}
}
