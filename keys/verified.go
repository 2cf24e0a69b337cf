package keys

// Verified is a token whose signature is right: nothing is said about its claims.
type Verified struct {
	KeyID   string
	Alg     Algorithm
	Type    string // header `typ` as sent
	Payload []byte // JSON
}
