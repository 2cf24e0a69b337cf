package keys

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// ringFormat is the format of the stored ring. A ring of a higher one is neither read nor written, so that an older
// release can't lose what a newer one keeps in it.
const ringFormat = 1

type ringBody struct {
	Format int `json:"format"`
	*Ring
}

// encode makes the document to store. Private halves and secrets are in it sealed only.
func (r *Ring) encode() (RingDocument, error) {
	body, err := json.Marshal(ringBody{Format: ringFormat, Ring: r})
	if err != nil {
		return RingDocument{}, fmt.Errorf("encode key ring: %w", err)
	}
	return RingDocument{Version: r.Version, By: r.By, Body: body}, nil
}

// decodeRing reads a stored document; that of version 0 is the empty ring.
func decodeRing(doc RingDocument) (*Ring, error) {
	r := &Ring{Version: doc.Version, By: doc.By}
	if doc.Version == 0 {
		return r, nil
	}
	body := ringBody{Ring: r}
	d := json.NewDecoder(bytes.NewReader(doc.Body))
	if err := d.Decode(&body); err != nil {
		return nil, fmt.Errorf("stored key ring, version %d: %w", doc.Version, err)
	}
	if body.Format != ringFormat {
		return nil, fmt.Errorf("stored key ring, version %d: format %d, this release reads %d", doc.Version, body.Format, ringFormat)
	}
	if len(r.Keys) == 0 {
		return nil, errors.New("stored key ring has no keys")
	}
	for _, k := range r.Keys {
		if k.State != Published && k.State != Signing && k.State != Retired {
			return nil, fmt.Errorf("stored key ring, version %d: key %.60q is in no known state", doc.Version, k.ID)
		}
	}
	return r, nil
}
