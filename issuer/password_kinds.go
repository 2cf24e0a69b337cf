package issuer

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"
)

// algorithm names how a password becomes a hash, as the stored hash does.
type algorithm string

const (
	ownArgon2id        algorithm = "argon2id" // what new hashes are made with
	djangoArgon2id     algorithm = "argon2$argon2id"
	djangoArgon2i      algorithm = "argon2$argon2i"
	djangoPBKDF2SHA256 algorithm = "pbkdf2_sha256"
	djangoPBKDF2SHA1   algorithm = "pbkdf2_sha1"
	djangoBcrypt       algorithm = "bcrypt"
	djangoBcryptSHA256 algorithm = "bcrypt_sha256"
	djangoScrypt       algorithm = "scrypt"
)

// variant is the algorithm's name in a PHC string.
func (a algorithm) variant() string { return strings.TrimPrefix(string(a), "argon2$") }

// imported says whether hashes of the algorithm only ever come from elsewhere.
func (a algorithm) imported() bool { return a != ownArgon2id }

// recipe is what computing a hash takes: the algorithm and its parameters. Equal recipes cost the same, whatever is hashed.
type recipe struct {
	algorithm algorithm
	argon2    hashCost
	rounds    uint32 // of PBKDF2
	log2      uint32 // of bcrypt's rounds: its cost
	n, r, p   uint32 // of scrypt (RFC 7914)
}

func (r recipe) sane() bool {
	switch r.algorithm {
	case ownArgon2id:
		return r.argon2.sane()
	case djangoArgon2id, djangoArgon2i:
		return r.argon2.sane() && uint64(r.argon2.memoryKiB)*uint64(r.argon2.time) <= mostFilledKiB
	case djangoPBKDF2SHA256, djangoPBKDF2SHA1:
		return r.rounds >= 1 && r.rounds <= mostRounds
	case djangoBcrypt, djangoBcryptSHA256:
		return r.log2 >= leastBcryptCost && r.log2 <= mostBcryptCost
	case djangoScrypt:
		power := r.n > 1 && r.n&(r.n-1) == 0
		return power && r.r >= 1 && r.p >= 1 && r.n <= mostScryptWork && r.r <= mostScryptWork && r.p <= mostScryptWork &&
			uint64(r.n)*uint64(r.r) <= mostScryptWork/uint64(r.p) && r.scryptKiB() <= mostMemoryKiB
	}
	return false
}

// kind is the recipe as HashKind writes it.
func (r recipe) kind() string {
	switch r.algorithm {
	case ownArgon2id, djangoArgon2id, djangoArgon2i:
		return string(r.algorithm) + "$" + r.argon2.String()
	case djangoPBKDF2SHA256, djangoPBKDF2SHA1:
		return string(r.algorithm) + "$" + strconv.FormatUint(uint64(r.rounds), 10)
	case djangoBcrypt, djangoBcryptSHA256:
		return string(r.algorithm) + "$" + strconv.FormatUint(uint64(r.log2), 10)
	case djangoScrypt:
		return fmt.Sprintf("%s$n=%d,r=%d,p=%d", r.algorithm, r.n, r.r, r.p)
	}
	return ""
}

// parseKind reads what kind writes.
func parseKind(s string) (recipe, error) {
	at := strings.LastIndexByte(s, '$')
	if at < 0 {
		return recipe{}, errHashFormat
	}
	r, text := recipe{algorithm: algorithm(s[:at])}, s[at+1:]
	var err error
	switch r.algorithm {
	case ownArgon2id, djangoArgon2id, djangoArgon2i:
		r.argon2, err = parseHashCost(text)
	case djangoPBKDF2SHA256, djangoPBKDF2SHA1:
		r.rounds, err = parseCount(text)
	case djangoBcrypt, djangoBcryptSHA256:
		r.log2, err = parseCount(text)
	case djangoScrypt:
		var n []uint32
		if n, err = parseParameters(text, "n", "r", "p"); err == nil {
			r.n, r.r, r.p = n[0], n[1], n[2]
		}
	}
	if err != nil || !r.sane() {
		return recipe{}, errHashFormat
	}
	return r, nil
}

// derive computes size bytes of hash. The recipe is sane and not of bcrypt.
func (r recipe) derive(password string, salt []byte, size int) []byte {
	var sum []byte
	var err error
	switch r.algorithm {
	case ownArgon2id, djangoArgon2id:
		sum = argon2.IDKey([]byte(password), salt, r.argon2.time, r.argon2.memoryKiB, r.argon2.threads, uint32(size))
	case djangoArgon2i:
		sum = argon2.Key([]byte(password), salt, r.argon2.time, r.argon2.memoryKiB, r.argon2.threads, uint32(size))
	case djangoPBKDF2SHA256:
		sum, err = pbkdf2.Key(sha256.New, password, salt, int(r.rounds), size)
	case djangoPBKDF2SHA1:
		sum, err = pbkdf2.Key(sha1.New, password, salt, int(r.rounds), size)
	case djangoScrypt:
		sum, err = scrypt.Key([]byte(password), salt, int(r.n), int(r.r), int(r.p), size)
	}
	if err != nil || len(sum) != size {
		panic(fmt.Sprintf("a hash of kind %s can't be computed: %v", r.kind(), err)) // sane ones can
	}
	return sum
}

// family is what the costs of the recipe add up within, and units how much of it the recipe is: rounds of PBKDF2 and bcrypt add exactly. Two
// recipes of a kind that fills memory do not (half the passes twice is not all of them once): each is a family of its own, of one unit a hash.
func (r recipe) family() (family recipe, units uint64) {
	switch r.algorithm {
	case djangoPBKDF2SHA256, djangoPBKDF2SHA1:
		return recipe{algorithm: r.algorithm}, uint64(r.rounds)
	case djangoBcrypt, djangoBcryptSHA256: // the SHA-256 of a password is nothing beside it
		return recipe{algorithm: djangoBcrypt}, 1 << r.log2
	}
	return r, 1
}

// name is the family's in counts.
func (r recipe) name() string {
	switch r.algorithm {
	case djangoPBKDF2SHA256, djangoPBKDF2SHA1, djangoBcrypt:
		return string(r.algorithm)
	}
	return r.kind()
}

// spend computes units of a family for nothing.
func (r recipe) spend(password string, units uint64) {
	switch r.algorithm {
	case djangoPBKDF2SHA256, djangoPBKDF2SHA1:
		size := sha256.Size
		if r.algorithm == djangoPBKDF2SHA1 {
			size = sha1.Size
		}
		recipe{algorithm: r.algorithm, rounds: uint32(units)}.derive(password, make([]byte, saltBytes), size)
	case djangoBcrypt:
		for log2 := uint32(leastBcryptCost); units>>log2 > 0; log2++ {
			if units>>log2&1 == 1 {
				_ = bcrypt.CompareHashAndPassword(emptyBcrypt(log2), bcryptKey(r.algorithm, password))
			}
		}
	default:
		for range units {
			r.derive(password, make([]byte, saltBytes), hashBytes)
		}
	}
}

// memoryKiB is what computing one hash holds at a time.
func (r recipe) memoryKiB() uint32 {
	switch r.algorithm {
	case ownArgon2id, djangoArgon2id, djangoArgon2i:
		return r.argon2.memoryKiB
	case djangoScrypt:
		return uint32(r.scryptKiB())
	}
	return 0
}

// scryptKiB counts scrypt's two arrays, of n and p times 128 r bytes.
func (r recipe) scryptKiB() uint64 { return (uint64(r.n) + uint64(r.p)) * uint64(r.r) / 8 }

// threads is how many cores computing one hash keeps busy.
func (r recipe) threads() uint32 { return max(1, uint32(r.argon2.threads)) }
