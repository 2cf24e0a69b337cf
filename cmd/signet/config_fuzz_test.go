package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// FuzzConfig: whatever a file and the environment hold, loading ends in settings or in faults, never shows a password, and what it
// accepted can be written down and loaded again as the same.
func FuzzConfig(f *testing.F) {
	for _, seed := range []struct{ yaml, env string }{
		{"issuer: https://id.example.org\nkey_poll: 1s\n", "SIGNET_LISTEN=127.0.0.1:0"},
		{"trusted_proxies: [10.0.0.0/8, fd00::/8]\nlimit_codes: 0\n", "SIGNET_SMTP_URL=smtp://u:passw0rd@h:587"},
		{"a: &x 1\nb: *x\n", "SIGNET_MONGODB_URI=mongodb://u:passw0rd@h/?tlsCertificateKeyFilePassword=passw0rd"},
		{"{listen: ':1', listen: ':2'}", "SIGNET_ARGON2_MEMORY=99999999GiB"},
		{"smtp_url: 'smtp://u:passw0rd@'\n", "SIGNET_SMTP_URL=passw0rd\nSIGNET_ISSUER=https://a@b"},
		{"mongodb_uri: {x: passw0rd}\n", "SIGNET_KEY_POLL=9223372036s\nSIGNET_MAIL_FROM=A <a@b>"},
		{"? [a]\n: b\n--- \n- |\n x\n", "SIGNET_ALLOWED_ORIGINS=,"},
	} {
		f.Add([]byte(seed.yaml), seed.env)
	}
	f.Fuzz(func(t *testing.T, yaml []byte, env string) {
		file := filepath.Join(t.TempDir(), "f.yaml")
		if err := os.WriteFile(file, yaml, 0o600); err != nil {
			t.Fatal(err)
		}
		// The files that twins and --config name are of the machine, not of the input.
		environ := slices.DeleteFunc(strings.Split(env, "\n"), func(pair string) bool {
			name, _, _ := strings.Cut(pair, "=")
			return name == "SIGNET_CONFIG" || strings.HasSuffix(name, "_FILE")
		})
		if strings.Contains(strings.ToLower(string(yaml)), "_file") {
			t.Skip()
		}
		l, err := load(input{file: file, environ: environ}, nil)
		if err != nil {
			var all faults
			if !errors.As(err, &all) || len(all) == 0 {
				t.Fatalf("not faults: %v", err)
			}
			checkNoPassword(t, all.Error(), "smtp://u:passw0rd@", string(yaml), env)
			return
		}
		again := layer{}
		for _, e := range l.effective() {
			s := settingByKey(strings.ToLower(strings.TrimPrefix(e.Name, envPrefix)))
			if e.Value != nil {
				if text := formatValue(l.field(s)); text != "" {
					again[s.key] = raw{text: text, source: "flag"}
				}
			}
		}
		if slices.ContainsFunc(l.Audience, func(a string) bool { return strings.Contains(a, ",") }) {
			return // only a YAML sequence can say that
		}
		second, err := load(input{flags: again}, nil)
		if err != nil {
			t.Fatalf("what was accepted is refused the second time: %v", err)
		}
		for _, s := range settings {
			if a, b := formatValue(l.field(s)), formatValue(second.field(s)); a != b {
				t.Errorf("%s: %q became %q", s.key, a, b)
			}
		}
	})
}

// checkNoPassword looks for the password of a well-formed URL in a fault's text.
func checkNoPassword(t *testing.T, text, url string, inputs ...string) {
	for _, in := range inputs {
		if strings.Contains(in, url) && strings.Contains(text, "u:passw0rd@") {
			t.Errorf("a password in %q", text)
		}
	}
}
