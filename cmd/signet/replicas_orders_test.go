//go:build linux

package main

import (
	"bytes"
	"context"
	"maps"
	random "math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"signet/keys"
)

// operator gives commands at random, one at a time, as a person at the command line does.
type operator struct {
	*fleet
	ring *ringWatch
	turn sync.Mutex // held while a command is thought out and given
	deck []int      // commands that are still to come before all begin anew

	tally   sync.Mutex
	outcome map[string]int
	files   int
}

// orders are the commands of an operator. Each makes its arguments from the ring as it is; nil is for one that has no object now. None of them accepts
// failures of verifiers: what would need that is either refused by signet or not given.
var orders = []struct {
	name string
	args func(o *operator, r storedRing, alg keys.Algorithm) []string
}{
	{"rotate", func(_ *operator, _ storedRing, alg keys.Algorithm) []string {
		return []string{"rotate", "--alg", string(alg)}
	}},
	{"rotate --now", func(_ *operator, _ storedRing, alg keys.Algorithm) []string {
		return []string{"rotate", "--now", "--alg", string(alg), "--yes"}
	}},
	{"rollback", func(_ *operator, r storedRing, alg keys.Algorithm) []string {
		if !r.canGoBack(alg) {
			return nil
		}
		return []string{"rollback", "--alg", string(alg), "--yes"}
	}},
	{"revoke a signing key", func(o *operator, r storedRing, alg keys.Algorithm) []string {
		if !r.canDoWithout(alg) {
			return nil
		}
		return o.revoke(r.some(alg, keys.Signing))
	}},
	{"revoke a standby", func(o *operator, r storedRing, alg keys.Algorithm) []string {
		return o.revoke(r.some(alg, keys.Published))
	}},
	{"revoke a retired key", func(o *operator, r storedRing, alg keys.Algorithm) []string {
		if len(r.kids(alg, keys.Retired)) < 3 {
			return nil // one is left for whatever follows
		}
		return o.revoke(r.some(alg, keys.Retired))
	}},
	{"import", func(o *operator, _ storedRing, alg keys.Algorithm) []string {
		return []string{"import", o.keyFile(alg), "--yes"}
	}},
	{"rotate --to", func(_ *operator, r storedRing, alg keys.Algorithm) []string {
		choice := append(r.kids(alg, keys.Published), r.withdrawn(alg)...)
		if len(choice) == 0 {
			return nil
		}
		return []string{"rotate", "--to", choice[random.IntN(len(choice))], "--yes"}
	}},
	{"rewrap", func(*operator, storedRing, keys.Algorithm) []string { return []string{"rewrap", "--yes"} }},
}

// work gives commands until ctx ends.
func (o *operator) work(ctx context.Context) {
	for ctx.Err() == nil {
		rest(ctx, time.Duration(200+random.IntN(1200))*time.Millisecond)
		o.turn.Lock()
		if name, args := o.draw(); args != nil && ctx.Err() == nil {
			o.give(ctx, name, args...)
		}
		o.turn.Unlock()
	}
}

// draw takes the next command from the deck that has an object now, of an algorithm at random.
func (o *operator) draw() (name string, args []string) {
	if len(o.deck) == 0 {
		o.deck = random.Perm(len(orders))
	}
	alg := algorithms[random.IntN(len(algorithms))]
	for place, card := range o.deck {
		if args := orders[card].args(o, o.ring.now(), alg); args != nil {
			o.deck = slices.Delete(o.deck, place, place+1)
			return orders[card].name, args
		}
	}
	return "", nil
}

// give types a command. It is carried out or refused; anything else is a fault.
func (o *operator) give(ctx context.Context, name string, args ...string) {
	cmd := exec.CommandContext(ctx, "signet", append([]string{"keys"}, args...)...)
	cmd.Dir = o.dir
	cmd.Env = append(os.Environ(), o.environ...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	how := name
	switch {
	case ctx.Err() != nil:
		return
	case err == nil:
	case cmd.ProcessState.ExitCode() == exitFailed:
		how += ", refused"
		reason, _, _ := strings.Cut(out.String(), "\n")
		o.t.Logf("refused: %s", reason)
	default:
		o.fault("signet keys %v: %v: %s", args, err, out.Bytes())
	}
	o.tally.Lock()
	defer o.tally.Unlock()
	if o.outcome == nil {
		o.outcome = map[string]int{}
	}
	o.outcome[how]++
}

func (o *operator) outcomes() map[string]int {
	o.tally.Lock()
	defer o.tally.Unlock()
	return maps.Clone(o.outcome)
}

// never are the commands that were not once carried out.
func (o *operator) never() (names []string) {
	done := o.outcomes()
	for _, order := range orders {
		if done[order.name] == 0 {
			names = append(names, order.name)
		}
	}
	return names
}

// awaitKnown waits until every standby of alg is known to verifiers, so that a rotation takes place at once. False: not in time.
func (o *operator) awaitKnown(ctx context.Context, alg keys.Algorithm) bool {
	for end := time.Now().Add(4 * fleetAhead); time.Now().Before(end) && ctx.Err() == nil; rest(ctx, 20*time.Millisecond) {
		if r := o.ring.now(); len(r.known(alg)) > 0 && len(r.known(alg)) == len(r.kids(alg, keys.Published)) {
			return true
		}
	}
	return false
}

// revoke is announced before it is given: from then on nobody vouches for what that key signed.
func (o *operator) revoke(kid string) []string {
	if kid == "" {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.revoked = append(o.revoked, kid)
	return []string{"revoke", kid, "--reason", "a drill", "--yes"}
}

// keyFile is a new private key of somebody else's making.
func (o *operator) keyFile(alg keys.Algorithm) string {
	o.files++
	name, err := makeKeyFile(o.dir, alg, o.files)
	o.fault1(err)
	return name
}

func (r storedRing) kids(alg keys.Algorithm, state keys.State) (kids []string) {
	for _, k := range r.Keys {
		if k.Alg == alg && k.State == state {
			kids = append(kids, k.Kid)
		}
	}
	return kids
}

func (r storedRing) some(alg keys.Algorithm, state keys.State) string {
	if kids := r.kids(alg, state); len(kids) > 0 {
		return kids[random.IntN(len(kids))]
	}
	return ""
}

func (r storedRing) withdrawn(alg keys.Algorithm) (kids []string) {
	for _, k := range r.Keys {
		if k.Alg == alg && k.State == keys.Retired && k.Withdrawn {
			kids = append(kids, k.Kid)
		}
	}
	return kids
}

// known are the standbys that every verifier has.
func (r storedRing) known(alg keys.Algorithm) (kids []string) {
	for _, k := range r.Keys {
		if k.Alg == alg && k.State == keys.Published && time.Since(k.WindowAt) >= r.Ahead.Value {
			kids = append(kids, k.Kid)
		}
	}
	return kids
}

// canDoWithout says whether a key that every verifier has would take over from the signing one: a standby that is known, or one that has
// signed and is not withdrawn.
func (r storedRing) canDoWithout(alg keys.Algorithm) bool {
	return len(r.known(alg)) > 0 || slices.ContainsFunc(r.kids(alg, keys.Retired), func(kid string) bool { return !slices.Contains(r.withdrawn(alg), kid) })
}

// canGoBack says whether the key that signed before the present one may sign again.
func (r storedRing) canGoBack(alg keys.Algorithm) bool {
	for _, k := range r.Keys {
		if k.Alg == alg && k.State == keys.Signing {
			return slices.Contains(r.kids(alg, keys.Retired), k.Prev) && !slices.Contains(r.withdrawn(alg), k.Prev)
		}
	}
	return false
}
