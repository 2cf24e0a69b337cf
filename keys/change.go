package keys

import (
	"fmt"
	"slices"
	"time"
)

// ChangeKind is what becomes of a key.
type ChangeKind string

const (
	ChangeAdded    ChangeKind = "added"    // published as a standby
	ChangePromoted ChangeKind = "promoted" // signs from now on
	ChangeRetired  ChangeKind = "retired"  // signs no more; At is when it leaves the JWKS
	ChangeDropped  ChangeKind = "dropped"  // left the JWKS
	ChangePlanned  ChangeKind = "planned"  // will sign from At on
)

// Change is one thing that a new version of the ring does, for people and for `--json`.
type Change struct {
	Algorithm Algorithm  `json:"alg"`
	Kind      ChangeKind `json:"change"`
	KeyID     string     `json:"kid"`
	At        time.Time  `json:"at"`
	Already   bool       `json:"already,omitempty"` // it was so before the command
}

// String is a sentence.
func (c Change) String() string {
	at := c.At.UTC().Format(time.RFC3339)
	switch c.Kind {
	case ChangeAdded:
		return fmt.Sprintf("%s key %s is published as a standby", c.Algorithm, c.KeyID)
	case ChangePromoted:
		return fmt.Sprintf("%s key %s signs since %s", c.Algorithm, c.KeyID, at)
	case ChangeRetired:
		return fmt.Sprintf("%s key %s signs no more and stays published until %s", c.Algorithm, c.KeyID, at)
	case ChangeDropped:
		return fmt.Sprintf("%s key %s is no longer published", c.Algorithm, c.KeyID)
	default:
		already := ""
		if c.Already {
			already = " (was planned already)"
		}
		return fmt.Sprintf("%s key %s will sign from %s on%s", c.Algorithm, c.KeyID, at, already)
	}
}

// changes are what the version after does to keys that the one before had, or had not.
func changes(before, after *Ring) []Change {
	var list []Change
	for _, k := range after.Keys {
		old := before.Key(k.ID)
		if old != nil && old.State == k.State {
			continue
		}
		switch k.State {
		case Published:
			list = append(list, Change{Algorithm: k.Algorithm, Kind: ChangeAdded, KeyID: k.ID, At: k.PublishedAt})
		case Signing:
			list = append(list, Change{Algorithm: k.Algorithm, Kind: ChangePromoted, KeyID: k.ID, At: k.SignedAt})
		case Retired:
			list = append(list, Change{Algorithm: k.Algorithm, Kind: ChangeRetired, KeyID: k.ID, At: k.DropsAt})
		}
	}
	for _, k := range before.Keys {
		if after.Key(k.ID) == nil {
			list = append(list, Change{Algorithm: k.Algorithm, Kind: ChangeDropped, KeyID: k.ID, At: k.DropsAt})
		}
	}
	order := []ChangeKind{ChangePromoted, ChangePlanned, ChangeRetired, ChangeAdded, ChangeDropped}
	slices.SortStableFunc(list, func(a, b Change) int {
		if a.Algorithm != b.Algorithm {
			return map[bool]int{true: -1, false: 1}[a.Algorithm < b.Algorithm]
		}
		return slices.Index(order, a.Kind) - slices.Index(order, b.Kind)
	})
	return list
}
