package keys

import (
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"golang.org/x/crypto/chacha20poly1305"
)

// Errors of opening what was sealed.
var (
	// ErrUnknownKEK: sealed by a key-encryption key that is not configured.
	ErrUnknownKEK = errors.New("sealed by an unknown key-encryption key")
	// ErrSealBroken: altered, cut short, or sealed as something else than it is opened as.
	ErrSealBroken = errors.New("sealed data does not open")
)

// KEK is a key-encryption key. It never prints.
type KEK struct {
	id  [kekIDSize]byte
	key [chacha20poly1305.KeySize]byte
}

const kekIDSize = 8

// NewKEK makes one from 32 bytes.
func NewKEK(key []byte) (KEK, error) {
	var k KEK
	if len(key) != len(k.key) {
		return KEK{}, fmt.Errorf("a key-encryption key has %d bytes, not %d", len(k.key), len(key))
	}
	copy(k.key[:], key)
	sum := sha256.Sum256(append([]byte("signet key-encryption key id\x00"), key...))
	copy(k.id[:], sum[:])
	return k, nil
}

// ID names the key without telling anything of it: 16 hex digits.
func (k KEK) ID() string { return hex.EncodeToString(k.id[:]) }

// String is the id, so that no format verb prints the key.
func (k KEK) String() string { return "KEK " + k.ID() }

// GoString is the id too.
func (k KEK) GoString() string { return k.String() }

// Sealer seals secrets at rest with XChaCha20-Poly1305: the first KEK seals, all open. Safe for concurrent use.
type Sealer struct {
	keks     atomic.Pointer[[]openKEK]
	failures atomic.Int64
}

type openKEK struct {
	KEK
	aead cipher.AEAD
}

// NewSealer wants at least one KEK, each once.
func NewSealer(keks []KEK) (*Sealer, error) {
	s := &Sealer{}
	return s, s.Replace(keks)
}

// Replace takes other KEKs from now on; on an error nothing changes.
func (s *Sealer) Replace(keks []KEK) error {
	if len(keks) == 0 {
		return errors.New("no key-encryption key")
	}
	open := make([]openKEK, 0, len(keks))
	for _, k := range keks {
		if slices.ContainsFunc(open, func(o openKEK) bool { return o.id == k.id }) {
			return fmt.Errorf("key-encryption key %s is given twice", k.ID())
		}
		aead, err := chacha20poly1305.NewX(k.key[:])
		if err != nil {
			return fmt.Errorf("key-encryption key %s: %w", k.ID(), err)
		}
		open = append(open, openKEK{k, aead})
	}
	s.keks.Store(&open)
	return nil
}

// KEKIDs are the ids, the sealing one first.
func (s *Sealer) KEKIDs() []string {
	var ids []string
	for _, k := range *s.keks.Load() {
		ids = append(ids, k.ID())
	}
	return ids
}

// A sealed blob is: format (1 byte), id of the KEK, nonce, ciphertext with tag.
const (
	sealFormat = 1
	sealHeader = 1 + kekIDSize + chacha20poly1305.NonceSizeX
)

// Seal encrypts plaintext so that it opens only under the same context: what it is, and the id of the document that it is in.
func (s *Sealer) Seal(plaintext []byte, context ...string) ([]byte, error) {
	k := (*s.keks.Load())[0]
	blob := make([]byte, sealHeader, sealHeader+len(plaintext)+k.aead.Overhead())
	blob[0] = sealFormat
	copy(blob[1:], k.id[:])
	nonce := blob[1+kekIDSize : sealHeader]
	if _, err := rand.Read(nonce); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return k.aead.Seal(blob, nonce, plaintext, associated(blob[:1+kekIDSize], context)), nil
}

// Failures counts what did not open.
func (s *Sealer) Failures() int64 { return s.failures.Load() }

// Open is the reverse of Seal: ErrUnknownKEK, or ErrSealBroken when the blob or the context is not what was sealed.
func (s *Sealer) Open(sealed []byte, context ...string) ([]byte, error) {
	plaintext, err := s.open(sealed, context)
	if err != nil {
		s.failures.Add(1)
	}
	return plaintext, err
}

func (s *Sealer) open(sealed []byte, context []string) ([]byte, error) {
	if len(sealed) < sealHeader+chacha20poly1305.Overhead || sealed[0] != sealFormat {
		return nil, fmt.Errorf("%w: not a sealed blob of a known format", ErrSealBroken)
	}
	id := [kekIDSize]byte(sealed[1 : 1+kekIDSize])
	for _, k := range *s.keks.Load() {
		if k.id != id {
			continue
		}
		plaintext, err := k.aead.Open(nil, sealed[1+kekIDSize:sealHeader], sealed[sealHeader:], associated(sealed[:1+kekIDSize], context))
		if err != nil {
			return nil, ErrSealBroken
		}
		return plaintext, nil
	}
	return nil, fmt.Errorf("%w: %x", ErrUnknownKEK, id)
}

// Current says whether the first KEK sealed it, as its header tells: false is for whoever seals things anew. It opens nothing.
func (s *Sealer) Current(sealed []byte) bool {
	return len(sealed) >= sealHeader+chacha20poly1305.Overhead && sealed[0] == sealFormat &&
		[kekIDSize]byte(sealed[1:1+kekIDSize]) == (*s.keks.Load())[0].id
}

// associated binds format, KEK and context. Each part is preceded by its length, so that no two contexts read alike.
func associated(header []byte, context []string) []byte {
	ad := slices.Clone(header)
	for _, c := range context {
		ad = binary.BigEndian.AppendUint32(ad, uint32(len(c)))
		ad = append(ad, c...)
	}
	return ad
}

// seal makes the stored form.
func (s *Sealer) seal(plaintext []byte, context ...string) (Sealed, error) {
	blob, err := s.Seal(plaintext, context...)
	if err != nil {
		return Sealed{}, err
	}
	return Sealed{KEKID: hex.EncodeToString(blob[1 : 1+kekIDSize]), Blob: blob}, nil
}
