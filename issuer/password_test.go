package issuer

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/argon2"
)

// Requirements 80 to 83: length, nothing cut off, no composition rules, blocklist of common and context passwords.
func TestPasswordRules(t *testing.T) {
	words := []string{"ada.lovelace@example.org", "Ada", "Love", "Lovelace", "id.example.com", "signet"}
	for _, good := range []string{
		"correct horse battery", "tr0ub4dor&3x", "пароль-длинный", "        x1y2", strings.Repeat("ab3", 341), "🐎🔋🩺📎🐎🔋🩺!",
		strings.Repeat("ç", 64) + "xyz",
	} {
		if err := checkPassword(good, words...); err != nil {
			t.Errorf("%.30q refused: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "short", "1234567", "password1", "PassWord1", "1234567890", "aaaaaaaaaa", "abababababab", "lovelace1", "Lovelace99", "signet123", "example!!",
		"Ada.Lovelace@example.org", "ada.lovelace", "adalovelace1", "signet-example", strings.Repeat("x9z", 342),
		"\xff\xff\xff\xff\xff\xff\xff\xff",
	} {
		err := checkPassword(bad, words...)
		if KindOf(err) != KindWeakPassword {
			t.Errorf("%.30q: %v, want weak_password", bad, err)
		}
		if err != nil && bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("the refusal of %q repeats it", bad)
		}
	}
}

func TestBlocklistIsSorted(t *testing.T) {
	lines := commonLines()
	text, err := os.ReadFile("blocklist/common.txt")
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != strings.Join(lines, "\n")+"\n" {
		t.Error("common.txt has changed since it was packed: go generate ./issuer")
	}
	if len(lines) < 8000 {
		t.Fatalf("only %d entries", len(lines))
	}
	for i := 1; i < len(lines); i++ {
		if lines[i-1] >= lines[i] {
			t.Fatalf("not sorted at %d: %q, %q", i, lines[i-1], lines[i])
		}
	}
}

var cheap = HasherConfig{MemoryKiB: 16, Time: 1, Threads: 1, Slots: 4}

func mustHasher(t testing.TB, c HasherConfig) *Hasher {
	t.Helper()
	h, err := NewHasher(c)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Requirement 84: argon2id, salted, in PHC form, parameters readable and upgraded.
func TestHashAndVerify(t *testing.T) {
	ctx := context.Background()
	h := mustHasher(t, cheap)
	a, err := h.Hash(ctx, "Zoe\u0308 and friends")
	if err != nil || !strings.HasPrefix(a, "$argon2id$v=19$m=16,t=1,p=1$") {
		t.Fatalf("hash = %q, %v", a, err)
	}
	if b, _ := h.Hash(ctx, "Zoe\u0308 and friends"); a == b {
		t.Error("two hashes of one password are equal: no salt")
	}
	if ok, err := h.Verify(ctx, a, "Zo\u00eb and friends"); !ok || err != nil {
		t.Error("the same password in NFC is refused")
	}
	for _, wrong := range []string{"", "zoë and friends", "Zo\u00eb and friends "} {
		if ok, _ := h.Verify(ctx, a, wrong); ok {
			t.Errorf("%q accepted", wrong)
		}
	}
	if h.Outdated(a) || !mustHasher(t, HasherConfig{MemoryKiB: 32, Time: 1, Threads: 1}).Outdated(a) {
		t.Error("Outdated does not follow the cost")
	}
	long := strings.Repeat("a", 1023)
	hl, _ := h.Hash(ctx, long+"b")
	if ok, _ := h.Verify(ctx, hl, long+"c"); ok {
		t.Error("a long password was cut off")
	}
}

// The reference implementation's vector, so that a hash made elsewhere verifies here.
func TestArgon2idParses(t *testing.T) {
	h := storedHash{recipe: recipe{algorithm: ownArgon2id, argon2: hashCost{64, 2, 1}}, salt: []byte("somesaltsomesalt")}
	h.sum = argon2.IDKey([]byte("password"), h.salt, 2, 64, 1, 32)
	p, err := parseHash(h.phc())
	if err != nil || !p.matches("password") || p.matches("Password") {
		t.Fatalf("parse %q: %v", h.phc(), err)
	}
	for _, bad := range []string{
		"", "$", "$argon2id$v=19$m=64,t=2,p=1$", "$argon2i$v=19$m=64,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAA", "$argon2id$v=16$m=64,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$" + strings.Repeat("A", 43),
		"$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$" + strings.Repeat("A", 43), "$argon2id$v=19$m=64,t=4000000,p=1$c29tZXNhbHRzb21lc2FsdA$" + strings.Repeat("A", 43),
		"$argon2id$v=19$m=64,t=2,p=0$c29tZXNhbHRzb21lc2FsdA$" + strings.Repeat("A", 43), "$argon2id$v=19$m=1,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$" + strings.Repeat("A", 43),
		"$argon2id$v=19$m=64,t=2,p=1x$c29tZXNhbHRzb21lc2FsdA$" + strings.Repeat("A", 43), "$argon2id$v=19$m=64,t=2$c29tZXNhbHRzb21lc2FsdA$" + strings.Repeat("A", 43),
	} {
		if _, err := parseHash(bad); !errors.Is(err, errHashFormat) {
			t.Errorf("parseHash(%q) = %v", bad, err)
		}
	}
}

// A login storm meets a bound: as many hashes at once as there are slots, as many waiting as the queue holds, 503 beyond.
func TestHashQueueIsBounded(t *testing.T) {
	h := mustHasher(t, HasherConfig{MemoryKiB: 16, Time: 1, Threads: 1, Slots: 1, Queue: 2})
	h.slots <- struct{}{} // the one slot is busy
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { _, _ = h.Hash(ctx, "x") })
	}
	for {
		if _, waiting, _ := h.Stats(); waiting == 2 {
			break
		}
	}
	_, err := h.Hash(ctx, "one too many")
	var e *Error
	if !errors.As(err, &e) || e.Kind != KindUnavailable || e.RetryAfter <= 0 {
		t.Fatalf("third waiter: %v, want unavailable with a retry_after", err)
	}
	cancel()
	wg.Wait()
	<-h.slots
	if _, err := h.Hash(context.Background(), "free again"); err != nil {
		t.Fatalf("after the storm: %v", err)
	}
}
