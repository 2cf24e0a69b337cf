package issuer

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// Hashes as django.contrib.auth.hashers writes them, the algorithm's name first:
//
//	pbkdf2_sha256$<rounds>$<salt>$<base64>            PBKDF2 (RFC 8018); the salt is text, the hash a whole digest
//	pbkdf2_sha1$<rounds>$<salt>$<base64>
//	argon2$argon2id$v=19$m=102400,t=2,p=8$<salt>$<hash>   "argon2" and a PHC string; argon2i before Django 3.2
//	bcrypt$$2b$12$<22 of salt><31 of hash>            "bcrypt$" and a modular crypt string; 72 bytes of the password count
//	bcrypt_sha256$$2b$12$...                          the same of the SHA-256 of the password in hexadecimal
//	scrypt$<n>$<salt>$<r>$<p>$<base64>                RFC 7914; 64 bytes of hash
//
// Django hashes a password as it was typed, without normalizing it.

// parseDjango decodes one.
func parseDjango(s string) (storedHash, error) {
	name, rest, _ := strings.Cut(s, "$")
	switch a := algorithm(name); a {
	case djangoPBKDF2SHA256:
		return parseDjangoPBKDF2(rest, a, sha256.Size)
	case djangoPBKDF2SHA1:
		return parseDjangoPBKDF2(rest, a, sha1.Size)
	case "argon2":
		variant, _, _ := strings.Cut(rest, "$")
		if a = algorithm("argon2$" + variant); a == djangoArgon2id || a == djangoArgon2i {
			return parsePHC("$"+rest, a)
		}
	case djangoBcrypt, djangoBcryptSHA256:
		return parseDjangoBcrypt(rest, a)
	case djangoScrypt:
		return parseDjangoScrypt(rest)
	}
	return storedHash{}, errHashFormat
}

func parseDjangoPBKDF2(s string, a algorithm, size int) (storedHash, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 3 {
		return storedHash{}, errHashFormat
	}
	rounds, err := parseCount(parts[0])
	if err != nil {
		return storedHash{}, err
	}
	return digested(recipe{algorithm: a, rounds: rounds}, parts[1], parts[2], size)
}

func parseDjangoScrypt(s string) (storedHash, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 5 {
		return storedHash{}, errHashFormat
	}
	r := recipe{algorithm: djangoScrypt}
	for i, into := range map[int]*uint32{0: &r.n, 2: &r.r, 3: &r.p} {
		n, err := parseCount(parts[i])
		if err != nil {
			return storedHash{}, err
		}
		*into = n
	}
	return digested(r, parts[1], parts[4], 64)
}

// digested is a hash with a salt of text and a sum of so many bytes.
func digested(r recipe, salt, sum string, size int) (storedHash, error) {
	h := storedHash{recipe: r, salt: []byte(salt)}
	if !r.sane() || len(salt) < 1 || len(salt) > mostSalt || len(sum) != base64.StdEncoding.EncodedLen(size) {
		return storedHash{}, errHashFormat
	}
	var err error
	if h.sum, err = base64.StdEncoding.Strict().DecodeString(sum); err != nil || len(h.sum) != size {
		return storedHash{}, errHashFormat
	}
	return h, nil
}

const (
	bcryptBytes    = 60 // of a modular crypt string
	bcryptSettings = 7  // of them before the salt: $2b$12$
	bcryptKeyBytes = 72 // of a password count
	bcryptAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

func parseDjangoBcrypt(crypt string, a algorithm) (storedHash, error) {
	if len(crypt) != bcryptBytes || crypt[3] != '$' || crypt[6] != '$' {
		return storedHash{}, errHashFormat
	}
	switch crypt[:3] { // 2x is that of an old mistake, and 2 itself older still
	case "$2a", "$2b", "$2y":
	default:
		return storedHash{}, errHashFormat
	}
	log2, err := parseCount(strings.TrimPrefix(crypt[4:6], "0"))
	h := storedHash{recipe: recipe{algorithm: a, log2: log2}, crypt: []byte(crypt)}
	if err != nil || !h.recipe.sane() || strings.Trim(crypt[bcryptSettings:], bcryptAlphabet) != "" {
		return storedHash{}, errHashFormat
	}
	return h, nil
}

// bcryptKey is what bcrypt is given of a password. It would read no more of a longer one; that is not left to the library.
func bcryptKey(a algorithm, password string) []byte {
	if a == djangoBcryptSHA256 {
		sum := sha256.Sum256([]byte(password))
		return []byte(hex.EncodeToString(sum[:]))
	}
	return []byte(password[:min(len(password), bcryptKeyBytes)])
}

// emptyBcrypt is a hash of that cost that no password has been found for.
func emptyBcrypt(log2 uint32) []byte {
	return fmt.Appendf(nil, "$2b$%02d$%s", log2, strings.Repeat(".", bcryptBytes-bcryptSettings))
}
