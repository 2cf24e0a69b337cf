package handlers

import (
	"fmt"
	"net/http"
	"net/url"

	"signet/issuer"
)

// newCrossOrigin is the standard library's protection with the origins that may send cookies. The issuer's own is among
// them: behind a proxy that rewrites Host an old browser's Origin would not match it.
func newCrossOrigin(origins []string) *http.CrossOriginProtection {
	p := http.NewCrossOriginProtection()
	for _, o := range origins {
		if err := p.AddTrustedOrigin(o); err != nil {
			panic(fmt.Sprintf("handlers: %v", err))
		}
	}
	return p
}

// guardCookies refuses a request whose cookies another site's page made the browser send: Sec-Fetch-Site, or Origin
// where that is missing, must say same-origin or name an allowed origin. A request with neither is not from a browser (every
// one sends Origin with POST) and passes.
func (a *api) guardCookies(r *http.Request) error {
	err := a.crossOrigin.Check(r)
	if err == nil || (a.anyLoopback && isLoopbackOrigin(r.Header.Get("Origin"))) {
		return nil
	}
	return &issuer.Error{Kind: issuer.KindForbidden, Detail: "Cookies are not accepted from pages of this origin.", Cause: err}
}

// isLoopbackOrigin says whether a page of this machine sent the request.
func isLoopbackOrigin(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || origin != u.Scheme+"://"+u.Host {
		return false
	}
	return loopbackHost(u.Host)
}
