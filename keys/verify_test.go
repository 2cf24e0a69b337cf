package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
)

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// forge signs a header of the test's making with a pair.
func forge(t testing.TB, pair crypto.Signer, alg Algorithm, header, payload string) string {
	t.Helper()
	s := newSigner("", alg, 0, pair)
	s.headers.Store("", b64(header)+".")
	token, err := s.compact("", []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestSignedTokenVerifies(t *testing.T) {
	r := newWorld(t).started(short(), RS256, ES256)
	for _, alg := range []Algorithm{RS256, ES256} {
		got, err := r.Verify(signed(t, r, alg))
		if err != nil || got.Alg != alg || got.Type != "at+jwt" || got.KeyID != r.view.Load().ring.SigningKey(alg).ID {
			t.Errorf("%s: %+v, %v", alg, got, err)
		}
		if !strings.Contains(string(got.Payload), `"iss":"https://id.example"`) {
			t.Errorf("payload %s", got.Payload)
		}
	}
}

func TestES256SignatureIsRaw64Bytes(t *testing.T) {
	r := newWorld(t).started(short(), ES256)
	public := r.view.Load().signers[ES256].pair.Public().(*ecdsa.PublicKey)
	for range 300 { // now and then r or s is short
		token := signed(t, r, ES256)
		parts := strings.Split(token, ".")
		raw, err := base64.RawURLEncoding.DecodeString(parts[2])
		if err != nil || len(raw) != 64 {
			t.Fatalf("%d bytes, %v", len(raw), err)
		}
		digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		if !ecdsa.Verify(public, digest[:], new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])) {
			t.Fatal("r and s are not where RFC 7518 wants them")
		}
	}
}

func TestRawECDSARefusesWhatIsNoSignature(t *testing.T) {
	var raw [64]byte
	for _, der := range [][]byte{nil, {0x30}, {0x30, 0}, {0x30, 3, 2, 1, 1}, {0x30, 6, 2, 1, 1, 2, 1, 1, 0}, append([]byte{0x30, 39, 2, 34, 1}, make([]byte, 36)...)} {
		if rawECDSA(raw[:], der) == nil {
			t.Errorf("% x is taken", der)
		}
	}
	if err := rawECDSA(raw[:], []byte{0x30, 6, 2, 1, 5, 2, 1, 7}); err != nil || raw[31] != 5 || raw[63] != 7 {
		t.Errorf("%v: % x", err, raw)
	}
}

// hostile are tokens that must be refused whatever is in the ring.
func hostile(t testing.TB, r *Replica) map[string]string {
	t.Helper()
	v := r.view.Load()
	es, rs := v.signers[ES256], v.signers[RS256]
	esHead := fmt.Sprintf(`{"alg":"ES256","kid":%q`, es.kid)
	claims := `{"sub":"root"}`
	good := signed(t, r, ES256)
	parts := strings.Split(good, ".")
	der, err := x509.MarshalPKIXPublicKey(rs.pair.Public())
	if err != nil {
		t.Fatal(err)
	}
	mac := func(header string, key []byte) string {
		input := b64(header) + "." + b64(claims)
		h := hmac.New(sha256.New, key)
		h.Write([]byte(input))
		return input + "." + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
	}
	own := testPair(t, ES256, 999)
	ownKid, _ := thumbprint(own.Public())
	x := base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	list := map[string]string{
		"none":               b64(`{"alg":"none","kid":"`+es.kid+`"}`) + "." + b64(claims) + ".",
		"None":               b64(`{"alg":"nOnE","kid":"`+es.kid+`"}`) + "." + b64(claims) + ".",
		"no alg":             forge(t, es.pair, ES256, `{"kid":"`+es.kid+`"}`, claims),
		"HS256 of the DER":   mac(`{"alg":"HS256","kid":"`+rs.kid+`"}`, der),
		"HS256 of the PEM":   mac(`{"alg":"HS256","kid":"`+rs.kid+`"}`, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
		"alg of another key": forge(t, es.pair, ES256, `{"alg":"RS256","kid":"`+es.kid+`"}`, claims),
		"kid of another":     forge(t, es.pair, ES256, `{"alg":"RS256","kid":"`+rs.kid+`"}`, claims),
		"jwk":                forge(t, own, ES256, `{"alg":"ES256","kid":"`+ownKid+`","jwk":{"kty":"EC","crv":"P-256","x":"`+x+`","y":"`+x+`"}}`, claims),
		"jku":                forge(t, es.pair, ES256, esHead+`,"jku":"https://evil.example/jwks"}`, claims),
		"x5u":                forge(t, es.pair, ES256, esHead+`,"x5u":"https://evil.example/cert"}`, claims),
		"x5c":                forge(t, es.pair, ES256, esHead+`,"x5c":["AAAA"]}`, claims),
		"crit":               forge(t, es.pair, ES256, esHead+`,"crit":["exp"],"exp":1}`, claims),
		"b64":                forge(t, es.pair, ES256, esHead+`,"b64":false,"crit":["b64"]}`, claims),
		"ALG":                forge(t, es.pair, ES256, `{"ALG":"ES256","KID":"`+es.kid+`"}`, claims),
		"alg twice":          forge(t, es.pair, ES256, esHead+`,"alg":"none"}`, claims),
		"kid number":         forge(t, es.pair, ES256, `{"alg":"ES256","kid":7}`, claims),
		"kid null":           forge(t, es.pair, ES256, `{"alg":"ES256","kid":null}`, claims),
		"header array":       forge(t, es.pair, ES256, `["ES256"]`, claims),
		"header null":        forge(t, es.pair, ES256, `null`, claims),
		"foreign key":        forge(t, own, ES256, esHead+`}`, claims),
		"payload altered":    parts[0] + "." + b64(claims) + "." + parts[2],
		"signature cut":      parts[0] + "." + parts[1] + "." + parts[2][:40],
		"signature zero":     parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 64)),
		"no signature":       parts[0] + "." + parts[1] + ".",
		"two parts":          parts[0] + "." + parts[1],
		"four parts":         good + ".",
		"five parts":         good + ".a.b",
		"padded":             good + "==",
		"line break":         parts[0] + "." + parts[1] + "\n." + parts[2],
		"space":              " " + good,
		"JSON serialization": `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"empty":              "",
		"dots":               "..",
		"many dots":          strings.Repeat(".", 10_000),
		"huge":               good + strings.Repeat("A", 10<<20),
		"NUL":                "\x00.\x00.\x00",
		"not UTF-8":          b64("{\"alg\":\"ES256\",\"kid\":\"\xff\xfe\"}") + "." + parts[1] + "." + parts[2],
	}
	for _, kid := range []string{"", "../../../etc/passwd", "' OR 1=1 --", "https://evil.example/jwks", strings.Repeat("k", 5000), es.kid + "\x00", strings.ToUpper(es.kid)} {
		k, _ := json.Marshal(kid)
		list["kid "+kid[:min(20, len(kid))]] = forge(t, es.pair, ES256, `{"alg":"ES256","kid":`+string(k)+`}`, claims)
	}
	return list
}

func TestHostileTokensAreRefused(t *testing.T) {
	r := newWorld(t).started(short(), RS256, ES256)
	for name, token := range hostile(t, r) {
		if got, err := r.Verify(token); !errors.Is(err, ErrToken) || got.Payload != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := r.Verify(signed(t, r, ES256)); err != nil {
		t.Errorf("afterwards a good one: %v", err)
	}
}

func TestTokenOfARetiredKeyVerifiesUntilItIsDropped(t *testing.T) {
	w := newWorld(t)
	r := w.started(short(), ES256)
	w.live(59*time.Second, r)
	token := signed(t, r, ES256)
	w.live(40*time.Second, r)
	if _, err := r.Verify(token); err != nil {
		t.Errorf("after the rotation: %v", err)
	}
	w.live(2*time.Second, r)
	if _, err := r.Verify(token); !errors.Is(err, ErrToken) {
		t.Errorf("after the key was dropped: %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	r := newWorld(f).started(short(), RS256, ES256)
	good := signed(f, r, ES256)
	f.Add(good)
	for _, token := range hostile(f, r) {
		if len(token) < 4096 {
			f.Add(token)
		}
	}
	f.Fuzz(func(t *testing.T, token string) {
		got, err := r.Verify(token)
		switch {
		case err == nil && token != good && !slices.Equal(strings.Split(token, ".")[:2], strings.Split(good, ".")[:2]):
			t.Errorf("%q verifies: %+v", token, got)
		case err != nil && !errors.Is(err, ErrToken):
			t.Errorf("%q: %v", token, err)
		}
	})
}
