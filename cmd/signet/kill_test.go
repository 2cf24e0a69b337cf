package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/keys"
	"signet/repository/mongodb/mongotest"
)

// kill -9 in the middle of a storm of refreshes, and a restart, many times over. No session is lost whose answer was received: the newest token that
// its app holds still works. No generation is accepted beyond the grace: an old token of a session that lived through kills ends it.
func TestKillsInARefreshStorm(t *testing.T) {
	if os.Getenv("SIGNET_TEST_LONG") != "1" {
		t.Skip("a long proof: SIGNET_TEST_LONG=1 runs it")
	}
	t.Run("SQLite", func(t *testing.T) { killRounds(t, 100, nil) })
	t.Run("MongoDB", func(t *testing.T) {
		uri := mongotest.URI(t)
		kek := filepath.Join(t.TempDir(), "kek")
		if err := keys.CreateKEKFile(kek); err != nil {
			t.Fatal(err)
		}
		killRounds(t, 100, []string{"SIGNET_MONGODB_URI=" + uri, "SIGNET_KEK_FILE=" + kek})
	})
}

const (
	killGrace    = 10 * time.Second
	killSessions = 8
)

// superseded is a token whose successor was received at a time.
type superseded struct {
	old, current string
	at           time.Time
}

func killRounds(t *testing.T, rounds int, environ []string) {
	dir := t.TempDir()
	environ = append(environ, "SIGNET_ISSUER=http://localhost:9", "SIGNET_LIMIT_SOURCE=0", "SIGNET_REFRESH_GRACE="+killGrace.String())
	held := make([]string, killSessions) // the newest token that each app has received
	var bait []superseded
	answers, thefts := 0, 0
	for round := range rounds {
		p, err := startServer(dir, environ, "serve", "--dev", "--listen", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		c := client{base: p.url}
		for i := range held {
			if held[i] == "" {
				held[i] = signUpFor(t, c, fmt.Sprintf("app%d@example.org", i))
				continue
			}
			held[i] = mustRefresh(t, c, held[i], fmt.Sprintf("round %d, session %d: its newest token", round, i))
		}
		bait = append(bait, layBait(t, c, round))
		for len(bait) > 0 && time.Since(bait[0].at) > killGrace {
			takeBait(t, c, bait[0])
			bait, thefts = bait[1:], thefts+1
		}
		answers += refreshUntilKilled(t, c, p, held)
	}
	t.Logf("%d rounds, %d answers received in storms, no session lost; %d old tokens refused", rounds, answers, thefts)
	if answers < rounds*killSessions || thefts == 0 {
		t.Error("the storms were too calm to show anything")
	}
}

// refreshUntilKilled refreshes every session in a chain, from as many apps, and kills the server once a drawn number of answers has come.
func refreshUntilKilled(t *testing.T, c client, p *process, held []string) int {
	var received atomic.Int64
	enough := int64(20 + rand.IntN(300))
	killed := make(chan struct{})
	var kill sync.Once
	var apps sync.WaitGroup
	for i := range held {
		apps.Go(func() {
			for {
				a, err := c.call("POST", "/api/v1/token/refresh", "", map[string]any{"refresh_token": held[i]})
				if err != nil {
					select {
					case <-killed: // cut off by the kill: what was received stands
					case <-time.After(startTime):
						t.Errorf("session %d: %v before the kill", i, err)
					}
					return
				}
				if a.status != http.StatusOK {
					t.Errorf("session %d: %d %v", i, a.status, a.body)
					kill.Do(func() { p.kill(); close(killed) })
					return
				}
				held[i] = a.text("refresh_token")
				if received.Add(1) == enough {
					kill.Do(func() { p.kill(); close(killed) })
				}
			}
		})
	}
	apps.Wait()
	return int(received.Load())
}

func signUpFor(t *testing.T, c client, address string) string {
	t.Helper()
	a, err := c.register(address, storyPassword)
	if err != nil {
		t.Fatal(err)
	}
	return a.text("refresh_token")
}

func mustRefresh(t *testing.T, c client, token, what string) string {
	t.Helper()
	a, err := c.expect(http.StatusOK, "POST", "/api/v1/token/refresh", "", map[string]any{"refresh_token": token})
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return a.text("refresh_token")
}

// layBait makes a session with a superseded token, to be presented once the grace is over, after other kills.
func layBait(t *testing.T, c client, round int) superseded {
	t.Helper()
	old := signUpFor(t, c, fmt.Sprintf("bait%d@example.org", round))
	current := mustRefresh(t, c, old, "bait")
	return superseded{old: old, current: current, at: time.Now()}
}

func takeBait(t *testing.T, c client, s superseded) {
	t.Helper()
	for _, x := range []struct{ token, code string }{{s.old, "token_reused"}, {s.current, "session_revoked"}} {
		a, err := c.expect(http.StatusUnauthorized, "POST", "/api/v1/token/refresh", "", map[string]any{"refresh_token": x.token})
		if err != nil {
			t.Fatal(err)
		}
		if a.text("code") != x.code {
			t.Fatalf("a token superseded %s ago: %v, want %s", time.Since(s.at), a.body, x.code)
		}
	}
}
