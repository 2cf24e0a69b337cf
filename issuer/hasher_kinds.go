package issuer

import (
	"cmp"
	"context"
	"slices"
)

// How long a failed sign-in takes must not tell whose account it was. Hashes that were imported, or made at another cost, take another time
// than new ones, and unknown accounts have none. So every failed Verify computes the same, whatever the account is:
//
//  1. It computes the account's own hash, if there is one.
//  2. It computes, for nothing, what is left of every family of hashes that anybody still has (recipe.family), up to the most that one of
//     the family takes.
//
// A password that is typed in another form than NFC may be tried twice against an imported hash; then those families count twice for all.
// All take as many slots. A Verify that succeeds says so itself, and computes no more.
//
// Which kinds there are is read from the store every poll (LoadHashKinds), before a server answers at all. Between two polls a kind may be
// new to a replica. An imported one is not computed then, and its owner is answered as if the password was wrong, until the next poll: in
// that time nobody can tell such an account from any other, right or wrong as the guess may be. A new cost of this service's own hashes comes
// without an import, by a sign-in or a registration on a replica that is configured otherwise; its owner is not refused for that: the hash is
// computed, and from that moment on everybody's is. One measurement, within a poll of the first hash of a cost that a replica does not
// know, is what that can give away.

// hashKinds are the kinds of hashes that failed sign-ins are made alike over. Immutable.
type hashKinds struct {
	needs []familyNeed
	slots int // that any Verify takes
}

// familyNeed is the most that one hash of a family takes.
type familyNeed struct {
	family recipe
	units  uint64
}

// SetKinds says which kinds of hashes (HashKind) there are, besides the one that is made now. What is no kind that this release can verify
// is left out.
func (h *Hasher) SetKinds(kinds []string) {
	next := h.with(nil, h.own())
	for _, kind := range kinds {
		if r, err := parseKind(kind); err == nil {
			next = h.with(next, r)
		}
	}
	h.kinds.Store(next)
}

// learn adds one of this service's own kinds.
func (h *Hasher) learn(r recipe) *hashKinds {
	for {
		before := h.kinds.Load()
		after := h.with(before, r)
		if h.kinds.CompareAndSwap(before, after) {
			return after
		}
	}
}

// with is the kinds and one more.
func (h *Hasher) with(k *hashKinds, r recipe) *hashKinds {
	next := &hashKinds{slots: h.slotsFor(r)}
	if k != nil {
		next.needs, next.slots = slices.Clone(k.needs), max(k.slots, next.slots)
	}
	family, units := r.family()
	for i, n := range next.needs {
		if n.family == family {
			next.needs[i].units = max(n.units, units)
			return next
		}
	}
	next.needs = append(next.needs, familyNeed{family, units})
	slices.SortFunc(next.needs, func(a, b familyNeed) int { return cmp.Compare(a.family.name(), b.family.name()) })
	return next
}

// slotsFor is how many slots a hash takes: by its memory or its threads, whichever is more, and all of them when there are too few.
func (h *Hasher) slotsFor(r recipe) int {
	memory := (r.memoryKiB() + h.cost.memoryKiB - 1) / h.cost.memoryKiB
	threads := (r.threads() + uint32(h.cost.threads) - 1) / uint32(h.cost.threads)
	return min(int(max(memory, threads)), cap(h.slots))
}

// cover says whether a failed Verify computes as much as the recipe takes.
func (k *hashKinds) cover(r recipe) bool {
	family, units := r.family()
	return slices.ContainsFunc(k.needs, func(n familyNeed) bool { return n.family == family && n.units >= units })
}

// Verify says whether the password belongs to the stored hash. An empty or unusable stored hash never matches. Every call that does not
// match has computed the same as any other, for the same password.
func (h *Hasher) Verify(ctx context.Context, stored, password string) (bool, error) {
	kinds := h.kinds.Load()
	own, err := parseHash(stored)
	has := err == nil
	if has && !kinds.cover(own.recipe) {
		if own.recipe.algorithm.imported() {
			has = false
		} else {
			kinds = h.learn(own.recipe)
		}
	}
	var match bool
	err = h.inSlots(ctx, kinds.slots, func() {
		left := kinds.allowance(password)
		if has {
			match = h.try(own, password, left)
		}
		if !match {
			h.spendRest(left, password)
		}
	})
	return match, err
}

// allowance is what a failed Verify of the password computes, by family.
func (k *hashKinds) allowance(password string) map[recipe]uint64 {
	left := make(map[recipe]uint64, len(k.needs))
	for _, n := range k.needs {
		left[n.family] = n.units * uint64(len(spellings(n.family.algorithm, password)))
	}
	return left
}

// spellings are the forms of a password that a hash is tried with. This service normalizes; where a hash comes from, it was hashed as typed.
func spellings(a algorithm, password string) []string {
	normal := normalPassword(password)
	if !a.imported() || password == normal {
		return []string{normal}
	}
	return []string{password, normal}
}

// try computes the account's own hash and takes that from what is left.
func (h *Hasher) try(own storedHash, password string, left map[recipe]uint64) bool {
	family, units := own.recipe.family()
	for _, spelling := range spellings(own.recipe.algorithm, password) {
		var match bool
		h.spendOn(own.recipe, func() { match = own.matches(spelling) })
		if match {
			return true
		}
		left[family] -= units
	}
	return false
}

// spendOn counts and computes one hash.
func (h *Hasher) spendOn(r recipe, compute func()) {
	family, units := r.family()
	h.spend(family, units, compute)
}

// spendRest computes what is left. What fills memory is computed one by one, so that it is collected between.
func (h *Hasher) spendRest(left map[recipe]uint64, password string) {
	for family, units := range left {
		step := units
		if family.memoryKiB() > 0 {
			step = 1
		}
		for ; units > 0; units -= step {
			h.spend(family, step, func() { family.spend(password, step) })
		}
	}
}
