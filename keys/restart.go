package keys

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A backup was put back while no replica was alive that could merge (merge.go). Since it was made the ring went on, nobody knows how: keys were
// added, signed and left, and what was published then is not what the backup says. So the key signs that most likely did when all was lost, because
// verifiers have it: past its due time the standby of then, else the signing key; whatever else there is counts as published from now on,
// and what was revoked since stays so if the operator says it. Tokens by keys made since fail, unless their public halves are imported.
//
// Secrets of MACs begin anew too, deriving at once: what was logged out, changed or rotated since must not come back with them.
//
// The ring is not all that a restore has to set right. So its first step also marks the ring, in the same version, and its last takes the mark off: no
// replica uses a marked ring, so that nobody serves a store that is restored by half. Who runs it again meanwhile goes on from the mark.

// ErrRestarting: the store was put back from a backup, and what has to be done before it may be served is not complete.
var ErrRestarting = errors.New("the store is being restored from a backup: complete it with 'signet restore --check'")

// restart is the command.
func restart(revoked []string) command {
	return func(_ *Ring, s *stepping) ([]Change, error) {
		algs := s.Ring.algorithms()
		for _, alg := range algs {
			s.resume(alg)
		}
		for _, kid := range revoked {
			if k := s.Key(kid); k != nil {
				s.revokeAndReplace(k.Algorithm, []string{kid})
			} else {
				s.revoke(kid)
			}
		}
		for i := range s.Keys {
			k := &s.Keys[i]
			k.WindowAt = s.now
			if k.State == Retired {
				k.DropsAt = latest(k.DropsAt, s.now.Add(s.Policy.keep(k.TTL)))
			}
		}
		for _, alg := range algs {
			s.addStandby(alg)
		}
		s.ResumedAt, s.changed, s.Secrets = s.now, true, nil
		for _, p := range macPurposes {
			s.addSecret(p, s.now)
		}
		return nil, nil
	}
}

// resume lets the standby of the backup sign if by now it would have been its turn.
func (s *stepping) resume(alg Algorithm) {
	signing, standby := s.SigningKey(alg), s.Standby(alg)
	if signing != nil && standby != nil && !s.now.Before(signing.DueAt) {
		s.promote(standby.ID)
	}
}

// Restart makes a ring that was put back from a backup, with no replica alive, ready to be served once Restarted is called, and marks it until then.
// Revoked are kids that were revoked since the backup was made; they need not be in it. The changes say what that means for verifiers. On a
// marked ring it does only what is new in revoked. Errors: ErrNoRing, the store's.
func (o Operator) Restart(ctx context.Context, revoked []string) ([]Change, error) {
	id := rand.Text()
	return o.run(ctx, "restart keys", func(before *Ring, s *stepping) ([]Change, error) {
		if before.Restarting != "" && !slices.ContainsFunc(revoked, func(kid string) bool { return !slices.Contains(before.Revoked, kid) }) {
			return nil, nil
		}
		notes, err := restart(revoked)(before, s)
		if s.Restarting == "" {
			s.Restarting = id
		}
		return notes, err
	})
}

// Restarted takes the mark off. Again is nothing. Errors: ErrNoRing, the store's.
func (o Operator) Restarted(ctx context.Context) error {
	_, err := o.run(ctx, "restart keys", func(_ *Ring, s *stepping) ([]Change, error) {
		s.changed = s.changed || s.Restarting != ""
		s.Restarting = ""
		return nil, nil
	})
	return err
}

// Standing is what a restore asks about a ring.
type Standing struct {
	Version    int64
	Published  []string // kids
	Revoked    []string // kids
	AttendedAt time.Time
	Restarting string // id of the restart under way; "" for none
}

// Standing reads it. Errors: ErrNoRing, the store's.
func (o Operator) Standing(ctx context.Context) (Standing, error) {
	r, err := o.load(ctx)
	if err != nil {
		return Standing{}, err
	}
	s := Standing{Version: r.Version, Revoked: r.Revoked, AttendedAt: r.AttendedAt, Restarting: r.Restarting}
	for _, k := range r.Keys {
		s.Published = append(s.Published, k.ID)
	}
	return s, nil
}

// CheckOpen says what in the ring can't be opened here, all of it: signing keys and standbys are tried, what is kept for a rollback is unsealed. Errors
// wrap ErrUnknownKEK where a key-encryption key is missing; ErrNoRing, the store's.
func (o Operator) CheckOpen(ctx context.Context) error {
	r, err := o.load(ctx)
	if err != nil {
		return err
	}
	var closed []error
	for _, k := range r.Keys {
		switch {
		case len(k.Private.Blob) == 0: // a public half that was imported alone
			continue
		case k.State == Retired:
			_, err = o.Sealer.Open(k.Private.Blob, "signing key", k.ID, string(k.Algorithm))
		default:
			_, err = openKey(ctx, k, o.Sealer, o.Keeping)
		}
		if err != nil {
			closed = append(closed, fmt.Errorf("%s key %s: %w", k.State, k.ID, err))
		}
	}
	for _, s := range r.Secrets {
		if _, err := openSecret(s, o.Sealer); err != nil {
			closed = append(closed, fmt.Errorf("%s secret %s: %w", s.Purpose, s.ID, err))
		}
	}
	return errors.Join(closed...)
}
