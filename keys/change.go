package keys

import (
	"fmt"
	"slices"
	"strings"
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

	ChangeWithdrawn ChangeKind = "withdrawn" // retired by a rollback: never signs again by the schedule; At is when it leaves the JWKS
	ChangeRevoked   ChangeKind = "revoked"   // out of the ring at once and for ever, with everything it signed
	ChangeRewrapped ChangeKind = "rewrapped" // sealed anew; nothing else of it changed
)

// Change is one thing that a new version of the ring does, for people and for `--json`.
type Change struct {
	Algorithm Algorithm  `json:"alg"`
	Kind      ChangeKind `json:"change"`
	KeyID     string     `json:"kid"`
	At        time.Time  `json:"at"`
	Already   bool       `json:"already,omitempty"` // it was so before the command

	RingVersion int64  `json:"ring_version,omitempty"` // the version that a command made; with Already, the one that it found
	Costs       []Cost `json:"costs,omitempty"`        // who fails, or is still fooled, and how long; of a command
}

// String is a sentence.
func (c Change) String() string {
	at := c.At.UTC().Format(time.RFC3339)
	switch c.Kind {
	case ChangeAdded:
		return fmt.Sprintf("%s key %s is published as a standby", c.Algorithm, c.KeyID)
	case ChangePromoted:
		return fmt.Sprintf("%s key %s signs since %s%s", c.Algorithm, c.KeyID, at, c.already("did so already"))
	case ChangeRetired:
		return fmt.Sprintf("%s key %s signs no more and stays published until %s", c.Algorithm, c.KeyID, at)
	case ChangeDropped:
		return fmt.Sprintf("%s key %s is no longer published", c.Algorithm, c.KeyID)
	case ChangeWithdrawn:
		return fmt.Sprintf("%s key %s is withdrawn: it signs no more and stays published until %s", c.Algorithm, c.KeyID, at)
	case ChangeRevoked:
		return strings.TrimSpace(fmt.Sprintf("%s key %s is revoked%s", c.Algorithm, c.KeyID, c.already("was already")))
	case ChangeRewrapped:
		return fmt.Sprintf("%s key %s is sealed anew", c.Algorithm, c.KeyID)
	default:
		return fmt.Sprintf("%s key %s will sign from %s on%s", c.Algorithm, c.KeyID, at, c.already("was planned already"))
	}
}

func (c Change) already(words string) string {
	if c.Already {
		return " (" + words + ")"
	}
	return ""
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
			kind := ChangeRetired
			if k.Withdrawn {
				kind = ChangeWithdrawn
			}
			list = append(list, Change{Algorithm: k.Algorithm, Kind: kind, KeyID: k.ID, At: k.DropsAt})
		}
	}
	for _, k := range before.Keys {
		switch {
		case after.Key(k.ID) != nil:
		case slices.Contains(after.Revoked, k.ID):
			list = append(list, Change{Algorithm: k.Algorithm, Kind: ChangeRevoked, KeyID: k.ID, At: after.AttendedAt})
		default:
			list = append(list, Change{Algorithm: k.Algorithm, Kind: ChangeDropped, KeyID: k.ID, At: k.DropsAt})
		}
	}
	sortChanges(list)
	return list
}

func sortChanges(list []Change) {
	order := []ChangeKind{ChangeRevoked, ChangePromoted, ChangePlanned, ChangeRetired, ChangeWithdrawn, ChangeAdded, ChangeDropped}
	slices.SortStableFunc(list, func(a, b Change) int {
		if a.Algorithm != b.Algorithm {
			return map[bool]int{true: -1, false: 1}[a.Algorithm < b.Algorithm]
		}
		return slices.Index(order, a.Kind) - slices.Index(order, b.Kind)
	})
}
