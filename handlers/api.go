package handlers

import (
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// api is what the handlers share: the configuration, made ready. It does not change once it serves.
type api struct {
	issuer   string
	https    bool // the issuer's scheme: decides over cookies and HSTS, whatever a proxy does behind it
	provider Provider
	keys     KeySet
	store    Pinger
	observer Observer
	log      zerolog.Logger
	timeout  time.Duration

	origins     []string
	anyLoopback bool
	proxies     []netip.Prefix
	crossOrigin *http.CrossOriginProtection
}

func newAPI(c Config) *api {
	a := &api{
		issuer: c.Issuer, https: strings.HasPrefix(c.Issuer, "https://"),
		provider: c.Provider, keys: c.Keys, store: c.Store, observer: c.Observer, log: c.Log, timeout: c.Timeout,
		origins: c.AllowedOrigins, anyLoopback: c.AnyLoopbackOrigin, proxies: c.TrustedProxies,
	}
	for _, o := range c.AllowedOrigins {
		if err := CheckOrigin(o); err != nil {
			panic("handlers: " + err.Error())
		}
	}
	if a.timeout <= 0 {
		a.timeout = DefaultTimeout
	}
	a.crossOrigin = newCrossOrigin(append([]string{c.Issuer}, c.AllowedOrigins...))
	return a
}
