package issuer

import (
	"context"
	"strings"
	"testing"
	"time"

	"signet/keys"
)

// oneSecret is a key ring of one MAC secret.
type oneSecret struct{ Keys }

func (oneSecret) MACSecret(keys.MACPurpose) (keys.MACSecret, error) { return testSecret, nil }

func (oneSecret) MACSecretByID(_ context.Context, _ keys.MACPurpose, id string) (keys.MACSecret, error) {
	if id != testSecret.ID {
		return keys.MACSecret{}, keys.ErrUnknownSecret
	}
	return testSecret, nil
}

func TestDeviceToken(t *testing.T) {
	p, now := &Provider{keys: oneSecret{}}, time.Unix(1_900_000_000, 0)
	token, err := p.newDeviceToken("", "ada", now)
	if err != nil || !strings.HasPrefix(token, "sdt_") {
		t.Fatalf("%q, %v", token, err)
	}
	ctx := context.Background()
	id := p.knownDevice(ctx, token, "ada", now)
	if id == "" {
		t.Fatal("its own user is not known on it")
	}
	if again, _ := p.newDeviceToken(id, "ada", now.Add(time.Hour)); p.knownDevice(ctx, again, "ada", now) != id {
		t.Error("a renewed token names another device")
	}
	for name, got := range map[string]string{
		"another user":   p.knownDevice(ctx, token, "eve", now),
		"after its life": p.knownDevice(ctx, token, "ada", now.Add(DeviceLife)),
		"altered":        p.knownDevice(ctx, flipped(token, 20), "ada", now),
		"empty":          p.knownDevice(ctx, "", "ada", now),
	} {
		if got != "" {
			t.Errorf("%s: known as %q", name, got)
		}
	}
}

// flipped is s with another letter at i.
func flipped(s string, i int) string {
	other := "A"
	if s[i] == 'A' {
		other = "B"
	}
	return s[:i] + other + s[i+1:]
}

func FuzzDeviceToken(f *testing.F) {
	p, now := &Provider{keys: oneSecret{}}, time.Unix(1_900_000_000, 0)
	good, err := p.newDeviceToken("AAAAAAAAAAAAAAAAAAAAAA", "ada", now)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, s string) {
		if id := p.knownDevice(context.Background(), s, "ada", now); id != "" && s != good {
			t.Fatalf("%q is believed", s)
		}
	})
}
