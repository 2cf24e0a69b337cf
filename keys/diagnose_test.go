package keys

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// stranger has a token, the set, and what a verifier would expect.
func stranger(t testing.TB) (*Replica, JWKSet, Expect) {
	w := newWorld(t)
	r := w.started(short(), RS256, ES256)
	published, err := r.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	set, err := ParseJWKS(published.Body)
	if err != nil || set.Len() != 4 || len(set.Skipped) > 0 {
		t.Fatalf("%d keys, skipped %v, %v", set.Len(), set.Skipped, err)
	}
	return r, set, Expect{Issuer: "https://id.example", Audience: "https://api.example", Type: "at+jwt", Now: r.Now()}
}

func TestGoodTokenHasNoProblems(t *testing.T) {
	r, set, want := stranger(t)
	for _, alg := range []Algorithm{RS256, ES256} {
		report := Diagnose(signed(t, r, alg), set, want)
		if !report.Valid() || report.Signature != SignatureValid || report.Algorithm != string(alg) || report.KeyID == "" || report.Claims["iss"] != "https://id.example" {
			t.Errorf("%+v", report)
		}
	}
	want.Type = "application/AT+JWT"
	if report := Diagnose(signed(t, r, ES256), set, want); !report.Valid() {
		t.Errorf("the long form of typ: %q", report.Problems)
	}
}

func TestEveryProblemIsNamed(t *testing.T) {
	r, set, want := stranger(t)
	v := r.view.Load()
	es := v.signers[ES256]
	now := want.Now.Unix()
	head := fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":"at+jwt"}`, es.kid)
	claims := func(change string) string {
		return fmt.Sprintf(`{"iss":"https://id.example","aud":["https://api.example"],"iat":%d,"exp":%d%s}`, now, now+60, change)
	}
	sign := func(payload string) string { return forge(t, es.pair, ES256, head, payload) }
	good := strings.Split(sign(claims("")), ".")
	for name, c := range map[string]struct {
		token string
		want  []string
	}{
		"altered":          {good[0] + "." + b64(claims(`,"admin":true`)) + "." + good[2], []string{"signature is wrong"}},
		"expired":          {sign(fmt.Sprintf(`{"iss":"https://id.example","aud":"https://api.example","exp":%d}`, now-90)), []string{"expired 1m30s ago"}},
		"expires now":      {sign(fmt.Sprintf(`{"iss":"https://id.example","aud":"https://api.example","exp":%d}`, now)), []string{"expired 0s ago"}},
		"future":           {sign(claims(fmt.Sprintf(`,"nbf":%d`, now+3600))), []string{"nbf is 1h in the future"}},
		"issued later":     {sign(fmt.Sprintf(`{"iss":"https://id.example","aud":"https://api.example","iat":%d,"exp":%d}`, now+300, now+600)), []string{"iat is 5m in the future"}},
		"all names":        {forge(t, es.pair, ES256, fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":"JWT"}`, es.kid), `{"iss":"https://id.example/","aud":"x","exp":99999999999}`), []string{`typ is "JWT"`, `iss is "https://id.example/"`, "aud is"}},
		"no exp":           {sign(`{"iss":"https://id.example","aud":"https://api.example"}`), []string{"no exp"}},
		"exp text":         {sign(`{"iss":"https://id.example","aud":"https://api.example","exp":"soon"}`), []string{"exp is not a number"}},
		"exp milliseconds": {sign(fmt.Sprintf(`{"iss":"https://id.example","aud":"https://api.example","exp":%d000}`, now)), []string{"exp is no sensible number"}},
		"exp null":         {sign(`{"iss":"https://id.example","aud":"https://api.example","exp":null}`), []string{"exp is not a number"}},
		"unknown kid":      {forge(t, es.pair, ES256, `{"alg":"ES256","kid":"other","typ":"at+jwt"}`, claims("")), []string{`kid "other" is not in the JWKS`}},
		"wrong alg":        {forge(t, es.pair, ES256, fmt.Sprintf(`{"alg":"RS256","kid":%q,"typ":"at+jwt"}`, es.kid), claims("")), []string{"alg is RS256, but the key is for ES256"}},
		"none":             {b64(`{"alg":"none","typ":"at+jwt"}`) + "." + b64(claims("")) + ".", []string{"not signed at all"}},
		"HS256":            {b64(`{"alg":"HS256","typ":"at+jwt"}`) + "." + b64(claims("")) + ".AAAA", []string{"a MAC under a public key"}},
		"odd alg":          {b64(`{"alg":"XX","typ":"at+jwt"}`) + "." + b64(claims("")) + ".AAAA", []string{`alg "XX" is not allowed`}},
		"no alg":           {b64(`{"typ":"at+jwt"}`) + "." + b64(claims("")) + ".AAAA", []string{"header has no alg"}},
		"crit":             {forge(t, es.pair, ES256, fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":"at+jwt","crit":["x"],"x":1}`, es.kid), claims("")), []string{"crit"}},
		"jku":              {forge(t, es.pair, ES256, fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":"at+jwt","jku":"https://evil.example"}`, es.kid), claims("")), []string{"brings its own key (jku)"}},
		"header broken":    {"!!." + good[1] + "." + good[2], []string{"header: not base64url"}},
		"header text":      {b64("hello") + "." + good[1] + "." + good[2], []string{"header is not a JSON object"}},
		"payload broken":   {good[0] + ".!." + good[2], []string{"payload: not base64url"}},
		"payload list":     {sign(`[]`), []string{"payload is not a JSON object"}},
		"payload twice":    {sign(claims("") + "{}"), []string{"after its JSON object"}},
		"signature broken": {good[0] + "." + good[1] + ".!", []string{"signature: not base64url"}},
		"two parts":        {good[0] + "." + good[1], []string{"2 parts"}},
		"encrypted":        {"a.b.c.d.e", []string{"JWE"}},
		"empty":            {"", []string{"1 parts"}},
		"huge":             {strings.Repeat("a", maxToken+1), []string{"longer than"}},
	} {
		report := Diagnose(c.token, set, want)
		if report.Valid() || len(report.Problems) != len(c.want) {
			t.Errorf("%s: problems %q, want %q", name, report.Problems, c.want)
			continue
		}
		for i, w := range c.want {
			if !strings.Contains(report.Problems[i], w) {
				t.Errorf("%s: problem %q, want %q", name, report.Problems[i], w)
			}
		}
	}
}

func TestLeewayIsGiven(t *testing.T) {
	r, set, want := stranger(t)
	token := signed(t, r, ES256) // of 6 seconds
	want.Now = want.Now.Add(8 * time.Second)
	if report := Diagnose(token, set, want); report.Valid() || report.Signature != SignatureValid {
		t.Errorf("%+v", report)
	}
	want.Leeway = 5 * time.Second
	if report := Diagnose(token, set, want); !report.Valid() {
		t.Errorf("%q", report.Problems)
	}
	want.Now = want.Now.Add(-12 * time.Second)
	if report := Diagnose(token, set, want); !report.Valid() {
		t.Errorf("issued 4s in the future: %q", report.Problems)
	}
	if report := Diagnose(token, set, Expect{Now: r.Now()}); !report.Valid() {
		t.Errorf("nothing expected: %q", report.Problems)
	}
}

func TestTokenWithoutKidIsTriedWithAllKeys(t *testing.T) {
	r, set, want := stranger(t)
	want.Type, want.Audience = "", ""
	payload := fmt.Sprintf(`{"iss":"https://id.example","exp":%d}`, want.Now.Unix()+9)
	if report := Diagnose(forge(t, r.view.Load().signers[ES256].pair, ES256, `{"alg":"ES256"}`, payload), set, want); !report.Valid() {
		t.Errorf("%q", report.Problems)
	}
	if report := Diagnose(forge(t, testPair(t, ES256, 999), ES256, `{"alg":"ES256"}`, payload), set, want); report.Signature != SignatureInvalid {
		t.Errorf("%+v", report)
	}
	if report := Diagnose(forge(t, testPair(t, ES256, 999), ES256, `{"alg":"ES256"}`, payload), JWKSet{}, want); report.Signature != SignatureUnchecked || len(report.Problems) != 1 {
		t.Errorf("%+v", report)
	}
}

func TestParseJWKS(t *testing.T) {
	for name, c := range map[string]struct{ body, want string }{
		"not JSON":  {"<html>", "not JSON"},
		"no keys":   {"{}", `no member "keys"`},
		"null keys": {`{"keys":null}`, `no member "keys"`},
		"private":   {`{"keys":[{"kty":"EC","crv":"P-256","x":"a","y":"b","d":"c"}]}`, "private or symmetric"},
		"symmetric": {`{"keys":[{"kty":"oct","k":"AAAA"}]}`, "private or symmetric"},
		"huge":      {`{"keys":[]}` + strings.Repeat(" ", maxJWKS), "larger than"},
	} {
		if _, err := ParseJWKS([]byte(c.body)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	set, err := ParseJWKS([]byte(`{"keys":[7,{"kty":"new"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}],"more":1}`))
	if err != nil || set.Len() != 0 || len(set.Skipped) != 3 {
		t.Errorf("%d keys, skipped %q, %v", set.Len(), set.Skipped, err)
	}
}

func FuzzDiagnose(f *testing.F) {
	r, set, want := stranger(f)
	good := signed(f, r, ES256)
	f.Add(good)
	for _, token := range hostile(f, r) {
		if len(token) < 4096 {
			f.Add(token)
		}
	}
	f.Fuzz(func(t *testing.T, token string) {
		report := Diagnose(token, set, want)
		_, err := r.Verify(token)
		if report.Valid() && err != nil {
			t.Errorf("the stranger takes %q, the issuer does not: %v", token, err)
		}
		if err == nil && report.Signature != SignatureValid {
			t.Errorf("the issuer takes %q, the stranger: %+v", token, report)
		}
	})
}

func FuzzParseJWKS(f *testing.F) {
	r := newWorld(f).started(short(), RS256, ES256)
	published, err := r.JWKS()
	if err != nil {
		f.Fatal(err)
	}
	token := signed(f, r, ES256)
	f.Add(published.Body)
	f.Fuzz(func(t *testing.T, body []byte) {
		set, err := ParseJWKS(body)
		if err != nil {
			return
		}
		for _, k := range set.keys {
			if !k.IsPublic() {
				t.Errorf("a private key is taken from %q", body)
			}
		}
		Diagnose(token, set, Expect{Now: r.Now()})
	})
}
