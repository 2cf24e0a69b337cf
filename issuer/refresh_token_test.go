package issuer

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"signet/keys"
)

var testSecret = keys.NewMACSecret("0badcafe", bytes.Repeat([]byte{7}, 32))

func sampleToken(t testing.TB) (refreshToken, string) {
	t.Helper()
	tok := refreshToken{sid: randomID(), gen: 41, secret: testSecret.ID, exp: time.Unix(1_900_000_000, 0).UTC()}
	s, err := tok.sign(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	return tok, s
}

func TestRefreshTokenRoundTrip(t *testing.T) {
	tok, s := sampleToken(t)
	if !strings.HasPrefix(s, "srt_") || len(s) > 128 {
		t.Errorf("token = %q", s)
	}
	got, body, mac, err := parseRefreshToken(s)
	if err != nil || got != tok {
		t.Fatalf("parsed %+v, %v; want %+v", got, err, tok)
	}
	if sum := testSecret.Sum(refreshLabel, body); !bytes.Equal(sum[:], mac) {
		t.Error("the MAC does not cover the body")
	}
	if again, _ := tok.sign(testSecret); again != s {
		t.Error("the same token has two texts")
	}
}

func FuzzRefreshToken(f *testing.F) {
	_, s := sampleToken(f)
	f.Add(s)
	f.Add("srt_")
	f.Add(s[:len(s)-1] + "A")
	f.Add("srt_" + strings.Repeat("A", len(s)-4))
	f.Fuzz(func(t *testing.T, s string) {
		tok, body, mac, err := parseRefreshToken(s)
		if err != nil {
			return
		}
		again, err := tok.sign(testSecret)
		if err != nil {
			t.Fatalf("%q parsed into what can't be written: %v", s, err)
		}
		if tok2, body2, _, err := parseRefreshToken(again); err != nil || tok2 != tok || !bytes.Equal(body, body2) {
			t.Fatalf("%q is not one text: %v", s, err)
		}
		if sum := testSecret.Sum(refreshLabel, body); bytes.Equal(sum[:], mac) && again != s {
			t.Fatalf("two texts carry one MAC: %q %q", s, again)
		}
	})
}

func TestCodes(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		c := newCode(6)
		if got, ok := cleanCode(c, 6); !ok || got != c {
			t.Fatalf("code %q", c)
		}
		seen[c] = true
	}
	if len(seen) < 190 {
		t.Errorf("200 codes, %d different", len(seen))
	}
	if got, ok := cleanCode(" 123-456 ", 6); !ok || got != "123456" {
		t.Errorf("cleanCode = %q, %v", got, ok)
	}
	for _, bad := range []string{"", "12345", "1234567", "12345x", "١٢٣٤٥٦", strings.Repeat("1", 10_000)} {
		if _, ok := cleanCode(bad, 6); ok {
			t.Errorf("cleanCode(%.20q) accepted", bad)
		}
	}
	a, b := codeMAC(testSecret, "c1", PurposeLogin, 1, "123456"), codeMAC(testSecret, "c2", PurposeLogin, 1, "123456")
	if bytes.Equal(a, b) || bytes.Equal(a, codeMAC(testSecret, "c1", PurposeRegister, 1, "123456")) || bytes.Equal(a, codeMAC(testSecret, "c1", PurposeLogin, 2, "123456")) {
		t.Error("a code is not bound to challenge, purpose and number of the mail")
	}
}
