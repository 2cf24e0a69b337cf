package keys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// ExportPublic is the set as it is published: {"keys":[...]}, public halves alone (RFC 7517, section 5).
func (o Operator) ExportPublic(ctx context.Context) ([]byte, error) {
	r, err := o.load(ctx)
	if err != nil {
		return nil, err
	}
	set, err := publish(r, o.policyFor(r))
	if err != nil {
		return nil, err
	}
	return set.Body, nil
}

// PrivateExport is a JWK set with private halves, in the clear: seal it before it leaves the process.
type PrivateExport struct {
	Body        []byte
	RingVersion int64
	KeyIDs      []string // those in it
	Left        []string // those whose private half is not in the ring: in a vault, or elsewhere
}

// ExportPrivate opens the private halves of the ring's keys, retired ones too, because a rollback wants them. The error is that one does not open:
// half an export would be taken for a whole one.
func (o Operator) ExportPrivate(ctx context.Context) (PrivateExport, error) {
	r, err := o.load(ctx)
	if err != nil {
		return PrivateExport{}, err
	}
	e := PrivateExport{RingVersion: r.Version}
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, k := range r.Keys {
		if _, _, kept := k.reference(o.Sealer); kept || len(k.Private.Blob) == 0 {
			e.Left = append(e.Left, k.ID)
			continue
		}
		pair, err := openKey(ctx, k, o.Sealer, o.Keeping)
		if err != nil {
			return PrivateExport{}, fmt.Errorf("open key %s: %w", k.ID, err)
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: pair, KeyID: k.ID, Algorithm: string(k.Algorithm), Use: "sig"})
		e.KeyIDs = append(e.KeyIDs, k.ID)
	}
	if len(set.Keys) == 0 {
		return PrivateExport{}, errors.New("the ring has no private half to export")
	}
	e.Body, err = json.Marshal(set)
	if err != nil {
		return PrivateExport{}, errors.New("encode the private keys") // the cause could hold what it could not encode
	}
	slices.Sort(e.KeyIDs)
	return e, nil
}
