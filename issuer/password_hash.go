package issuer

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// storedHash is a stored password hash, decoded: one of this service's own (argon2id, RFC 9106, as a PHC string), or one that was imported.
type storedHash struct {
	recipe recipe
	salt   []byte
	sum    []byte
	crypt  []byte // of bcrypt: the modular crypt string, which holds salt and sum
}

const (
	saltBytes = 16
	hashBytes = 32
)

// errHashFormat: the stored string is no hash of a known kind, or asks for more than this service spends.
var errHashFormat = errors.New("unusable password hash")

// parseHash decodes a stored hash of any kind.
func parseHash(s string) (storedHash, error) {
	if strings.HasPrefix(s, "$") {
		return parsePHC(s, ownArgon2id)
	}
	return parseDjango(s)
}

func newArgon2id(password string, c hashCost) string {
	h := storedHash{recipe: recipe{algorithm: ownArgon2id, argon2: c}, salt: make([]byte, saltBytes)}
	_, _ = rand.Read(h.salt)
	h.sum = h.recipe.derive(password, h.salt, hashBytes)
	return h.phc()
}

// phc is the PHC form of an argon2id hash: $argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>.
func (h storedHash) phc() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$%s$%s$%s", argon2.Version, h.recipe.argon2, b64.EncodeToString(h.salt), b64.EncodeToString(h.sum))
}

// matches says whether the hash is this password's, spelled as it is.
func (h storedHash) matches(password string) bool {
	switch h.recipe.algorithm {
	case djangoBcrypt, djangoBcryptSHA256:
		return bcrypt.CompareHashAndPassword(h.crypt, bcryptKey(h.recipe.algorithm, password)) == nil
	}
	return subtle.ConstantTimeCompare(h.recipe.derive(password, h.salt, len(h.sum)), h.sum) == 1
}

// parsePHC decodes an argon2 PHC string; the variant that it must name follows from the algorithm.
func parsePHC(s string, algorithm algorithm) (storedHash, error) {
	h := storedHash{recipe: recipe{algorithm: algorithm}}
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != algorithm.variant() || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, errHashFormat
	}
	var err error
	if h.recipe.argon2, err = parseHashCost(parts[3]); err != nil || !h.recipe.sane() {
		return h, errHashFormat
	}
	if h.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil || len(h.salt) < 8 || len(h.salt) > mostSalt {
		return h, errHashFormat
	}
	if h.sum, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(h.sum) < 16 || len(h.sum) > 64 {
		return h, errHashFormat
	}
	return h, nil
}
