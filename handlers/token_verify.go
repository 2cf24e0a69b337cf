package handlers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
)

// verifyToken is POST /api/v1/token/verify: is this access token active, its session included? The claims are
// repeated as signed; an inactive token is `{"active":false}` and nothing else.
func (a *api) verifyToken() http.Handler {
	return serve(a, endpoint[string]{
		body:   needsBody,
		decode: func(f *fields) string { return f.required("token") },
		call: func(c *call, token string) (answer, error) {
			claims, active, err := a.provider.VerifyToken(c.ctx(), token)
			if err != nil {
				return answer{}, err
			}
			if !active {
				return answer{http.StatusOK, json.RawMessage(`{"active":false}`)}, nil
			}
			body, err := activeClaims(claims)
			return answer{http.StatusOK, body}, err
		},
	})
}

// activeClaims puts `"active":true` before the claims, which are one JSON object.
func activeClaims(claims json.RawMessage) (json.RawMessage, error) {
	rest, ok := bytes.CutPrefix(bytes.TrimSpace(claims), []byte("{"))
	if !ok {
		return nil, fmt.Errorf("claims are not an object")
	}
	out := []byte(`{"active":true`)
	if rest = bytes.TrimSpace(rest); !bytes.HasPrefix(rest, []byte("}")) {
		out = append(out, ',')
	}
	return append(out, rest...), nil
}
