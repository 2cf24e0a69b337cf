package issuer

// HashKind is what computing a stored password hash takes: the algorithm and its parameters, never salt or hash. Hashes of one kind cost
// the same. Stores index it, so that a failed sign-in can be made to cost what the slowest kind costs that anybody still has. "" for no hash,
// and for one that can't be verified.
func HashKind(stored string) string {
	h, err := parseHash(stored)
	if err != nil {
		return ""
	}
	return h.recipe.kind()
}
