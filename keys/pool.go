package keys

import (
	"context"
	"crypto"
	"fmt"
	"maps"
	"sync"
	"time"
)

// pool makes key pairs beside everything else. A poll that wants some waits for them only so long; they stay for the next
// poll. Safe for concurrent use.
type pool struct {
	generate func(Algorithm) (crypto.Signer, error)
	made     chan struct{} // something was made, or failed

	mu     sync.Mutex
	pairs  map[Algorithm][]crypto.Signer
	flying map[Algorithm]int
	doubts map[string]bool // kids that a save with no answer may have put into the ring
	err    error           // of the last generation that failed
}

func newPool(generate func(Algorithm) (crypto.Signer, error)) *pool {
	return &pool{generate: generate, made: make(chan struct{}, 1), pairs: map[Algorithm][]crypto.Signer{}, flying: map[Algorithm]int{}, doubts: map[string]bool{}}
}

// want has at least so many pairs made, all at the same time, and waits for them until ctx ends. False: not all are there yet.
func (p *pool) want(ctx context.Context, missing map[Algorithm]int) (bool, error) {
	p.begin(missing)
	for {
		enough, err := p.have(missing)
		if enough || err != nil {
			return enough, err
		}
		select {
		case <-p.made:
		case <-ctx.Done():
			return false, nil
		}
	}
}

func (p *pool) begin(missing map[Algorithm]int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for alg, n := range missing {
		for n -= len(p.pairs[alg]) + p.flying[alg]; n > 0; n-- {
			p.flying[alg]++
			go p.makeOne(alg)
		}
	}
}

func (p *pool) makeOne(alg Algorithm) {
	pair, err := p.generate(alg)
	p.mu.Lock()
	p.flying[alg]--
	if err != nil {
		p.err = fmt.Errorf("make %s key: %w", alg, err)
	} else {
		p.pairs[alg] = append(p.pairs[alg], pair)
	}
	p.mu.Unlock()
	select {
	case p.made <- struct{}{}:
	default:
	}
}

// have says whether enough are there; the error, that some failed and not enough are still being made.
func (p *pool) have(missing map[Algorithm]int) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	enough := true
	for alg, n := range missing {
		if len(p.pairs[alg])+p.flying[alg] < n {
			return false, p.err
		}
		enough = enough && len(p.pairs[alg]) >= n
	}
	return enough, nil
}

// supply seals what was made and returns it; the pool forgets those that the ring held already has.
func (p *pool) supply(held *Ring, sealer *Sealer) (Supply, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var s Supply
	for alg, pairs := range p.pairs {
		var still []crypto.Signer
		for _, pair := range pairs {
			k, err := newKey(alg, pair, sealer)
			if err != nil {
				return Supply{}, err
			}
			if held.everHeld(k.ID) {
				continue
			}
			still = append(still, pair)
			s.Keys = append(s.Keys, k)
		}
		p.pairs[alg] = still
	}
	return s, nil
}

// equip makes what a Step was short of beyond s, and adds the secrets to s. True when the supply of the next try will be enough.
func (p *pool) equip(ctx context.Context, short Shortage, sealer *Sealer, s *Supply) (bool, error) {
	for purpose, n := range short.Secrets {
		for ; n > 0; n-- {
			secret, err := newSecret(purpose, sealer)
			if err != nil {
				return false, err
			}
			s.Secrets = append(s.Secrets, secret)
		}
	}
	total := maps.Clone(short.Keys)
	for _, k := range s.Keys {
		if total[k.Algorithm] > 0 {
			total[k.Algorithm]++
		}
	}
	return p.want(ctx, total)
}

// step is Step with a supply that is made as it is needed: false when ctx ended before the keys were there.
func (p *pool) step(ctx context.Context, in *Ring, now time.Time, l Lifecycle, sealer *Sealer) (*Ring, bool, error) {
	var secrets []Secret
	for {
		supply, err := p.supply(in, sealer)
		if err != nil {
			return nil, false, err
		}
		supply.Secrets = secrets
		next, short := Step(in, now, l, supply)
		if short.Empty() {
			return next, true, nil
		}
		enough, err := p.equip(ctx, short, sealer, &supply)
		if err != nil || !enough {
			return nil, false, err
		}
		secrets = supply.Secrets
	}
}
