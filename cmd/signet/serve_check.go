package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"

	"signet/handlers"
	"signet/issuer"
	"signet/issuer/mail"
	"signet/keys"
)

const makeKEKHint = "make one with: (umask 077; head -c 32 /dev/urandom | base64 > FILE), and keep a copy elsewhere"

// checkServe finds what keeps a server from starting, beyond values that can't be parsed: known holds those. It changes nothing.
func (l *loaded) checkServe(dev bool, known faults) faults {
	found := known
	missing := func(key, expected string) {
		if !found.has(key) {
			found = append(found, fault{Setting: settingByKey(key).env(), Expected: expected})
		}
	}
	wrong := func(key, expected string) {
		if s := settingByKey(key); !found.has(key) {
			found = append(found, fault{Setting: s.env(), Source: l.source[key], Value: masked(s, formatValue(l.field(s))), Expected: expected})
		}
	}
	if !dev && l.Issuer == "" {
		missing("issuer", "the URL that this server is reached by, such as https://id.example.org (or start with --dev to try signet)")
	}
	if !dev && l.SMTPURL == "" {
		missing("smtp_url", "a mail server for the codes, such as smtp://user:pass@mail.example.org:587")
	}
	if dev && !found.has("listen") && !onLoopback(l.Listen) {
		wrong("listen", "a loopback address, such as 127.0.0.1:8080, because --dev is unsafe")
	}
	for _, origin := range l.AllowedOrigins {
		if err := handlers.CheckOrigin(origin); err != nil {
			wrong("allowed_origins", oneLineOf(err))
		}
	}
	if l.OpsListen != "" && l.OpsListen == l.Listen && !strings.HasSuffix(l.Listen, ":0") {
		wrong("ops_listen", "another address than SIGNET_LISTEN")
	}
	if l.AdminListen != "" && (l.AdminListen == l.Listen || l.AdminListen == l.OpsListen) && !strings.HasSuffix(l.AdminListen, ":0") {
		wrong("admin_listen", "another address than SIGNET_LISTEN and SIGNET_OPS_LISTEN")
	}
	if err := mail.CheckTemplates(l.MailTemplates); err != nil && !found.has("mail_templates") {
		wrong("mail_templates", oneLineOf(err))
	}
	if l.RefreshIdleTTL > l.RefreshAbsoluteTTL && !found.has("refresh_absolute_ttl") {
		wrong("refresh_idle_ttl", "no more than SIGNET_REFRESH_ABSOLUTE_TTL, which is "+formatDuration(l.RefreshAbsoluteTTL))
	}
	if expected := l.checkKEK(dev); expected != "" {
		wrong("kek_file", expected)
	}
	l.checkTLS(missing, wrong)
	l.checkPKCS11(known, missing, wrong)
	if _, err := issuer.NewHasher(l.hashing()); err != nil && !found.has("argon2_memory", "argon2_time", "argon2_threads", "hash_slots", "hash_queue") {
		wrong("argon2_memory", err.Error())
	}
	if !found.has("key_publish_ahead", "key_signing_period", "key_poll", "clock_skew", "jwks_max_age", "jwks_stale_if_error", "access_ttl", "id_token_ttl",
		"refresh_idle_ttl", "code_ttl", "rsa_bits") {
		if _, err := l.keyPolicy().Check(0); err != nil {
			found = append(found, fault{Setting: "SIGNET_KEY_*", Source: "together", Expected: "a policy that holds: " + oneLineOf(err)})
		}
	}
	return found
}

// onLoopback says whether an address to listen on is reached from this machine alone.
func onLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && isLoopbackHost(host)
}

// checkKEK says what was expected of the KEK file, or "". Only --dev on the embedded store may go without one, and only while there is
// no store that another one has sealed. The store is looked for first: another server that starts now makes the KEK file before its store.
func (l *loaded) checkKEK(dev bool) string {
	if l.KEKFile == "" {
		return ""
	}
	_, noStore := os.Stat(l.embeddedFile())
	_, err := keys.ReadKEKFile(l.KEKFile)
	switch {
	case err == nil:
		return ""
	case !errors.Is(err, fs.ErrNotExist):
		return "a file of key-encryption keys: " + oneLineOf(err)
	case l.MongoDBURI != "":
		return "an existing file: signet makes none beside a MongoDB, whose data outlives this machine; " + makeKEKHint
	case !dev:
		return "an existing file of key-encryption keys; " + makeKEKHint
	case noStore == nil:
		return "the file that sealed the store at " + l.embeddedFile() + ": it is missing, and a new one could open nothing in it"
	}
	return ""
}

// checkTLS: certificate and key come together and fit.
func (l *loaded) checkTLS(missing, wrong func(key, expected string)) {
	switch {
	case l.TLSCertFile == "" && l.TLSKeyFile == "":
	case l.TLSKeyFile == "":
		missing("tls_key_file", "the private key of SIGNET_TLS_CERT_FILE")
	case l.TLSCertFile == "":
		missing("tls_cert_file", "the certificate of SIGNET_TLS_KEY_FILE")
	default:
		if _, err := tls.LoadX509KeyPair(l.TLSCertFile, l.TLSKeyFile); err != nil {
			wrong("tls_cert_file", fmt.Sprintf("a PEM certificate that fits the key in %s: %v", l.TLSKeyFile, err))
		}
	}
}
