package main

import "testing"

// Requirements 9, 90, 91: no setting makes codes shorter or longer-lived than the rules allow, or RSA keys weaker.
func TestSettingsDoNotWeakenTheRules(t *testing.T) {
	for _, c := range []struct {
		key, text string
		allowed   bool
	}{
		{"code_length", "5", false}, {"code_length", "6", true}, {"code_length", "0", false}, {"code_length", "-6", false},
		{"code_ttl", "10m", true}, {"code_ttl", "10m1s", false}, {"code_ttl", "0s", false},
		{"code_attempts", "0", false}, {"code_attempts", "5", true}, {"code_attempts", "21", false},
		{"rsa_bits", "1024", false}, {"rsa_bits", "2048", true}, {"rsa_bits", "3072", true},
		{"access_alg", "HS256", false}, {"access_alg", "none", false}, {"access_alg", "RS256", true},
		{"refresh_grace", "1h", true}, {"refresh_grace", "61m", false}, {"refresh_grace", "-1s", false},
	} {
		s := settingByKey(c.key)
		if s == nil {
			t.Fatalf("no setting %s", c.key)
		}
		if _, expected := parseValue(s, raw{text: c.text}); (expected == "") != c.allowed {
			t.Errorf("%s = %s: expected %q", c.key, c.text, expected)
		}
	}
}
