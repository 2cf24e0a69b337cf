package issuer

import (
	"context"
	"encoding/hex"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"signet/keys"
)

// Budgets are kept in the store, so that replicas share them, and counted before what they guard is done. A replica that met
// a full one refuses from memory until it may have room again: an attack costs the store nothing.

// Limit allows N acts in any Window. N = 0 allows all.
type Limit struct {
	N      int
	Window time.Duration
}

// account names whose budget it is: a user, or, where that would tell who has an account, an address under a MAC.
// A device seen before has budgets of its own.
type account struct{ key, device string }

func (a account) budget(kind string, p Purpose) string {
	k := kind + ":" + string(p) + ":" + a.key
	if a.device != "" {
		k += ":d:" + a.device
	}
	return k
}

// blind turns an address, name or source into a key that says nothing of it.
func (p *Provider) blind(what, value string) (string, error) {
	secret, err := p.keys.MACSecret(keys.MACCode)
	if err != nil {
		return "", keyTrouble(err)
	}
	sum := secret.Sum("signet throttle v1", []byte(what), []byte(value))
	return hex.EncodeToString(sum[:16]), nil
}

// take counts att against a budget, or refuses with rate_limited.
func (p *Provider) take(ctx context.Context, key, att string, l Limit, now time.Time) error {
	if l.N == 0 {
		return nil
	}
	if until, full := p.full.until(key, now); full {
		return rateLimited(until.Sub(now))
	}
	type outcome struct {
		ok    bool
		until time.Time
	}
	o, err := again(ctx, func() (outcome, error) {
		ok, until, err := p.store.TakeBudget(ctx, key, att, l.N, l.Window, now)
		return outcome{ok, until}, err
	})
	if err != nil {
		return err
	}
	if !o.ok {
		p.full.remember(key, o.until, now)
		return rateLimited(o.until.Sub(now))
	}
	return nil
}

// giveBack takes att out of a budget: what it was counted for turned out to be right.
func (p *Provider) giveBack(ctx context.Context, key, att string, l Limit) error {
	if l.N == 0 {
		return nil
	}
	p.full.forget(key)
	return done(ctx, func() error { return p.store.GiveBack(ctx, key, att) })
}

// unjudged gives back what was counted for an attempt that nobody judged: the service failed, not the caller. It is tried once, with a little
// time of its own, because the request's may be up.
func (p *Provider) unjudged(ctx context.Context, key, att string, l Limit, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unjudgedTime)
	defer cancel()
	if l.N == 0 {
		return why
	}
	p.full.forget(key)
	if err := p.store.GiveBack(ctx, key, att); err != nil {
		p.log.Warn().Err(err).Str("event", "throttle.not_given_back").Msg("an attempt that was not judged stays counted")
	}
	return why
}

const unjudgedTime = time.Second

// takeSource counts a sign-in request against the caller's network: IPv4 /24, IPv6 /64, in fixed windows.
func (p *Provider) takeSource(ctx context.Context, who Requester, now time.Time) error {
	l := p.set.LimitSource
	if l.N == 0 {
		return nil
	}
	blinded, err := p.blind("source", network(who.IP))
	if err != nil {
		return err
	}
	start := now.Truncate(l.Window)
	end := start.Add(l.Window)
	key := "source:" + blinded + ":" + strconv.FormatInt(start.Unix(), 10)
	if _, full := p.full.until(key, now); full {
		return rateLimited(end.Sub(now))
	}
	n, err := again(ctx, func() (int64, error) { return p.store.CountSource(ctx, key, end) })
	if err != nil {
		return err
	}
	if n > int64(l.N) {
		p.full.remember(key, end, now)
		return rateLimited(end.Sub(now))
	}
	return nil
}

// network is the part of an address that one subscriber has; what is no address counts as itself.
func network(ip string) string {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	a = a.Unmap().WithZone("")
	bits := 64
	if a.Is4() {
		bits = 24
	}
	return netip.PrefixFrom(a, bits).Masked().String()
}

// fullBudgets remembers what is full until when. Safe for concurrent use.
type fullBudgets struct {
	mu    sync.Mutex
	at    map[string]time.Time
	swept time.Time
}

const mostFull = 10_000

func (f *fullBudgets) until(key string, now time.Time) (time.Time, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t, ok := f.at[key]
	if ok && !t.After(now) {
		delete(f.at, key)
		return t, false
	}
	return t, ok
}

func (f *fullBudgets) remember(key string, until, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.at == nil {
		f.at = map[string]time.Time{}
	}
	if len(f.at) >= mostFull && now.Sub(f.swept) >= time.Second {
		f.swept = now
		for k, t := range f.at {
			if !t.After(now) {
				delete(f.at, k)
			}
		}
	}
	if len(f.at) < mostFull {
		f.at[key] = until
	}
}

func (f *fullBudgets) forget(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.at, key)
}
