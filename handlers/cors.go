package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/jub0bs/cors"
)

// loopbackOrigins are what a developer's page may be served from.
var loopbackOrigins = []string{
	"http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*", "https://localhost:*", "https://127.0.0.1:*", "https://[::1]:*",
}

// apiCORS lets the listed origins, and no others, call /api/v1 with credentials. Without any the browser's
// same-origin policy is left alone.
func (a *api) apiCORS(next http.Handler) http.Handler {
	origins := a.origins
	if a.anyLoopback {
		origins = append(append([]string{}, origins...), loopbackOrigins...)
	}
	if len(origins) == 0 {
		return next
	}
	return wrapped(credentialed(origins), next)
}

// publicCORS lets every page read the keys and the metadata: both are public.
func publicCORS(next http.Handler) http.Handler {
	return wrapped(cors.Config{Origins: []string{"*"}, RequestHeaders: []string{"*"}, MaxAgeInSeconds: 600}, next)
}

func credentialed(origins []string) cors.Config {
	return cors.Config{
		Origins:         origins,
		Credentialed:    true,
		Methods:         []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete},
		RequestHeaders:  []string{"Authorization", "Content-Type", "X-Request-Id"},
		ResponseHeaders: []string{"Retry-After", "WWW-Authenticate", "X-Request-Id"},
		MaxAgeInSeconds: 600,
	}
}

func wrapped(c cors.Config, next http.Handler) http.Handler {
	m, err := cors.NewMiddleware(c)
	if err != nil {
		panic(fmt.Sprintf("handlers: %v", err))
	}
	return m.Wrap(next)
}

// CheckOrigin says what is wrong with a web origin that is to be allowed: it has to be one exact origin as browsers send it
// (RFC 6454, section 6.2: scheme, host in lower case, port unless it is the scheme's own), https or on loopback.
func CheckOrigin(origin string) error {
	if strings.Contains(origin, "*") {
		return errors.New("origins are listed one by one, without wildcards")
	}
	if _, err := cors.NewMiddleware(credentialed([]string{origin})); err != nil {
		return fmt.Errorf("%q is not an https (or loopback) origin such as https://app.example.com", origin)
	}
	if err := http.NewCrossOriginProtection().AddTrustedOrigin(origin); err != nil {
		return err
	}
	return nil
}
