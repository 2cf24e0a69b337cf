package keys

import "context"

// A backup was put back while no replica was alive that could merge (merge.go). Since it was made the ring went on, nobody knows how: keys were
// added, signed and left, and what was published then is not what the backup says. So the key signs that most likely did when all was lost, because
// verifiers have it: past its due time the standby of then, else the signing key; whatever else there is counts as published from now on,
// and what was revoked since stays so if the operator says it. Tokens by keys made since fail, unless their public halves are imported.
//
// Secrets of MACs begin anew too, deriving at once: what was logged out, changed or rotated since must not come back with them.

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

// Restart makes a ring that was put back from a backup, with no replica alive, ready to be served: before the first server starts. Revoked are kids
// that were revoked since the backup was made; they need not be in it. The changes say what that means for verifiers. Errors: ErrNoRing, the
// store's.
func (o Operator) Restart(ctx context.Context, revoked []string) ([]Change, error) {
	return o.run(ctx, "restart keys", restart(revoked))
}
