package conformance

import (
	"math/rand/v2"
	"time"

	"signet/issuer"
)

// Words that users are named and searched by: of one beginning and of several, composed and not, of two cases, outside the basic plane.
var words = []string{"", "a", "A", "ab", "Abc", "zoë", "Zoe\u0308", "ZOË@example.com", "zo", "ｚｏ", "Straße", "strasse", "🦊", "🦊🐻", "日本", "日", "%", "_", ".*", "\u00ff", "İ"}

// idWords are those that stores sort alike: some compare beyond the basic plane by UTF-16.
var idWords = []string{"", "a", "A", "zoë", "Zo", "%", "日本", "日", "🦊"}

var (
	hashes = []string{
		"", "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=19456,t=2,p=1$BBBBBBBBBBBBBBBBBBBBBA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=65536,t=3,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "unknown",
	}
	states    = []issuer.UserState{issuer.UserActive, issuer.UserDisabled, issuer.UserDeleted}
	roleSets  = [][]string{nil, {"admin"}, {"editor"}, {"editor", "admin"}, {"+"}, {"admin", "admin"}}
	whys      = []issuer.RevokeReason{"", issuer.RevokedLogoutAll, issuer.RevokedDisabled, issuer.RevokedDeleted}
	notices   = []issuer.LetterKind{"", issuer.LetterInvite, issuer.LetterPasswordChanged}
	moreNames = [][]string{nil, {}, {"name:x"}, {"email:y", "name:x"}}
)

func oneOf[E any](rng *rand.Rand, list []E) E { return list[rng.IntN(len(list))] }

// maybe is nil, or one of the list.
func maybe[E any](rng *rand.Rand, list []E) *E {
	if rng.IntN(3) > 0 {
		return nil
	}
	v := oneOf(rng, list)
	return &v
}

// randomUser is a new user whose place in the order is that of another one at times.
func randomUser(rng *rand.Rand) issuer.User {
	u := issuer.User{
		ID: oneOf(rng, idWords) + newID("u"), State: oneOf(rng, states[:2]), Email: oneOf(rng, words), Username: oneOf(rng, words), GivenName: oneOf(rng, words),
		FamilyName: oneOf(rng, words), PasswordHash: oneOf(rng, hashes), Roles: oneOf(rng, roleSets), CreatedAt: after(time.Duration(rng.IntN(20)) * ms),
		EmailVerified: rng.IntN(2) == 0, Ops: oneOf(rng, [][]string{nil, {"a"}, {"a", "b", "c", "d"}}), Ver: int64(rng.IntN(3)), NameRev: int64(rng.IntN(2)),
	}
	if rng.IntN(3) == 0 {
		u.LastLoginAt, u.Locale, u.ResetRequired = base, "fr", true
	}
	return u
}

// randomAct is an act that mostly meets u.
func randomAct(rng *rand.Rand, u issuer.User, att string) issuer.Act {
	flip := func(odds int) bool { return rng.IntN(odds) == 0 }
	a := issuer.Act{
		Ver: u.Ver, Att: att, At: base.Add(time.Duration(rng.IntN(1e7)) * time.Microsecond), EndAll: oneOf(rng, whys), Roles: maybe(rng, roleSets),
		PasswordHash: maybe(rng, hashes), ResetRequired: flip(3), EmailVerified: flip(3), Release: oneOf(rng, moreNames), Notice: oneOf(rng, notices), Erase: flip(12),
	}
	if flip(3) {
		a.State = oneOf(rng, states)
	}
	if flip(3) {
		a.Email = oneOf(rng, words)
	}
	if flip(2) {
		a.Keep = "sid"
	}
	if flip(8) {
		a.Ver += int64(rng.IntN(3) - 1)
	}
	if flip(2) {
		rev := u.NameRev + int64(rng.IntN(10)/9)
		a.NameRev = &rev
	}
	return a
}
