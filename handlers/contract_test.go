package handlers

import (
	"signet/issuer"
	"signet/keys"
)

// What serves behind this edge.
var (
	_ Provider = (*issuer.Provider)(nil)
	_ KeySet   = (*keys.Replica)(nil)
)
