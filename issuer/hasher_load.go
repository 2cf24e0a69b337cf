package issuer

import "context"

// LoadHashKinds reads which kinds of password hashes anybody has, so that failed sign-ins cost the same for all (see Hasher.Verify). It must
// have run before a server answers, and each replica runs it every poll. What was read before stays in force when the store does not answer.
func (p *Provider) LoadHashKinds(ctx context.Context) error {
	kinds, err := again(ctx, func() ([]string, error) { return p.store.HashKinds(ctx) })
	if err != nil {
		return err
	}
	p.hasher.SetKinds(kinds)
	return nil
}
