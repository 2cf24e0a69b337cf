package main

import (
	"net/netip"
	"net/url"
	"path/filepath"
	"runtime"
	"time"
)

// derive works out what follows from other settings, for each that nobody gave. It may run again after one of those has become known.
func (l *loaded) derive() {
	derived := func(key, from string) bool {
		if source := l.source[key]; source != "" && source != "derived: "+from {
			return false
		}
		l.source[key] = "derived: " + from
		return true
	}
	if l.DataDir != "" && derived("kek_file", "kek in the data folder") {
		l.KEKFile = filepath.Join(l.DataDir, "kek")
	}
	if l.PKCS11Module != "" && derived("key_maker", "SIGNET_PKCS11_MODULE is set") {
		l.KeyMaker = makerPKCS11
	}
	if l.KeyPublishAhead > 0 && derived("jwks_stale_if_error", "the smaller of 1h and an eighth of the publish-ahead") {
		l.JWKSStaleIfError = min(time.Hour, l.KeyPublishAhead/8).Truncate(time.Second)
	}
	if derived("hash_slots", "cores - 1, at least 1") {
		l.HashSlots = max(1, runtime.GOMAXPROCS(0)-1)
	}
	if l.Issuer == "" {
		return
	}
	if derived("audience", "the issuer") {
		l.Audience = []string{l.Issuer}
	}
	if derived("mail_from", "no-reply at the issuer's host") {
		l.MailFrom = "no-reply@" + mailDomain(l.Issuer)
	}
}

// mailDomain is the issuer's host as the domain of an address. Few mail servers take an address literal, so that an IP address
// gives localhost, which is what such an issuer is for.
func mailDomain(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return "localhost"
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return "localhost"
	}
	return u.Hostname()
}
