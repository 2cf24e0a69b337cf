package issuer

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// hashCost is what one argon2id hash takes (RFC 9106).
type hashCost struct {
	memoryKiB uint32
	time      uint32
	threads   uint8
}

const (
	saltBytes = 16
	hashBytes = 32
)

// errHashFormat: the stored string is not an argon2id hash in PHC form, or asks for more than this service spends.
var errHashFormat = errors.New("unusable password hash")

// The bounds on the parameters of a stored hash: nobody who can write one hash may stop the service.
const (
	mostMemoryKiB = 256 * 1024
	mostTime      = 64
	mostThreads   = 16
)

// argon2idHash is a stored hash, decoded.
type argon2idHash struct {
	cost hashCost
	salt []byte
	sum  []byte
}

func newArgon2id(password string, c hashCost) string {
	h := argon2idHash{cost: c, salt: make([]byte, saltBytes)}
	_, _ = rand.Read(h.salt)
	h.sum = h.derive(password, hashBytes)
	return h.String()
}

func (h argon2idHash) derive(password string, n uint32) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.cost.time, h.cost.memoryKiB, h.cost.threads, n)
}

func (h argon2idHash) matches(password string) bool {
	return subtle.ConstantTimeCompare(h.derive(password, uint32(len(h.sum))), h.sum) == 1
}

// String is the PHC form: $argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>.
func (h argon2idHash) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.cost.memoryKiB, h.cost.time, h.cost.threads,
		b64.EncodeToString(h.salt), b64.EncodeToString(h.sum))
}

func parseArgon2id(s string) (argon2idHash, error) {
	var h argon2idHash
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, errHashFormat
	}
	n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.cost.memoryKiB, &h.cost.time, &h.cost.threads)
	if n != 3 || err != nil || !h.cost.sane() {
		return h, errHashFormat
	}
	if h.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil || len(h.salt) < 8 {
		return h, errHashFormat
	}
	if h.sum, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(h.sum) < 16 || len(h.sum) > 64 {
		return h, errHashFormat
	}
	return h, nil
}

func (c hashCost) sane() bool {
	return c.threads >= 1 && c.threads <= mostThreads && c.time >= 1 && c.time <= mostTime &&
		c.memoryKiB >= 8*uint32(c.threads) && c.memoryKiB <= mostMemoryKiB
}
