package keys

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
)

// MACPurpose separates the secrets that prove refresh tokens, codes and devices.
type MACPurpose string

const (
	MACRefresh MACPurpose = "refresh"
	MACCode    MACPurpose = "code"
	MACDevice  MACPurpose = "device"
)

// MACSecret is an opened HMAC-SHA256 secret of the ring. The zero value is not usable.
type MACSecret struct {
	ID  string // 8 lower-case hex digits
	key []byte
}

// NewMACSecret makes one from 32 bytes.
func NewMACSecret(id string, key []byte) MACSecret { return MACSecret{ID: id, key: key} }

// Sum is the HMAC-SHA256 over a label and the parts, each preceded by its length, so that no two
// lists of parts give the same input.
func (s MACSecret) Sum(label string, parts ...[]byte) [sha256.Size]byte {
	h := hmac.New(sha256.New, s.key)
	write := func(p []byte) {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(p)))
		h.Write(n[:])
		h.Write(p)
	}
	write([]byte(label))
	for _, p := range parts {
		write(p)
	}
	var out [sha256.Size]byte
	h.Sum(out[:0])
	return out
}
