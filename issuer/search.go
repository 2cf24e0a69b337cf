package issuer

import (
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// SearchKey is the form in which addresses, usernames, names and ids are compared when somebody searches by how they begin: NFKC,
// case-folded.
func SearchKey(s string) string { return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s))) }
