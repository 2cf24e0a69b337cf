package issuer_test

import (
	"context"
	"fmt"
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
	w := newWorld(t)
	rapid.Check(t, func(rt *rapid.T) {
		s := w.signUp(uniqueEmail())
		known := []string{s.RefreshToken}   // what some tab holds
		texts := map[int64]string{}         // the token of each generation
		superseded := map[int64]time.Time{} // when each generation was superseded, as stored last
		firstSeen := map[int64]time.Time{}  // and as stored first: a late answer dates it again, under the eyes of a call that read it before
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
			lateCall := seen && c.arrived.Sub(at) >= w.set.RefreshGrace
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
		for range rapid.IntRange(5, 40).Draw(rt, "steps") {
			live := calls[:0:0]
			for _, c := range calls {
				if !c.ended {
					live = append(live, c)
				}
			}
			switch n := rapid.IntRange(0, 9).Draw(rt, "what"); {
			case n == 0:
				w.keys.rotateSecrets()
			case n == 1:
				d := time.Duration(rapid.IntRange(1, 40).Draw(rt, "seconds")) * time.Second
				w.clock.advance(d)
			case n <= 4 && len(live) < 4:
				tok := rapid.SampledFrom(known).Draw(rt, "token")
				c := w.begin("refresh", func(ctx context.Context, p *issuer.Provider) (issuer.TokenSet, error) {
					return p.Refresh(ctx, who, tok)
				})
				presented[c] = issuer.GenerationOf(tok)
				calls = append(calls, c)
				check(c)
			case len(live) > 0:
				c := rapid.SampledFrom(live).Draw(rt, "call")
				switch rapid.IntRange(0, 11).Draw(rt, "fault") {
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
