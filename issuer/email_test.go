package issuer

import (
	"strings"
	"testing"
)

func TestCanonicalEmail(t *testing.T) {
	for in, want := range map[string]string{
		"  Ada@Example.ORG ":      "ada@example.org",
		"a.b+tag@example.org":     "a.b+tag@example.org",
		"o'hara@example.org":      "o'hara@example.org",
		"x@Bücher.example":        "x@xn--bcher-kva.example",
		"x@BÜCHER.example":        "x@xn--bcher-kva.example",
		"x@fa\u00df.example":      "x@xn--fa-hia.example",
		"\u212aate@example.org":   "kate@example.org", // KELVIN SIGN is K in NFC: what is mailed to is what is compared
		"x@example\u3002org":      "x@example.org",
		"x@\uff45xample.org":      "x@example.org",
		"x@sub.domain.example.uk": "x@sub.domain.example.uk",
	} {
		if got, err := CanonicalEmail(in); err != nil || got != want {
			t.Errorf("CanonicalEmail(%q) = %q, %v; want %q", in, got, err, want)
		}
		if again, err := CanonicalEmail(want); err != nil || again != want {
			t.Errorf("the canonical form %q is not canonical: %q, %v", want, again, err)
		}
	}
}

func TestCanonicalEmailRefuses(t *testing.T) {
	for _, in := range []string{
		"", "@", "a@", "@b.org", "plain", "a@b", "a@localhost", "a..b@example.org", ".a@example.org", "a.@example.org",
		`"quoted"@example.org`, "a b@example.org", "a@exa mple.org", "a@[127.0.0.1]", "a@example.org.", "a@-x.org", "a@x_y.org",
		"a\x00@example.org", "a@exam\nple.org", "аda@example.org" /* Cyrillic а */, "a@b@example.org", "İ@example.org",
		strings.Repeat("a", 65) + "@example.org", "a@" + strings.Repeat("a", 64) + ".org", strings.Repeat("a", 10_000) + "@example.org",
		"a@" + strings.Repeat("abcdefgh.", 30) + "org", "a@xn--\u00fc.org", "a@\xff.org", "\xff@example.org",
	} {
		if got, err := CanonicalEmail(in); err == nil {
			t.Errorf("CanonicalEmail(%.60q) = %q, want an error", in, got)
		}
	}
}

func TestEmailHint(t *testing.T) {
	if got := emailHint("ada@example.org"); got != "a***@e***.org" {
		t.Errorf("hint = %q", got)
	}
}

func FuzzCanonicalEmail(f *testing.F) {
	for _, s := range []string{"Ada@Example.ORG", "x@Bücher.example", "\u212a@x.org", "a@xn--bcher-kva.example", "a@b@c.d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once, err := CanonicalEmail(s)
		if err != nil {
			return
		}
		if len(once) > emailMaxBytes || strings.ContainsAny(once, "\r\n\x00 ") {
			t.Fatalf("%q became %q", s, once)
		}
		if twice, err := CanonicalEmail(once); err != nil || twice != once {
			t.Fatalf("%q is not a fixed point: %q, %v", once, twice, err)
		}
		if hint := emailHint(once); !strings.Contains(hint, "***@") {
			t.Fatalf("hint of %q: %q", once, hint)
		}
	})
}
