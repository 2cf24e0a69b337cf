package keys

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// What a replica does about private halves in a vault, besides opening them: at every poll each makes a test signature, because a token can be
// pulled out at any time; what left the ring is destroyed; and what was made and never used is destroyed at the end. The invariant: nothing is
// destroyed that a stored ring has, or that a save under way may yet put into one.

// makeTime bounds the making of a key pair: hardware takes its time for RSA.
const makeTime = 2 * time.Minute

// makePair is how the pool makes keys.
func (r *Replica) makePair(alg Algorithm) (crypto.Signer, error) {
	if v := r.view.Load(); v != nil {
		if err := r.keeping.mayMake(v.ring, r.sealer); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), makeTime)
	defer cancel()
	return r.keeping.make(ctx, alg, r.policy.RSABits)
}

// visitVault is the vault's part of a poll. It takes at most half of its patience, so that a vault that hangs delays no poll beyond R.
func (r *Replica) visitVault(ctx context.Context) {
	v := r.view.Load()
	if v == nil || (r.keeping.Vault == nil && len(r.erasing) == 0) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, r.patience()/2)
	defer cancel()
	r.pulse.feel(ctx, v)
	r.noteProblem()
	var still []erasure
	for _, e := range r.erasing {
		if !r.erase(ctx, &e) {
			still = append(still, e)
		}
	}
	r.erasing = still
}

// erasure is a key that left the ring and may be in its vault still.
type erasure struct {
	Key
	told bool // that it did not work
}

// erase says whether nothing is left to be tried again.
func (r *Replica) erase(ctx context.Context, e *erasure) bool {
	destroyed, err := r.keeping.destroy(ctx, e.Key, r.sealer)
	switch {
	case err != nil:
		if !e.told {
			r.tell(Event{Kind: EventKeyNotDestroyed, KeyID: e.ID, Err: err})
		}
		e.told = true
		return errors.Is(err, ErrKept) // in a vault of others, for good
	case destroyed: // else another replica was first, or it was in the ring
		r.tell(Event{Kind: EventKeyDestroyed, KeyID: e.ID})
	}
	return true
}

// discardUnused destroys, as the replica ends, what was made for a ring that took another's key.
func (r *Replica) discardUnused(ctx context.Context) {
	v := r.view.Load()
	if v == nil || r.keeping.Vault == nil {
		return
	}
	for _, pair := range r.pool.unused(v.ring) {
		if _, err := r.keeping.Vault.Destroy(ctx, pair.reference); err != nil {
			r.tell(Event{Kind: EventKeyNotDestroyed, Err: fmt.Errorf("a key that was never used: %w", err)})
		}
	}
}

// doubt remembers that a save of next was not answered: it may be stored, or be stored yet.
func (p *pool) doubt(next *Ring) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range next.Keys {
		p.doubts[k.ID] = true
	}
}

// unused takes out the pairs in a vault that no ring has, nor may get.
func (p *pool) unused(held *Ring) []kept {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []kept
	for _, pairs := range p.pairs {
		for _, pair := range pairs {
			k, ok := pair.(kept)
			kid, err := thumbprint(pair.Public())
			if ok && err == nil && !held.everHeld(kid) && !p.doubts[kid] {
				list = append(list, k)
			}
		}
	}
	clear(p.pairs)
	return list
}

// pulse knows which keys in a vault made their last test signature.
type pulse struct {
	wrong atomic.Pointer[error] // what Ready says; nil when all is well

	wake chan struct{} // a key did not sign: poll now

	mu     sync.Mutex
	trying map[string]bool // test signatures under way, by kid
	woken  instant         // when wake was last used
}

// wakeEvery spaces out the polls that signatures which fail ask for.
const wakeEvery = 500 * time.Millisecond

// failedAt has the replica look at the ring and the vault at once: the key may have been revoked, and destroyed, since the last poll; and if the
// vault is away, the replica is not ready.
func (p *pulse) failedAt(now instant) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.woken != (instant{}) && now.since(p.woken) < wakeEvery {
		return
	}
	p.woken = now
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// problem is nil, or which keys do not sign.
func (p *pulse) problem() error {
	if wrong := p.wrong.Load(); wrong != nil {
		return *wrong
	}
	return nil
}

// feel has every key in a vault make a test signature, all at the same time, and waits for them until ctx ends.
func (p *pulse) feel(ctx context.Context, v *view) {
	type result struct {
		kid string
		err error
	}
	results, trying := make(chan result, len(v.ring.Keys)), 0
	missing := map[string]error{} // what each key in a vault has not shown yet
	for _, k := range v.ring.Keys {
		pair, ok := v.pairs[k.ID].pair.(kept)
		if !ok {
			continue
		}
		missing[k.ID] = fmt.Errorf("%w: its vault does not answer", ErrSigning)
		if p.begin(k.ID) {
			trying++
			go func() {
				err := testSignature(k, pair)
				p.end(k.ID)
				results <- result{k.ID, err}
			}()
		}
	}
	for ; trying > 0 && ctx.Err() == nil; trying-- {
		select {
		case r := <-results:
			missing[r.kid] = r.err
		case <-ctx.Done():
		}
	}
	var wrong []error
	for _, k := range v.ring.Keys {
		if err := missing[k.ID]; err != nil {
			wrong = append(wrong, fmt.Errorf("%s key %s: %w", k.State, k.ID, err))
		}
	}
	if err := errors.Join(wrong...); err != nil {
		p.wrong.Store(&err)
	} else {
		p.wrong.Store(nil)
	}
}

// begin says that no test signature of the key is under way: a vault that hangs is not given ever more to do.
func (p *pulse) begin(kid string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.trying == nil {
		p.trying = map[string]bool{}
	}
	was := p.trying[kid]
	p.trying[kid] = true
	return !was
}

func (p *pulse) end(kid string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.trying, kid)
}
