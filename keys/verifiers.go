package keys

import "time"

// Verifier is how a well-known library, gateway or service keeps a key set, by its defaults.
type Verifier struct {
	Name     string        `json:"name"`
	Needs    time.Duration `json:"-"`        // V: how much longer than the headers say it may hold a set
	Keeps    time.Duration `json:"-"`        // how long it may go on with a key that was taken out; Needs, unless it keeps keys one by one
	ForEver  bool          `json:"for_ever"` // it never lets a set go, and asks again only when it meets an unknown kid
	Asks     bool          `json:"asks"`     // it asks again when it meets an unknown kid
	Cooldown time.Duration `json:"-"`        // ... but not sooner after the last time
	Late     bool          `json:"-"`        // ... and the request that met it fails all the same
}

// Verifiers are the well-known ones, by name as an operator would look for them.
func Verifiers() []Verifier {
	list := []Verifier{
		{Name: "jose createRemoteJWKSet", Needs: 10 * time.Minute, Asks: true, Cooldown: 30 * time.Second},
		{Name: "PyJWT PyJWKClient", Needs: 5 * time.Minute, Asks: true},
		{Name: "go-oidc", ForEver: true, Asks: true},
		{Name: "keyfunc / jwkset", Needs: 2 * time.Hour, Asks: true, Cooldown: 5 * time.Minute},
		{Name: "jwx / httprc", Needs: 30 * time.Minute},
		{Name: "node-jwks-rsa", Keeps: 10 * time.Minute, Asks: true},
		{Name: "old node-jwks-rsa, jwks-rsa for Java, Ktor", Keeps: 10 * time.Hour, Asks: true},
		{Name: "Nimbus / Spring Security", Needs: 5 * time.Minute, Asks: true, Cooldown: 30 * time.Second},
		{Name: "Microsoft.IdentityModel", Needs: 12*time.Hour + 51*time.Minute, Asks: true, Cooldown: 5 * time.Minute, Late: true},
		{Name: "Envoy jwt_authn", Needs: 10 * time.Minute},
		{Name: "Istio", Needs: 36 * time.Minute},
		{Name: "Apache mod_oauth2", Needs: day},
		{Name: "AWS API Gateway", Needs: 2 * time.Hour},
		{Name: "Apigee", Needs: 5 * time.Minute},
		{Name: "Confluent Cloud", Needs: 5 * time.Minute},
		{Name: "TIBCO EMS", Needs: day},
		{Name: "nginx, KrakenD and others set to a day", Needs: day},
	}
	for i := range list {
		list[i].Keeps = max(list[i].Keeps, list[i].Needs)
	}
	return list
}

// Covered says whether an allowance is enough for it. What keeps a set for ever is outside any: it needs the JWKS reachable when it meets
// the new kid.
func (v Verifier) Covered(allowance time.Duration) bool { return !v.ForEver && v.Needs <= allowance }
