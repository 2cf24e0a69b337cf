package issuer

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"signet/keys"
)

// A refresh token names its session and generation and proves itself with a MAC:
//
//	srt_ base64url( version | sid 16 | generation 8 | secret id 4 | expiry 8 | HMAC-SHA256 32 )
//
// It is a function of the stored session alone, so that every replica derives the same one, and
// a forged one is refused before the store is touched.

const (
	refreshPrefix  = "srt_"
	refreshVersion = 1
	sidBytes       = 16
	refreshBody    = 1 + sidBytes + 8 + 4 + 8
	refreshLabel   = "signet refresh v1"
)

// refreshToken is what a token says; it is believed once its MAC was checked.
type refreshToken struct {
	sid    string
	gen    int64
	secret string
	exp    time.Time // whole seconds
}

var errRefreshFormat = errors.New("not a refresh token")

func (t refreshToken) body() ([]byte, error) {
	sid, err := base64.RawURLEncoding.DecodeString(t.sid)
	if err != nil || len(sid) != sidBytes {
		return nil, errRefreshFormat
	}
	secret, err := hex.DecodeString(t.secret)
	if err != nil || len(secret) != 4 {
		return nil, errRefreshFormat
	}
	b := make([]byte, 0, refreshBody+sha256.Size)
	b = append(b, refreshVersion)
	b = append(b, sid...)
	b = binary.BigEndian.AppendUint64(b, uint64(t.gen))
	b = append(b, secret...)
	return binary.BigEndian.AppendUint64(b, uint64(t.exp.Unix())), nil
}

// sign derives the token's text.
func (t refreshToken) sign(secret keys.MACSecret) (string, error) {
	b, err := t.body()
	if err != nil {
		return "", err
	}
	sum := secret.Sum(refreshLabel, b)
	return refreshPrefix + base64.RawURLEncoding.EncodeToString(append(b, sum[:]...)), nil
}

// parseRefreshToken reads a token without believing it: the body that the MAC covers and the MAC come back too.
func parseRefreshToken(s string) (t refreshToken, body, mac []byte, err error) {
	text, ok := strings.CutPrefix(s, refreshPrefix)
	if !ok || len(text) != base64.RawURLEncoding.EncodedLen(refreshBody+sha256.Size) {
		return t, nil, nil, errRefreshFormat
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || raw[0] != refreshVersion {
		return t, nil, nil, errRefreshFormat
	}
	body, mac = raw[:refreshBody], raw[refreshBody:]
	gen := binary.BigEndian.Uint64(body[1+sidBytes:])
	exp := binary.BigEndian.Uint64(body[refreshBody-8:])
	if gen > 1<<53 || exp > 1<<40 {
		return t, nil, nil, errRefreshFormat
	}
	t = refreshToken{
		sid:    base64.RawURLEncoding.EncodeToString(body[1 : 1+sidBytes]),
		gen:    int64(gen),
		secret: hex.EncodeToString(body[1+sidBytes+8 : 1+sidBytes+8+4]),
		exp:    time.Unix(int64(exp), 0).UTC(),
	}
	return t, body, mac, nil
}

// provenRefreshToken is the token if its MAC is right; errInvalidToken otherwise. Expiry is not looked at.
func (p *Provider) provenRefreshToken(ctx context.Context, s string) (refreshToken, error) {
	t, body, mac, err := parseRefreshToken(s)
	if err != nil {
		return t, errInvalidToken
	}
	secret, err := p.keys.MACSecretByID(ctx, keys.MACRefresh, t.secret)
	if errors.Is(err, keys.ErrUnknownSecret) {
		return t, errInvalidToken
	}
	if err != nil {
		return t, keyTrouble(err)
	}
	sum := secret.Sum(refreshLabel, body)
	if !hmac.Equal(mac, sum[:]) {
		return t, errInvalidToken
	}
	return t, nil
}

// currentRefreshToken derives a session's current token from its document.
func (p *Provider) currentRefreshToken(ctx context.Context, s Session) (string, error) {
	secret, err := p.keys.MACSecretByID(ctx, keys.MACRefresh, s.Secret)
	if err != nil {
		return "", keyTrouble(err)
	}
	token, err := refreshToken{sid: s.ID, gen: s.Gen, secret: s.Secret, exp: s.TokenExpiry()}.sign(secret)
	if err != nil {
		return "", internal("derive refresh token", err)
	}
	return token, nil
}
