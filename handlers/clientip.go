package handlers

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// mostHops is how many proxies deep an X-Forwarded-For header is read.
const mostHops = 32

// peerOf is the address at the other end of the connection; the zero Addr when it is not an IP address.
func peerOf(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// trusted says whether addr is one of the operator's proxies.
func (a *api) trusted(addr netip.Addr) bool {
	return addr.IsValid() && slices.ContainsFunc(a.proxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// caller is who sent r: the peer, or, where that is a trusted proxy, the right-most address of X-Forwarded-For that is not.
// Everything further left was written by strangers. plain is true when such a proxy says that it was asked over http.
func (a *api) caller(r *http.Request) (ip string, plain bool) {
	addr := peerOf(r)
	if !a.trusted(addr) {
		return addrText(addr), false
	}
	plain = strings.EqualFold(lastItem(r.Header["X-Forwarded-Proto"]), "http")
	hops := r.Header["X-Forwarded-For"]
	for n, i := 0, len(hops)-1; i >= 0; i-- {
		for rest, more := hops[i], true; more && n < mostHops; n++ {
			var item string
			rest, item, more = cutLast(rest)
			next, ok := hopAddr(item)
			if !ok {
				return addrText(addr), plain
			}
			if addr = next; !a.trusted(addr) {
				return addrText(addr), plain
			}
		}
	}
	return addrText(addr), plain
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// hopAddr reads one item of X-Forwarded-For: an address, perhaps with a port.
func hopAddr(s string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap().WithZone(""), true
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}

// cutLast takes the last item off a comma-separated list.
func cutLast(list string) (rest, item string, more bool) {
	i := strings.LastIndexByte(list, ',')
	if i < 0 {
		return "", strings.TrimSpace(list), false
	}
	return list[:i], strings.TrimSpace(list[i+1:]), true
}

// lastItem is the last item of a header that may be sent in several lines.
func lastItem(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	_, item, _ := cutLast(lines[len(lines)-1])
	return item
}
