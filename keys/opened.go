package keys

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"
)

// opened is a version of the ring with everything prepared that a request needs. It is never changed.
type opened struct {
	ring    *Ring
	set     *PublishedSet
	signers map[Algorithm]*signer
	publics map[string]verifier // by kid
	secrets map[string]MACSecret
	pairs   map[string]openedPair // by kid, signing and standby keys
	keks    []string              // the sealer's ids then
	problem error                 // what could not be opened
}

type openedPair struct {
	pair crypto.Signer
	blob string // that it was opened from
}

type verifier struct {
	alg Algorithm
	key crypto.PublicKey
}

// open prepares a version. What was open before stays so: a key whose new seal does not open goes on signing here, and problem says
// what is wrong. The error is for a ring that can't be published at all.
func open(ctx context.Context, r *Ring, sealer *Sealer, keeping Keeping, p Policy, before *opened) (*opened, error) {
	set, err := publish(r, p)
	if err != nil {
		return nil, err
	}
	o := &opened{ring: r, set: set, keks: sealer.KEKIDs(), signers: map[Algorithm]*signer{}, publics: map[string]verifier{},
		secrets: map[string]MACSecret{}, pairs: map[string]openedPair{}}
	var problems []error
	for _, k := range r.Keys {
		public, err := publicKey(k)
		if err != nil {
			return nil, err // publish has parsed it: unreachable
		}
		o.publics[k.ID] = verifier{k.Algorithm, public}
		if k.State == Retired {
			continue
		}
		if err := o.openPair(ctx, k, sealer, keeping, before); err != nil {
			problems = append(problems, fmt.Errorf("%s key %s: %w", k.State, k.ID, err))
		}
	}
	for _, s := range r.Secrets {
		if err := o.openSecret(s, sealer, before); err != nil {
			problems = append(problems, fmt.Errorf("%s secret %s: %w", s.Purpose, s.ID, err))
		}
	}
	o.problem = errors.Join(problems...)
	return o, nil
}

func (o *opened) openPair(ctx context.Context, k Key, sealer *Sealer, keeping Keeping, before *opened) error {
	var err error
	old, had := openedPair{}, false
	if before != nil {
		old, had = before.pairs[k.ID]
	}
	if !had || old.blob != string(k.Private.Blob) {
		var pair crypto.Signer
		if pair, err = openKey(ctx, k, sealer, keeping); err == nil {
			old, had = openedPair{pair, string(k.Private.Blob)}, true
		}
	}
	if had {
		o.pairs[k.ID] = old
		if k.State == Signing {
			o.signers[k.Algorithm] = newSigner(k.ID, k.Algorithm, k.TTL, old.pair)
		}
	}
	return err
}

func (o *opened) openSecret(s Secret, sealer *Sealer, before *opened) error {
	opened, err := openSecret(s, sealer)
	if err != nil && before != nil {
		if old, had := before.secrets[s.ID]; had {
			o.secrets[s.ID] = old
		}
	}
	if err == nil {
		o.secrets[s.ID] = opened
	}
	return err
}

// current says whether o is of this very version, opened with these KEKs, and nothing is left to be opened.
func (o *opened) current(r *Ring, keks []string) bool {
	return o.ring.Version == r.Version && o.ring.By == r.By && slices.Equal(o.keks, keks) && o.problem == nil
}
