package main

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// mustLoad loads what has no fault.
func mustLoad(t *testing.T, in input) *loaded {
	t.Helper()
	l, err := load(in, nil)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	return l
}

func TestDefaultsAreThoseOfTheContract(t *testing.T) {
	l := mustLoad(t, input{})
	want := map[string]string{
		"listen": "127.0.0.1:8080", "data_dir": "./signet-data", "kek_file": "signet-data/kek", "access_ttl": "5m", "access_alg": "ES256",
		"access_typ": "at+jwt", "id_token_ttl": "1h", "refresh_grace": "30s", "refresh_idle_ttl": "14d", "refresh_absolute_ttl": "90d",
		"code_ttl": "10m", "code_length": "6", "code_attempts": "5", "resend_after": "30s", "limit_codes": "10/10m", "limit_guesses": "20/1h",
		"limit_passwords": "10/15m", "limit_source": "300/1m", "key_publish_ahead": "2d", "key_signing_period": "30d", "key_poll": "5s",
		"clock_skew": "30s", "jwks_max_age": "5m", "jwks_stale_if_error": "1h", "log_level": "info", "shutdown_grace": "10s",
		"argon2_memory": "19MiB", "argon2_time": "2", "argon2_threads": "1", "rsa_bits": "2048",
		"issuer": "", "ops_listen": "", "admin_listen": "", "tls_cert_file": "", "tls_key_file": "", "mongodb_uri": "", "smtp_url": "",
		"mail_from": "", "allowed_origins": "", "trusted_proxies": "", "audience": "", "log_format": "",
	}
	for key, value := range want {
		if got := formatValue(l.field(settingByKey(key))); got != value {
			t.Errorf("%s = %q, want %q", key, got, value)
		}
	}
}

func TestFlagsWinOverEnvironmentOverFileOverDefault(t *testing.T) {
	file := writeFile(t, "signet.yaml", "key_poll: 1s\nclock_skew: 2s\njwks_max_age: 3s\n")
	l := mustLoad(t, input{
		file:    file,
		environ: []string{"SIGNET_CLOCK_SKEW=20s", "SIGNET_JWKS_MAX_AGE=30s", "OTHER=x"},
		flags:   layer{"jwks_max_age": {text: "300s", source: "flag --jwks-max-age"}},
	})
	if l.KeyPoll != time.Second || l.ClockSkew != 20*time.Second || l.JWKSMaxAge != 300*time.Second || l.AccessTTL != 5*time.Minute {
		t.Errorf("got %v %v %v %v", l.KeyPoll, l.ClockSkew, l.JWKSMaxAge, l.AccessTTL)
	}
	for key, want := range map[string]string{
		"key_poll": "signet.yaml:1", "clock_skew": "environment", "jwks_max_age": "flag --jwks-max-age", "access_ttl": "default",
		"kek_file": "derived: kek in the data folder", "issuer": "",
	} {
		if l.source[key] != want {
			t.Errorf("source of %s = %q, want %q", key, l.source[key], want)
		}
	}
}

func TestConfigFileMayComeFromTheEnvironment(t *testing.T) {
	file := writeFile(t, "a.yaml", "issuer: https://id.example.org\n")
	l := mustLoad(t, input{environ: []string{"SIGNET_CONFIG=" + file}})
	if l.Issuer != "https://id.example.org" || l.MailFrom != "no-reply@id.example.org" || !slices.Equal(l.Audience, []string{"https://id.example.org"}) {
		t.Errorf("got %q %q %q", l.Issuer, l.MailFrom, l.Audience)
	}
}

func TestEmptyVariableIsUnsetAndEmptyFlagTakesBack(t *testing.T) {
	l := mustLoad(t, input{
		environ: []string{"SIGNET_LISTEN=", "SIGNET_OPS_LISTEN=127.0.0.1:9090"},
		flags:   layer{"ops_listen": {source: "flag --ops-listen"}},
	})
	if l.Listen != "127.0.0.1:8080" || l.OpsListen != "" {
		t.Errorf("listen %q, ops %q", l.Listen, l.OpsListen)
	}
}

func TestSecretFromItsTwin(t *testing.T) {
	secret := writeFile(t, "smtp", "smtp://u:hunter2@mail.example.org:587\n")
	l := mustLoad(t, input{environ: []string{"SIGNET_SMTP_URL_FILE=" + secret}})
	if l.SMTPURL != "smtp://u:hunter2@mail.example.org:587" {
		t.Errorf("got %q", l.SMTPURL)
	}
	if !strings.Contains(l.source["smtp_url"], "SIGNET_SMTP_URL_FILE") {
		t.Errorf("source %q", l.source["smtp_url"])
	}
	// A stronger layer's own value wins over a weaker layer's twin.
	l = mustLoad(t, input{
		environ: []string{"SIGNET_SMTP_URL_FILE=" + secret},
		flags:   layer{"smtp_url": {text: "smtp://other", source: "flag --smtp-url"}},
	})
	if l.SMTPURL != "smtp://other" {
		t.Errorf("got %q", l.SMTPURL)
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	file := writeFile(t, "bad.yaml", strings.Join([]string{
		"issuer: http://id.example.org",
		"key_pol: 5s",
		"listen: nowhere",
		"listen: 127.0.0.1:1",
		"limit_codes: {a: 1}",
		"access_alg: [ES256]",
	}, "\n"))
	_, err := load(input{
		file: file,
		environ: []string{"SIGNET_ACCESS_TTL=5 minutes", "SIGNET_MONGODB_URI=postgres://u:hunter2@db", "SIGNET_TRUSTED_PROXIES=10.0.0.1/8",
			"SIGNET_SMTP_URL=smtp://a", "SIGNET_SMTP_URL_FILE=/b", "SIGNET_ALLOWED_ORIGINS=https://a.example,*"},
	}, nil)
	var got faults
	if !errors.As(err, &got) {
		t.Fatalf("load: %v", err)
	}
	text := err.Error()
	for _, want := range []string{
		`"key_pol" (bad.yaml:2): expected a known setting; did you mean key_poll?`,
		`SIGNET_LISTEN (bad.yaml:4): expected each setting once, and it is at bad.yaml:3 already`,
		`SIGNET_LIMIT_CODES (bad.yaml:5): expected a plain value`,
		`SIGNET_ISSUER = "http://id.example.org" (bad.yaml:1): expected https://host[:port]`,
		`SIGNET_LISTEN = "nowhere" (bad.yaml:3): expected an address`,
		`SIGNET_ACCESS_ALG = "ES256" (bad.yaml:6): expected a single value, not a list`,
		`SIGNET_ACCESS_TTL = "5 minutes" (environment): expected a duration such as`,
		`SIGNET_MONGODB_URI = "postgres://u:***@db" (environment): expected a URI`,
		`SIGNET_TRUSTED_PROXIES = "10.0.0.1/8" (environment): expected a network such as 10.0.0.0/8`,
		`SIGNET_SMTP_URL = "smtp://a" (environment): expected either it or SIGNET_SMTP_URL_FILE, not both`,
		`SIGNET_ALLOWED_ORIGINS = "https://a.example,*" (environment): expected exact origins`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing %s", want)
		}
	}
	if len(got) != 11 {
		t.Errorf("%d faults in\n%s", len(got), text)
	}
	if strings.Contains(text, "hunter2") {
		t.Error("a password in the error")
	}
}

func TestOnlyWhatACommandUsesIsChecked(t *testing.T) {
	in := input{environ: []string{"SIGNET_ACCESS_TTL=never", "SIGNET_DATA_DIR=/d"}}
	l, err := load(in, ringSettings)
	if err != nil || l.DataDir != "/d" || l.KEKFile != "/d/kek" {
		t.Errorf("%q %q %v", l.DataDir, l.KEKFile, err)
	}
	if _, err := load(in, nil); err == nil {
		t.Error("a wrong value in use passes")
	}
	// A key that no release knows is wrong for every command.
	in.file = writeFile(t, "x.yaml", "nonsense: 1\n")
	if _, err := load(in, ringSettings); err == nil {
		t.Error("an unknown key passes")
	}
}

func TestUnknownVariablesAreWarnings(t *testing.T) {
	l := mustLoad(t, input{environ: []string{
		"SIGNET_ISUER=https://id.example.org", "SIGNET_TEST_LONG=1", "SIGNET_SERVICE_HOST=10.0.0.1", "SIGNET_PORT_80_TCP=x", "SIGNET_PORT=tcp://x",
		"SIGNET_ISSUER_FILE=/x", "SIGNET_key_poll=1s", "XSIGNET_A=1",
	}})
	if len(l.warnings) != 3 {
		t.Fatalf("warnings %q", l.warnings)
	}
	if !slices.ContainsFunc(l.warnings, func(w string) bool { return strings.Contains(w, "did you mean SIGNET_ISSUER?") }) {
		t.Errorf("warnings %q", l.warnings)
	}
	if l.KeyPoll != 5*time.Second {
		t.Errorf("a lower-case variable counted: %v", l.KeyPoll)
	}
}

func TestYAMLLists(t *testing.T) {
	file := writeFile(t, "l.yaml", "trusted_proxies:\n  - 10.0.0.0/8\n  - fd00::/8\nallowed_origins: https://a.example, https://b.example:8443\n"+
		"audience: [api, 'https://x.example/a,b']\ncode_length: 0x8\n")
	_, err := load(input{file: file}, nil)
	var got faults
	if !errors.As(err, &got) || len(got) != 1 || got[0].Setting != "SIGNET_CODE_LENGTH" || got[0].Value != "0x8" {
		t.Fatalf("load: %v", err)
	}
	l, _ := load(input{file: file}, []string{"trusted_proxies", "allowed_origins", "audience"})
	if !slices.Equal(l.TrustedProxies, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}) {
		t.Errorf("proxies %v", l.TrustedProxies)
	}
	if !slices.Equal(l.AllowedOrigins, []string{"https://a.example", "https://b.example:8443"}) || !slices.Equal(l.Audience, []string{"api", "https://x.example/a,b"}) {
		t.Errorf("origins %q, audience %q", l.AllowedOrigins, l.Audience)
	}
}

func TestSecretsInTheWrongPlaceAreMasked(t *testing.T) {
	const url = "smtp://u:hunter2@mail.example.org"
	for name, in := range map[string]input{
		"a twin that is the secret": {environ: []string{"SIGNET_SMTP_URL_FILE=" + url}},
		"a key that is the secret":  {file: writeFile(t, "y", "'"+url+"': 1\n")},
		"a value in two layers":     {environ: []string{"SIGNET_SMTP_URL=" + url, "SIGNET_SMTP_URL_FILE=/x"}},
		"a value of no use":         {environ: []string{"SIGNET_SMTP_URL=" + url + "/path"}},
		"broken YAML":               {file: writeFile(t, "y", "smtp_url: \""+url+"\n  [")},
	} {
		_, err := load(in, nil)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	l := mustLoad(t, input{environ: []string{"SIGNET_\x1b[2J=1"}})
	if len(l.warnings) != 1 || strings.Contains(l.warnings[0], "\x1b") {
		t.Errorf("warnings %q", l.warnings)
	}
}

func TestUnreadableFiles(t *testing.T) {
	huge := filepath.Join(t.TempDir(), "huge")
	if err := os.WriteFile(huge, make([]byte, yamlLimit+1), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := writeFile(t, "empty", "\n")
	for name, in := range map[string]input{
		"absent":      {file: "/nonexistent/x.yaml"},
		"directory":   {file: t.TempDir()},
		"huge":        {file: huge},
		"not YAML":    {file: writeFile(t, "y", "\tissuer: [")},
		"a list":      {file: writeFile(t, "y", "- a\n")},
		"a scalar":    {file: writeFile(t, "y", "hello")},
		"two of them": {file: writeFile(t, "y", "key_poll: 1s\n---\nkey_poll: 2s\n")},
		"an anchor":   {file: writeFile(t, "y", "listen: &a 127.0.0.1:1\n")},
		"null":        {file: writeFile(t, "y", "listen:\n")},
		"twin absent": {environ: []string{"SIGNET_SMTP_URL_FILE=/nonexistent"}},
		"twin empty":  {environ: []string{"SIGNET_SMTP_URL_FILE=" + empty}},
	} {
		if _, err := load(in, nil); err == nil {
			t.Errorf("%s: no fault", name)
		}
	}
	for name, text := range map[string]string{"empty": "", "comments": "# nothing\n", "separator": "---\n", "nothing said": "---\n# x\n...\n"} {
		if _, err := load(input{file: writeFile(t, "y", text)}, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
