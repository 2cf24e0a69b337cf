package handlers

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"sync/atomic"

	"signet/keys"
)

// document is a public answer made ready: nothing of it is worked out again for a request.
type document struct {
	body                       []byte
	etag, cacheControl, length []string // as header values
}

// countedByServer is how long a body may be for net/http to find out its Content-Length by itself, for less than a header costs.
const countedByServer = 2048

func newDocument(body []byte, etag, cacheControl string) *document {
	return &document{body, []string{etag}, []string{cacheControl}, []string{strconv.Itoa(len(body))}}
}

// fixedDocument is one that stays the same while the process runs.
func fixedDocument(body []byte) http.Handler {
	sum := sha256.Sum256(body)
	d := newDocument(body, `"`+base64.RawURLEncoding.EncodeToString(sum[:])+`"`, "public, max-age=300")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serveDocument(w, r, d) })
}

// serveDocument answers GET and HEAD, conditional ones too (RFC 9110, section 13.1.2).
func serveDocument(w http.ResponseWriter, r *http.Request, d *document) {
	h := w.Header()
	h["Etag"], h["Cache-Control"] = d.etag, d.cacheControl
	if matchesETag(r.Header["If-None-Match"], d.etag[0]) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h["Content-Type"] = jsonValue
	if len(d.body) > countedByServer || r.Method == http.MethodHead {
		h["Content-Length"] = d.length
	}
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return
	}
	_, _ = w.Write(d.body) // a caller who is gone can't be told
}

// jwks is GET /.well-known/jwks.json (RFC 7517): the bytes that the key ring prepared.
func (a *api) jwks() http.Handler {
	type prepared struct {
		of *keys.PublishedSet
		*document
	}
	var last atomic.Pointer[prepared]
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		set, err := a.keys.JWKS()
		if err != nil {
			writeProblem(w, r, err)
			return
		}
		p := last.Load()
		if p == nil || p.of != set {
			p = &prepared{set, newDocument(set.Body, set.ETag, set.CacheControl)}
			last.Store(p)
		}
		serveDocument(w, r, p.document)
	})
}

// metadata is what verifiers and clients need to know (OpenID Connect Discovery 1.0, section 3; RFC 8414, section 2). Endpoints are named once
// they work.
type metadata struct {
	Issuer                           string   `json:"issuer"`
	JWKSURI                          string   `json:"jwks_uri"`
	ResponseTypesSupported           []string `json:"response_types_supported"`
	SubjectTypesSupported            []string `json:"subject_types_supported"`
	IDTokenSigningAlgValuesSupported []string `json:"id_token_signing_alg_values_supported"`
}

// discovery is GET /.well-known/openid-configuration and /.well-known/oauth-authorization-server.
func (a *api) discovery() http.Handler {
	body, _ := json.Marshal(metadata{ // strings only
		Issuer: a.issuer, JWKSURI: a.issuer + "/.well-known/jwks.json", ResponseTypesSupported: []string{}, SubjectTypesSupported: []string{"public"},
		IDTokenSigningAlgValuesSupported: []string{string(keys.RS256), string(keys.ES256)},
	})
	return fixedDocument(body)
}
