package sqlite

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"signet/issuer"
)

const million = 1_000_000

var (
	givenNames  = []string{"Zoë", "Ada", "Émile", "Søren", "Noor", "Chidi", "Mei", "Ivan", "Lúcia", "Yusuf", "Aiko", "Tomáš", "Priya", "Juan", "Olga"}
	familyNames = []string{"O'Neil", "Müller", "García", "Nguyễn", "Kowalska", "Öztürk", "Li", "Smith", "Haddad", "Ivanova", "Silva"}
)

// nthUser is one of a million: addresses count up with time, a few are disabled, some have a role, a few are administrators.
func nthUser(n int, rng *rand.Rand) issuer.User {
	u := issuer.User{
		ID: fmt.Sprintf("0198c1de-%04x-7%03x-8%03x-%012x", n>>12, n&0xfff, rng.IntN(0xfff), rng.Int64N(1<<48)), State: issuer.UserActive,
		Email: fmt.Sprintf("user%d@example.com", n), EmailVerified: true, Username: fmt.Sprintf("%c%c%c%d", 'a'+rng.IntN(26), 'a'+rng.IntN(26), 'a'+rng.IntN(26), n),
		GivenName: givenNames[rng.IntN(len(givenNames))], FamilyName: familyNames[rng.IntN(len(familyNames))] + fmt.Sprint(rng.IntN(500)),
		PasswordHash: "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		CreatedAt:    benchNow.Add(time.Duration(n) * time.Second), Roles: []string{"member"}, Locale: "en",
	}
	if n%20_000 == 7 || n > million-20 {
		u.Roles = []string{"member", "admin"}
	}
	if n%200 == 3 {
		u.Roles = []string{"member", "editor"}
	}
	if n%300 == 5 || n > million-3000 {
		u.State = issuer.UserDisabled
	}
	return u
}

// millionUsers fills a store a few thousand users a transaction; of every other thousand the order is not that of their arrival.
func millionUsers(t testing.TB, s *Store) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 1))
	const batch = 4000
	for from := 0; from < million; from += batch {
		order := rng.Perm(batch)
		if from/batch%2 == 0 {
			slices.Sort(order)
		}
		_, err := write(t.Context(), s.writer, func(x *tx) (int64, error) {
			for _, i := range order {
				u := nthUser(from+i, rng)
				doc, err := users.pack(&u)
				if err != nil {
					return 0, err
				}
				if _, err := x.exec(users.insertSQL, append(users.index(&u), string(doc), u.ID)...); err != nil {
					return 0, err
				}
				if err := enlist(x, nil, &u); err != nil {
					return 0, err
				}
			}
			return 0, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// userQueries are lists of a million users that are hard in different ways.
func userQueries() map[string]issuer.UserQuery {
	yes, no := true, false
	return map[string]issuer.UserQuery{
		"all":                            {},
		"active":                         {Disabled: &no},
		"disabled":                       {Disabled: &yes},
		"role of all":                    {Role: "member"},
		"role of few":                    {Role: "admin"},
		"role of few, disabled":          {Role: "admin", Disabled: &yes},
		"prefix of all":                  {Prefix: "user"},
		"prefix of a tenth, in clusters": {Prefix: "user5"},
		"prefix of a fifteenth":          {Prefix: "zoë"},
		"prefix of a name":               {Prefix: "müller49"},
		"prefix of a letter":             {Prefix: "a"},
		"prefix of ids":                  {Prefix: "0198c1de-00f4"},
		"prefix of one":                  {Prefix: "user765432@"},
		"prefix of none":                 {Prefix: "nobody"},
		"few with a prefix of all":       {Prefix: "user", Role: "admin"},
		"few with a prefix of one":       {Prefix: "user20007", Role: "admin"},
		"few with a prefix of none":      {Prefix: "nobody", Role: "admin"},
		"some with a prefix of all":      {Prefix: "user", Role: "editor"},
		"some with a prefix in clusters": {Prefix: "user5", Role: "editor"},
		"some with a prefix of a name":   {Prefix: "müller49", Role: "editor"},
		"disabled, prefix of all":        {Prefix: "user", Disabled: &yes},
		"disabled, prefix in clusters":   {Prefix: "user9", Disabled: &yes},
		"disabled, prefix of one":        {Prefix: "user765432@", Disabled: &yes},
		"active, prefix of a name":       {Prefix: "müller49", Disabled: &no},
	}
}

// TestPagesOfAMillionUsers reports what a page of 100 takes from twenty places in the order, those next to the clusters of user5 among them. It asserts
// no time.
func TestPagesOfAMillionUsers(t *testing.T) {
	if os.Getenv("SIGNET_TEST_LONG") != "1" {
		t.Skip("SIGNET_TEST_LONG=1 is not set: a million users take minutes")
	}
	s := openAt(t, fileIn(t))
	start := time.Now()
	millionUsers(t, s)
	t.Logf("filled in %v, %d MB", time.Since(start), s.Stats().FileBytes>>20)
	var names []string
	queries := userQueries()
	for name := range queries {
		names = append(names, name)
	}
	slices.Sort(names)
	places := []int{-1, 59, 599, 5_999, 59_999, 599_999, 700_000, 990_000, 996_500, 999_990}
	for i := range 10 {
		places = append(places, i*99_999)
	}
	for _, name := range names {
		var took []time.Duration
		for _, n := range places {
			after := issuer.Place{}
			if n >= 0 {
				after = issuer.Place{At: benchNow.Add(time.Duration(n) * time.Second), ID: "1"}
			}
			start := time.Now()
			_, err := s.ListUsers(t.Context(), queries[name], after, 100)
			took = append(took, time.Since(start))
			if err != nil {
				t.Fatal(err)
			}
		}
		slices.SortFunc(took, cmp.Compare)
		t.Logf("%-32s median %7.2f ms, max %7.2f ms", name, ms(took[len(took)/2]), ms(took[len(took)-1]))
	}
	for name, f := range map[string]func() error{
		"HashKinds": func() error { _, err := s.HashKinds(t.Context()); return err },
		"Counts":    func() error { _, err := s.Counts(t.Context(), benchNow); return err },
	} {
		start := time.Now()
		if err := f(); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s %7.2f ms", name, ms(time.Since(start)))
	}
}

// TestPagesOfTenThousandSessions reports what a page of one user's sessions takes, of which most were revoked and some have expired.
func TestPagesOfTenThousandSessions(t *testing.T) {
	if os.Getenv("SIGNET_TEST_LONG") != "1" {
		t.Skip("SIGNET_TEST_LONG=1 is not set: ten thousand sessions take seconds")
	}
	s := openAt(t, fileIn(t))
	const sessions = 10_000
	var all sync.WaitGroup
	next := make(chan int)
	for range 32 {
		all.Go(func() {
			for n := range next {
				d := issuer.Session{ID: fmt.Sprintf("s%06d", n*7919%sessions), UserID: "u", CreatedAt: benchNow.Add(time.Duration(n) * time.Second),
					At: benchNow, IdleAt: benchNow.Add(time.Hour), AbsAt: benchNow.Add(2 * time.Hour), UserAgent: "Mozilla/5.0 (X11; Linux x86_64)", IP: "192.0.2.7"}
				if n%5 == 0 {
					d.IdleAt = benchNow
				}
				if n%2 == 1 {
					d.Revoked = &issuer.Revocation{At: benchNow, Why: issuer.RevokedLogout}
				}
				if err := s.InsertSession(t.Context(), d); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for n := range sessions {
		next <- n
	}
	close(next)
	all.Wait()
	for _, revoked := range []bool{false, true} {
		q := issuer.SessionQuery{UserID: "u", Revoked: revoked, Now: benchNow}
		var took []time.Duration
		found := 0
		for after := (issuer.Place{}); ; {
			start := time.Now()
			page, err := s.ListSessions(t.Context(), q, after, 100)
			took = append(took, time.Since(start))
			if err != nil {
				t.Fatal(err)
			}
			found += len(page)
			if len(page) < 100 {
				break
			}
			after = issuer.Place{At: page[99].CreatedAt, ID: page[99].ID}
		}
		if want := map[bool]int{false: sessions * 4 / 10, true: sessions / 2}[revoked]; found != want {
			t.Errorf("revoked %v: %d, want %d", revoked, found, want)
		}
		slices.SortFunc(took, cmp.Compare)
		t.Logf("revoked %-5v  %d pages, median %.2f ms, max %.2f ms", revoked, len(took), ms(took[len(took)/2]), ms(took[len(took)-1]))
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
