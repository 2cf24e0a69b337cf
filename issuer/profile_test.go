package issuer

import (
	"strings"
	"testing"
)

func TestCanonicalUsername(t *testing.T) {
	for in, want := range map[string][2]string{
		"Ada":         {"Ada", "ada"},
		"a@b.c+d-e_f": {"a@b.c+d-e_f", "a@b.c+d-e_f"},
		"Straße":      {"Straße", "strasse"},
		"ﬁn":          {"fin", "fin"},
		"Σίσυφος":     {"Σίσυφος", "σίσυφοσ"},
		"玉木":          {"玉木", "玉木"},
	} {
		display, key, err := CanonicalUsername(in)
		if err != nil || display != want[0] || key != want[1] {
			t.Errorf("CanonicalUsername(%q) = %q, %q, %v; want %q", in, display, key, err, want)
		}
	}
	for _, in := range []string{"", "a b", "a/b", "a\x00", "a\n", strings.Repeat("a", 151), strings.Repeat("é", 10_000), "\xff", "a:b", "😀"} {
		if display, key, err := CanonicalUsername(in); err == nil {
			t.Errorf("CanonicalUsername(%.40q) = %q, %q, want an error", in, display, key)
		}
	}
}

func TestCleanNameAndLocale(t *testing.T) {
	if got, err := cleanName("  Zoe\u0308 "); err != nil || got != "Zo\u00eb" {
		t.Errorf("cleanName = %q, %v", got, err)
	}
	for _, in := range []string{"a\x00b", "a\nb", strings.Repeat("x", 151), "\xff"} {
		if _, err := cleanName(in); err == nil {
			t.Errorf("cleanName(%.20q) has no error", in)
		}
	}
	if got, err := canonicalLocale("pt-br"); err != nil || got != "pt-BR" {
		t.Errorf("canonicalLocale = %q, %v", got, err)
	}
	for _, in := range []string{"not a tag", "1", strings.Repeat("a-", 30)} {
		if _, err := canonicalLocale(in); err == nil {
			t.Errorf("canonicalLocale(%q) has no error", in)
		}
	}
}
