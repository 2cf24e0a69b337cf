package handlers

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"signet/issuer"
)

// forwardingHeaders give away that a request came through a proxy, however local the proxy is.
var forwardingHeaders = []string{
	"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Server", "X-Real-Ip", "Cf-Connecting-Ip", "True-Client-Ip",
}

// loopbackOnly lets only programs of this machine in: the real peer is on loopback and no trusted proxy, no proxy forwarded the
// request, and the Host is a loopback one too, so that no web page reaches it through a name of its own that points here.
func (a *api) loopbackOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer := peerOf(r)
		if !peer.IsLoopback() || a.trusted(peer) || forwarded(r.Header) || !loopbackHost(r.Host) {
			writeProblem(w, r, &issuer.Error{Kind: issuer.KindForbidden, Detail: "Only programs on this machine may ask for this, directly and by a loopback address."})
			return
		}
		h.ServeHTTP(w, r)
	})
}

func forwarded(h http.Header) bool {
	for _, name := range forwardingHeaders {
		if len(h[name]) > 0 {
			return true
		}
	}
	return false
}

// loopbackHost says whether a host, perhaps with a port, is localhost or a loopback address.
func loopbackHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
