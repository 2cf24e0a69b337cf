package keys

import (
	"errors"
	"fmt"
	"slices"
)

// rollback lets the key sign again that the signing one took over from. The successor stays published for what it signed, and is withdrawn: it
// never signs again by the schedule, which goes on with the standby. Every verifier has the key before, because it signed
// and was published ever since.
func rollback(_ *Ring, s *stepping, alg Algorithm) ([]Change, error) {
	signing := s.SigningKey(alg)
	if signing == nil {
		return nil, fmt.Errorf("%w: %s", ErrNoKey, alg)
	}
	back, err := s.rollbackTo(signing)
	if err != nil {
		return nil, fmt.Errorf("%s can't be rolled back from key %s: %w", alg, signing.ID, err)
	}
	undone, kid, earlier := signing.ID, back.ID, back.Prev
	s.promote(kid)
	s.Key(kid).Prev = earlier
	s.Key(undone).Withdrawn = true
	return nil, nil
}

func (r *Ring) rollbackTo(signing *Key) (*Key, error) {
	back := r.Key(signing.Prev)
	switch {
	case signing.Prev == "":
		return nil, errors.New("no key signed before it")
	case back == nil && slices.Contains(r.Revoked, signing.Prev):
		return nil, fmt.Errorf("key %s, which signed before it, is revoked", signing.Prev)
	case back == nil:
		return nil, fmt.Errorf("key %s, which signed before it, has left the ring", signing.Prev)
	case back.Withdrawn:
		return nil, fmt.Errorf("key %s, which signed before it, is withdrawn: `rotate --to %s` wants it all the same", back.ID, back.ID)
	case back.State != Retired:
		return nil, fmt.Errorf("key %s, which signed before it, is a standby now", back.ID)
	}
	return back, nil
}
