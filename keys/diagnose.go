package keys

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Expect is what a verifier wants of a token; "" wants nothing of that claim.
type Expect struct {
	Issuer   string
	Audience string
	Type     string // header typ; `at+jwt` and `application/at+jwt` are the same (RFC 7515, section 4.1.9)
	Now      time.Time
	Leeway   time.Duration
}

// Report is what a stranger's eyes see in a token.
type Report struct {
	Header    map[string]any `json:"header,omitempty"`
	Claims    map[string]any `json:"claims,omitempty"`
	KeyID     string         `json:"kid,omitempty"`
	Algorithm string         `json:"alg,omitempty"`
	Signature Signature      `json:"signature"`
	Problems  []string       `json:"problems"` // all that is wrong; empty: the token is good
}

// Signature is what became of checking it.
type Signature string

const (
	SignatureValid     Signature = "valid"
	SignatureInvalid   Signature = "invalid"
	SignatureUnchecked Signature = "unchecked" // no key, or not a token
)

// Valid says that nothing is wrong.
func (r Report) Valid() bool { return len(r.Problems) == 0 }

// asymmetric are the algorithms that a verifier may allow with a public key set.
var asymmetric = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA}

// Diagnose looks at a token as a verifier with this set would, and says all that is wrong instead of the first. It never fails, whatever the token is.
// Header and claims are shown even when they are not to be trusted: look at Signature.
func Diagnose(token string, set JWKSet, want Expect) Report {
	r := Report{Signature: SignatureUnchecked, Problems: []string{}}
	if len(token) > maxToken {
		r.say("longer than %d bytes", maxToken)
		return r
	}
	parts := strings.Split(token, ".")
	if len(parts) == 5 {
		r.say("five parts: this is an encrypted token (JWE), not a signed one")
		return r
	}
	if len(parts) != 3 {
		r.say("%d parts, not the 3 of a signed token (header.payload.signature)", len(parts))
		return r
	}
	r.Header, r.Claims = r.object(parts[0], "header"), r.object(parts[1], "payload")
	_, badPayload := decodePart(parts[1])
	_, badSignature := decodePart(parts[2])
	if badSignature != nil {
		r.say("signature: %v", badSignature)
	}
	if r.Header != nil && r.headerFits(want) && badPayload == nil && badSignature == nil {
		r.checkSignature(token, set)
	}
	if r.Claims != nil {
		r.checkTimes(want)
		r.checkNames(want)
	}
	return r
}

func (r *Report) say(format string, args ...any) {
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}

func (r *Report) object(part, name string) map[string]any {
	decoded, err := decodePart(part)
	if err != nil {
		r.say("%s: %v", name, err)
		return nil
	}
	d := json.NewDecoder(strings.NewReader(string(decoded)))
	d.UseNumber()
	var members map[string]any
	if err := d.Decode(&members); err != nil || members == nil {
		r.say("%s is not a JSON object", name)
		return nil
	}
	if d.More() {
		r.say("%s has something after its JSON object", name)
		return nil
	}
	return members
}

// headerFits says whether a signature can be checked at all.
func (r *Report) headerFits(want Expect) bool {
	fits := true
	r.Algorithm, _ = r.Header["alg"].(string)
	r.KeyID, _ = r.Header["kid"].(string)
	switch {
	case r.Algorithm == "":
		r.say("header has no alg")
		fits = false
	case strings.EqualFold(r.Algorithm, "none"):
		r.say("alg %q: not signed at all", r.Algorithm)
		fits = false
	case strings.HasPrefix(r.Algorithm, "HS"):
		r.say("alg %q is not allowed: a MAC under a public key proves nothing", r.Algorithm)
		fits = false
	case !slices.Contains(asymmetric, jose.SignatureAlgorithm(r.Algorithm)):
		r.say("alg %.40q is not allowed", r.Algorithm)
		fits = false
	}
	if _, there := r.Header["crit"]; there {
		r.say("header demands extensions (crit), which must be refused when they are not understood")
		fits = false
	}
	for _, link := range []string{"jwk", "jku", "x5c", "x5u"} {
		if _, there := r.Header[link]; there {
			r.say("header brings its own key (%s), which must not be trusted", link)
		}
	}
	if typ, _ := r.Header["typ"].(string); want.Type != "" && !sameType(typ, want.Type) {
		r.say("typ is %.60q, not %q", typ, want.Type)
	}
	return fits
}

func sameType(a, b string) bool {
	short := func(s string) string {
		if rest, ok := strings.CutPrefix(strings.ToLower(s), "application/"); ok && !strings.Contains(rest, "/") {
			return rest
		}
		return strings.ToLower(s)
	}
	return short(a) == short(b)
}

// checkSignature tries the key that the kid names, by its own algorithm alone.
func (r *Report) checkSignature(token string, set JWKSet) {
	keys := set.candidates(r.KeyID)
	if len(keys) == 0 {
		if r.KeyID == "" {
			r.say("the JWKS has no usable key")
		} else {
			r.say("kid %.80q is not in the JWKS (it has: %s)", r.KeyID, strings.Join(set.KeyIDs(), ", "))
		}
		return
	}
	var fitting []jose.JSONWebKey
	for _, k := range keys {
		if k.Algorithm == "" || k.Algorithm == r.Algorithm {
			fitting = append(fitting, k)
		}
	}
	if len(fitting) == 0 {
		r.say("alg is %s, but the key is for %s", r.Algorithm, keys[0].Algorithm)
		return
	}
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(r.Algorithm)})
	if err != nil {
		r.say("not a well-formed signed token: %v", err)
		return
	}
	r.Signature = SignatureInvalid
	for _, k := range fitting {
		if _, err := parsed.Verify(k.Key); err == nil {
			r.Signature = SignatureValid
			return
		}
	}
	r.say("signature is wrong: altered after signing, or signed by another key than its kid names")
}

func (r *Report) checkTimes(want Expect) {
	if _, there := r.Claims["exp"]; !there {
		r.say("no exp: it would never expire")
	}
	if exp, ok := r.time("exp"); ok {
		if late := want.Now.Sub(exp); late >= want.Leeway {
			r.say("expired %s ago (exp %s)", shown(late.Truncate(time.Second)), exp.Format(time.RFC3339))
		}
	}
	for _, name := range []string{"nbf", "iat"} {
		at, ok := r.time(name)
		if early := at.Sub(want.Now); ok && early > want.Leeway {
			r.say("%s is %s in the future (%s): not valid yet, or a clock is wrong", name, shown(early.Truncate(time.Second)), at.Format(time.RFC3339))
		}
	}
}

// time reads a NumericDate (RFC 7519, section 2), if the claim is there and is one.
func (r *Report) time(claim string) (time.Time, bool) {
	value, there := r.Claims[claim]
	if !there {
		return time.Time{}, false
	}
	seconds, err := numericDate(value)
	if err != nil {
		r.say("%s is %v", claim, err)
		return time.Time{}, false
	}
	return time.Unix(seconds, 0).UTC(), true
}

func numericDate(value any) (int64, error) {
	n, ok := value.(json.Number)
	if !ok {
		return 0, errors.New("not a number of seconds")
	}
	f, err := n.Float64()
	// Year 9999; beyond it nothing is a date, though it may be a number of milliseconds.
	if err != nil || math.IsNaN(f) || f < 0 || f > 253402300799 {
		return 0, errors.New("no sensible number of seconds")
	}
	return int64(f), nil
}

func (r *Report) checkNames(want Expect) {
	if iss, _ := r.Claims["iss"].(string); want.Issuer != "" && iss != want.Issuer {
		r.say("iss is %.200q, not %q", iss, want.Issuer)
	}
	if want.Audience == "" {
		return
	}
	var audience []string
	switch aud := r.Claims["aud"].(type) {
	case string:
		audience = []string{aud}
	case []any:
		for _, a := range aud {
			if s, ok := a.(string); ok {
				audience = append(audience, s)
			}
		}
	}
	if !slices.Contains(audience, want.Audience) {
		r.say("aud is %.200q, which lacks %q", audience, want.Audience)
	}
}
