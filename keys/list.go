package keys

import (
	"context"
	"time"
)

// KeyInfo is a key as `keys list --json` shows it: the future as planned, unknown as null.
type KeyInfo struct {
	ID          string     `json:"kid"`
	Algorithm   Algorithm  `json:"alg"`
	State       State      `json:"state"`
	PublishedAt time.Time  `json:"published_at"`
	SignsFrom   *time.Time `json:"signs_from"`
	RetiredAt   *time.Time `json:"retired_at"`
	DropsAt     *time.Time `json:"drops_at"`
	KnownAt     *time.Time `json:"known_at"`     // every verifier has a standby from then on; null for other keys
	LastUsedAt  *time.Time `json:"last_used_at"` // now for the signing key; null for one that never signed
	Imported    bool       `json:"imported"`
	Withdrawn   bool       `json:"withdrawn"` // signs no more unless an operator wants it
}

// List shows every published key, each algorithm's signing key first, then standbys, then retired ones. ErrNoRing, or the store's errors.
func (o Operator) List(ctx context.Context) ([]KeyInfo, error) {
	r, err := o.load(ctx)
	if err != nil {
		return nil, err
	}
	now, err := o.now(ctx)
	if err != nil {
		return nil, err
	}
	return r.infos(o.policyFor(r), now), nil
}

func (r *Ring) infos(p Policy, now time.Time) []KeyInfo {
	list := []KeyInfo{}
	for _, alg := range r.algorithms() {
		for _, state := range []State{Signing, Published, Retired} {
			for _, k := range r.Keys {
				if k.Algorithm == alg && k.State == state {
					list = append(list, r.info(k, p, now))
				}
			}
		}
	}
	return list
}

func (r *Ring) info(k Key, p Policy, now time.Time) KeyInfo {
	i := KeyInfo{ID: k.ID, Algorithm: k.Algorithm, State: k.State, PublishedAt: k.PublishedAt,
		SignsFrom: orNull(k.SignedAt), RetiredAt: orNull(k.StopsAt), DropsAt: orNull(k.DropsAt),
		LastUsedAt: orNull(k.StopsAt), Imported: k.Imported, Withdrawn: k.Withdrawn}
	switch k.State {
	case Published:
		i.KnownAt = orNull(r.knownAt(&k))
		i.SignsFrom, i.LastUsedAt = nil, nil
		if r.Standby(k.Algorithm).ID == k.ID {
			i.SignsFrom = orNull(r.signsFrom(k.Algorithm))
		}
	case Signing:
		i.LastUsedAt = orNull(now)
		if stops := r.signsFrom(k.Algorithm); !stops.IsZero() {
			i.RetiredAt = orNull(stops)
			i.DropsAt = orNull(stops.Add(max(p.keep(k.TTL), r.Ahead.Value)))
		}
	}
	return i
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
