package issuer

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"

	"signet/keys"
)

// A device token says that this device has signed in before, as this user. It buys throttle budgets of its own, and nothing
// else: an owner signs in from such a device while a stranger burns the account's budgets.
//
//	sdt_ base64url( version | device id 16 | secret id 4 | expiry 8 | HMAC-SHA256 32 over these and the user id )

const (
	devicePrefix  = "sdt_"
	deviceVersion = 1
	deviceBody    = 1 + 16 + 4 + 8
	deviceLabel   = "signet device v1"
	// DeviceLife is how long a device is remembered.
	DeviceLife = 400 * 24 * time.Hour
)

// newDeviceToken names device id (base64url of 16 bytes), or a new one when it is "".
func (p *Provider) newDeviceToken(id, userID string, now time.Time) (string, error) {
	if id == "" {
		id = randomID()
	}
	secret, err := p.keys.MACSecret(keys.MACDevice)
	if err != nil {
		return "", keyTrouble(err)
	}
	device, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil {
		return "", internal("device id", err)
	}
	sid, err := hex.DecodeString(secret.ID)
	if err != nil {
		return "", internal("device secret id", err)
	}
	b := append(append([]byte{deviceVersion}, device...), sid...)
	b = binary.BigEndian.AppendUint64(b, uint64(now.Add(DeviceLife).Unix()))
	sum := secret.Sum(deviceLabel, b, []byte(userID))
	return devicePrefix + base64.RawURLEncoding.EncodeToString(append(b, sum[:]...)), nil
}

// knownDevice is the id of the device that a token names, or "" when the token is not this user's, expired or not one at all: a bad
// device token is never an error.
func (p *Provider) knownDevice(ctx context.Context, token, userID string, now time.Time) string {
	text, ok := strings.CutPrefix(token, devicePrefix)
	if !ok || len(text) != base64.RawURLEncoding.EncodedLen(deviceBody+sha256.Size) {
		return ""
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || raw[0] != deviceVersion {
		return ""
	}
	body, mac := raw[:deviceBody], raw[deviceBody:]
	secret, err := p.keys.MACSecretByID(ctx, keys.MACDevice, hex.EncodeToString(body[17:21]))
	if err != nil {
		return ""
	}
	sum := secret.Sum(deviceLabel, body, []byte(userID))
	if !hmac.Equal(mac, sum[:]) || binary.BigEndian.Uint64(body[21:]) <= uint64(now.Unix()) {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(body[1:17])
}
