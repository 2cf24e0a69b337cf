package conformance

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"signet/issuer"
	"signet/keys"
)

// Store is everything that a store implements.
type Store interface {
	issuer.Store
	keys.RingStore
}

// Harness is how the suite comes by stores.
type Harness struct {
	// Open returns a new store that holds nothing but what every new store holds, and closes it when t ends.
	Open func(t *testing.T) Store
	// Reopen closes s, opens the same data again, and closes that when t ends.
	Reopen func(t *testing.T, s Store) Store
}

// Run holds the stores of h to every contract, as subtests of t. SIGNET_TEST_LONG=1 makes the races longer.
func Run(t *testing.T, h Harness) {
	for _, g := range []struct {
		name string
		run  func(*testing.T, Store)
	}{
		{"users", users},
		{"user lists", userLists},
		{"user search", userSearch},
		{"user walks", walksOfUsers},
		{"identifiers", identifiers},
		{"challenges", challenges},
		{"sessions", sessions},
		{"rotation", rotation},
		{"session lists", sessionLists},
		{"session pages", sessionPages},
		{"active sessions", activeSessions},
		{"outbox", outbox},
		{"outbox lists", outboxLists},
		{"reseal", reseal},
		{"throttles", throttles},
		{"clients", clients},
		{"audit", audit},
		{"audit lists", auditLists},
		{"ring", ring},
		{"heartbeats", heartbeats},
		{"ended context", endedContext},
		{"races", races},
	} {
		t.Run(g.name, func(t *testing.T) { g.run(t, h.Open(t)) })
	}
	t.Run("reopen", func(t *testing.T) { reopen(t, h) })
}

// base is the now of the suite. It is near the present, because a server may purge by its own clock what has long
// expired, and has milliseconds, because a store that drops them must fail.
var base = time.Now().UTC().Truncate(time.Second).Add(123 * time.Millisecond)

func after(d time.Duration) time.Time { return base.Add(d) }

const ms = time.Millisecond

// Unicode that a store must give back as it is, and sort by bytes: accents composed and not, wide characters,
// right to left, an emoji outside the basic plane, quotes and dollars.
const unicodeText = "Zoë Zoe\u0308 日本語 עברית 🦊 'q' \"d\" $set.a"

var lastID atomic.Int64

// newID is an id that no other test of this process uses. Later ones sort after earlier ones.
func newID(prefix string) string { return fmt.Sprintf("%s-%08d", prefix, lastID.Add(1)) }

func long() bool { return os.Getenv("SIGNET_TEST_LONG") == "1" }
