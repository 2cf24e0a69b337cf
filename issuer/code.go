package issuer

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"strings"

	"signet/keys"
)

// A mailed code proves nothing without its challenge: it is stored as an HMAC over challenge, purpose and number of
// the mail, under a secret of the ring, and compared in constant time.

// challengeKey is the id under which a challenge is stored: whoever reads the store can't present it.
func challengeKey(challengeID string) string {
	sum := sha256.Sum256([]byte(challengeID))
	return hex.EncodeToString(sum[:])
}

// resetCodeLength is the least that a reset's code has: any stranger can ask for one, again and again.
const resetCodeLength = 8

// codeLength is how many digits a code of a purpose has.
func (p *Provider) codeLength(purpose Purpose) int {
	if purpose == PurposeReset {
		return max(p.set.CodeLength, resetCodeLength)
	}
	return p.set.CodeLength
}

// newCode is a uniformly random string of n digits.
func newCode(n int) string {
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
	v, err := rand.Int(rand.Reader, limit)
	if err != nil {
		panic("crypto/rand failed: " + err.Error())
	}
	digits := v.String()
	return strings.Repeat("0", n-len(digits)) + digits
}

// cleanCode drops the spaces and hyphens that people type; ok is false when what is left is not n digits.
func cleanCode(s string, n int) (code string, ok bool) {
	s = strings.NewReplacer(" ", "", "-", "", "\u00a0", "").Replace(s)
	if len(s) != n || strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' }) {
		return "", false
	}
	return s, true
}

func codeMAC(secret keys.MACSecret, challenge string, p Purpose, send int64, code string) []byte {
	sum := secret.Sum("signet code v1", []byte(challenge), []byte(p), binary.BigEndian.AppendUint64(nil, uint64(send)), []byte(code))
	return sum[:]
}

// codeMatches compares with the code that the challenge holds now. A decoy never matches.
func (p *Provider) codeMatches(ctx context.Context, c Challenge, code string) (bool, error) {
	secret, err := p.keys.MACSecretByID(ctx, keys.MACCode, c.CodeSecret)
	if err != nil {
		return false, keyTrouble(err)
	}
	same := subtle.ConstantTimeCompare(c.CodeMAC, codeMAC(secret, c.ID, c.Purpose, c.Send, code)) == 1
	return same && !c.Decoy, nil
}
