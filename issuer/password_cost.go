package issuer

import (
	"fmt"
	"strconv"
	"strings"
)

// hashCost is what one argon2 hash takes (RFC 9106).
type hashCost struct {
	memoryKiB uint32
	time      uint32
	threads   uint8
}

// The bounds on the parameters of a stored hash: nobody who can write one hash may stop the service.
const (
	mostMemoryKiB   = 256 * 1024
	mostTime        = 64
	mostThreads     = 16
	mostRounds      = 10_000_000 // of PBKDF2: some seconds of a core
	mostBcryptCost  = 16         // the same: 2^16 rounds of bcrypt take as long as some ten million of PBKDF2
	leastBcryptCost = 4
	mostFilledKiB   = 4 << 20 // of argon2: memory times passes
	mostScryptWork  = 1 << 23 // n times r times p; 128 bytes are mixed twice for each
	mostSalt        = 1024    // bytes
)

func (c hashCost) sane() bool {
	return c.threads >= 1 && c.threads <= mostThreads && c.time >= 1 && c.time <= mostTime &&
		c.memoryKiB >= 8*uint32(c.threads) && c.memoryKiB <= mostMemoryKiB
}

// String is the PHC form of the parameters.
func (c hashCost) String() string {
	return fmt.Sprintf("m=%d,t=%d,p=%d", c.memoryKiB, c.time, c.threads)
}

// parseHashCost reads what String writes.
func parseHashCost(s string) (hashCost, error) {
	n, err := parseParameters(s, "m", "t", "p")
	if err != nil || n[2] > mostThreads {
		return hashCost{}, errHashFormat
	}
	return hashCost{memoryKiB: n[0], time: n[1], threads: uint8(n[2])}, nil
}

// parseParameters reads `a=1,b=2`: these names, in this order, and no others.
func parseParameters(s string, names ...string) ([]uint32, error) {
	parts := strings.Split(s, ",")
	if len(parts) != len(names) {
		return nil, errHashFormat
	}
	values := make([]uint32, len(names))
	for i, part := range parts {
		text, ok := strings.CutPrefix(part, names[i]+"=")
		if !ok {
			return nil, errHashFormat
		}
		var err error
		if values[i], err = parseCount(text); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// parseCount is a positive decimal number without signs or leading zeros.
func parseCount(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 0 || s[0] == '0' {
		return 0, errHashFormat
	}
	return uint32(n), nil
}
