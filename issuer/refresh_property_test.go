package issuer_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signet/issuer"
	"signet/repository/conformance"
)

// Several tabs on several replicas present tokens of one session, in every order of storage operations, with lost answers, repeated writes and crashes,
// while the clock runs and the MAC secret rotates. Each generation rotates once; all tokens of a generation are one text; nobody inside the
// grace is called a thief; nobody who arrives after it gets tokens.
func TestRefreshProperties(t *testing.T) {
	t.Run("grace 30s", func(t *testing.T) { refreshProperties(t, 30*time.Second) })
	t.Run("no grace", func(t *testing.T) { refreshProperties(t, 0) })
}

func refreshProperties(t *testing.T, grace time.Duration) {
	w := newWorld(t)
	w.set.RefreshGrace = grace
	rapid.Check(t, func(rt *rapid.T) {
		s := w.signUp(uniqueEmail())
		known := []string{s.RefreshToken}   // what some tab holds
		texts := map[int64]string{}         // the token of each generation
		superseded := map[int64]time.Time{} // when each generation was superseded, as stored last
		firstSeen := map[int64]time.Time{}  // and as stored first: a late answer dates it again, under the eyes of a call that read it before
		rotated := map[int64]bool{}         // without a grace: who was answered
		late := false                       // some call arrived after the grace
		var calls []*call
		presented := map[*call]int64{}
		check := func(c *call) {
			for _, r := range w.session(s.SID).Recent {
				superseded[r.Gen] = r.At
				if _, ok := firstSeen[r.Gen]; !ok {
					firstSeen[r.Gen] = r.At
				}
			}
			if !c.ended {
				return
			}
			at, seen := superseded[presented[c]]
			own := c.err == nil && c.arrived.Equal(at) && issuer.GenerationOf(c.tokens.RefreshToken) == presented[c]+1
			if own && grace == 0 {
				if rotated[presented[c]] {
					rt.Fatalf("generation %d was traded twice", presented[c])
				}
				rotated[presented[c]] = true
			}
			lateCall := seen && c.arrived.Sub(at) >= w.set.RefreshGrace && !own
			lateOnce := seen && c.arrived.Sub(firstSeen[presented[c]]) >= w.set.RefreshGrace
			late = late || lateOnce
			switch {
			case c.err == nil && lateCall:
				rt.Fatalf("generation %d arrived %v after it was superseded and got tokens", presented[c], c.arrived.Sub(at))
			case c.err == nil:
				got := issuer.GenerationOf(c.tokens.RefreshToken)
				if old, ok := texts[got]; ok && old != c.tokens.RefreshToken {
					rt.Fatalf("two texts of generation %d", got)
				}
				texts[got] = c.tokens.RefreshToken
				known = append(known, c.tokens.RefreshToken)
			case issuer.KindOf(c.err) == issuer.KindTokenReused && !lateOnce:
				rt.Fatalf("an honest call inside the grace is called a thief: generation %d", presented[c])
			}
		}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 2)) // even draws: rapid's own prefer small numbers
		for range rapid.IntRange(5, 60).Draw(rt, "steps") {
			live := calls[:0:0]
			for _, c := range calls {
				if !c.ended {
					live = append(live, c)
				}
			}
			switch n := rng.IntN(10); {
			case n == 0:
				w.keys.rotateSecrets()
			case n == 1:
				d := time.Duration(1+rng.IntN(40)) * time.Second
				w.clock.advance(d)
			case n <= 4 && len(live) < 4:
				tok := known[rng.IntN(len(known))]
				c := w.begin("refresh", func(ctx context.Context, p *issuer.Provider) (issuer.TokenSet, error) {
					return p.Refresh(ctx, who, tok)
				})
				presented[c] = issuer.GenerationOf(tok)
				calls = append(calls, c)
				check(c)
			case len(live) > 0:
				c := live[rng.IntN(len(live))]
				switch rng.IntN(12) {
				case 0:
					c.crash()
				case 1:
					c.step(conformance.AnswerLost)
				case 2:
					c.step(conformance.Twice)
				case 3:
					c.step(conformance.CrashBefore)
				default:
					c.step(conformance.None)
				}
				check(c)
			}
		}
		for _, c := range calls {
			for !c.ended {
				c.step(conformance.None)
				check(c)
			}
		}
		if sess := w.session(s.SID); sess.Revoked != nil && !late {
			rt.Fatalf("the session ended though nobody was late: %+v", sess.Revoked)
		}
	})
}

var emails atomic.Int64

func uniqueEmail() string { return fmt.Sprintf("user%d@example.org", emails.Add(1)) }
