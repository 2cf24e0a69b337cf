package sqlite

import (
	"cmp"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"signet/issuer"
)

// checkChunks holds the chunks to their invariant.
func checkChunks(t *testing.T, s *Store) {
	t.Helper()
	ask := func(what, query string, want int) {
		t.Helper()
		if n, _, err := readRow[int](t.Context(), s, query); n != want || err != nil {
			t.Errorf("%d %s, %v", n, what, err)
		}
	}
	ask("terms lie outside their chunk", `SELECT count(*) FROM user_terms t WHERE chunk <>
		(SELECT n FROM user_chunks c WHERE (c.at, c.id) <= (t.created_at, t.id) ORDER BY c.at DESC, c.id DESC LIMIT 1)`, 0)
	ask("chunks count others than they hold", `SELECT count(*) FROM user_chunks WHERE users <> (SELECT count(DISTINCT id) FROM user_terms WHERE chunk = n)`, 0)
	ask("chunks are too full", fmt.Sprintf(`SELECT count(*) FROM user_chunks WHERE users > %d`, chunkUsers), 0)
	ask("users are in no chunk, or are there and gone", `SELECT count(*) FROM users u
		WHERE (state <> 'deleted') <> EXISTS (SELECT 1 FROM user_lists l WHERE list = '*' AND l.created_at = u.created_at AND l.id = u.id)`, 0)
	ask("users are searched for but not listed", `SELECT count(*) FROM user_terms t
		WHERE NOT EXISTS (SELECT 1 FROM user_lists l WHERE list = '*' AND l.created_at = t.created_at AND l.id = t.id)`, 0)
}

func chunks(t *testing.T, s *Store) (n int) {
	t.Helper()
	n, _, err := readRow[int](t.Context(), s, `SELECT count(*) FROM user_chunks`)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// insertAll inserts users, many of them in each transaction.
func insertAll(t *testing.T, s *Store, list []issuer.User) {
	t.Helper()
	var all sync.WaitGroup
	for part := range slices.Chunk(list, (len(list)+63)/64) {
		all.Go(func() {
			for _, u := range part {
				if err := s.InsertUser(t.Context(), u); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

func chunkedUser(n int) issuer.User {
	u := newUser(fmt.Sprintf("u%05d", n))
	u.Email, u.Username, u.CreatedAt = fmt.Sprintf("user%d@example.com", n), fmt.Sprintf("n%d", n%7), benchNow.Add(time.Duration(n/3)*time.Millisecond)
	return u
}

// TestChunksAreCut: users who arrive in their order fill one chunk after the other, those who arrive in another one cut chunks in halves, and
// however it went every list is what it is without chunks.
func TestChunksAreCut(t *testing.T) {
	s, rng := openAt(t, fileIn(t)), rand.New(rand.NewPCG(1, 1))
	const ordered, mixed = chunkUsers + 100, 2*chunkUsers + 500
	var list []issuer.User
	for n := range ordered {
		u := chunkedUser(n)
		if err := s.InsertUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		list = append(list, u)
	}
	if n := chunks(t, s); n != 2 {
		t.Errorf("in order: %d chunks, want 2", n)
	}
	checkChunks(t, s)
	var late []issuer.User
	for n := range mixed {
		late = append(late, chunkedUser(ordered+n))
	}
	rng.Shuffle(len(late), func(i, j int) { late[i], late[j] = late[j], late[i] })
	insertAll(t, s, late)
	list = append(list, late...)
	if n := chunks(t, s); n < 4 || n > 8 {
		t.Errorf("out of order: %d chunks", n)
	}
	checkChunks(t, s)
	for i := range list { // some of them change, and some go
		u := &list[i]
		switch rng.IntN(6) {
		case 0:
			name := fmt.Sprintf("given%d", i)
			*u, _, _ = s.UpdateProfile(t.Context(), u.ID, issuer.ProfileChange{GivenName: &name})
		case 1:
			*u, _, _ = s.ActOnUser(t.Context(), u.ID, issuer.Act{State: issuer.UserDeleted, Erase: rng.IntN(2) == 0, Att: "a"})
		case 2:
			*u, _, _ = s.ActOnUser(t.Context(), u.ID, issuer.Act{State: issuer.UserDisabled, Roles: &[]string{"r"}, Att: "a"})
		}
	}
	checkChunks(t, s)
	compareLists(t, s, list)
}

func compareLists(t *testing.T, s *Store, all []issuer.User) {
	t.Helper()
	slices.SortFunc(all, func(a, b issuer.User) int { return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID)) })
	yes, no := true, false
	for _, q := range []issuer.UserQuery{
		{}, {Prefix: "user"}, {Prefix: "user1"}, {Prefix: "user4321@"}, {Prefix: "given1"}, {Prefix: "n3"}, {Prefix: "nobody"}, {Role: "r"}, {Disabled: &no},
		{Prefix: "user", Role: "r"}, {Prefix: "user6", Disabled: &yes}, {Prefix: "given", Disabled: &no}, {Prefix: "n3", Role: "r", Disabled: &yes}, {Prefix: "given", Role: "r"},
	} {
		var want, got []string
		for i := range all {
			u := &all[i]
			if u.State != issuer.UserDeleted && begins(u, q.Prefix) && (q.Role == "" || slices.Contains(u.Roles, q.Role)) &&
				(q.Disabled == nil || *q.Disabled == (u.State == issuer.UserDisabled)) {
				want = append(want, u.ID)
			}
		}
		for place := (issuer.Place{}); ; {
			page, err := s.ListUsers(t.Context(), q, place, 97)
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range page {
				got = append(got, u.ID)
				place = issuer.Place{At: u.CreatedAt, ID: u.ID}
			}
			if len(page) < 97 {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v: %d listed, want %d", q, len(got), len(want))
		}
	}
}

// TestAFailedInsertLeavesNoTerms: what is beside a document comes and goes with it.
func TestAFailedInsertLeavesNoTerms(t *testing.T) {
	s := openAt(t, fileIn(t))
	if err := s.InsertUser(t.Context(), chunkedUser(1)); err != nil {
		t.Fatal(err)
	}
	again := chunkedUser(2)
	again.ID = chunkedUser(1).ID
	if err := s.InsertUser(t.Context(), again); err == nil {
		t.Fatal("inserted twice")
	}
	inOneBatch(t, s, func(x *tx) (int64, error) {
		u := chunkedUser(3)
		if err := enlist(x, nil, &u); err != nil {
			return 0, err
		}
		return x.exec(`INSERT INTO users (id) VALUES (NULL)`)
	})
	checkChunks(t, s)
	var terms []string
	err := readRows(t.Context(), s, func(rows *sql.Rows) error {
		var term string
		err := rows.Scan(&term)
		terms = append(terms, term)
		return err
	}, `SELECT term FROM user_terms ORDER BY term`)
	if want := []string{"n1", "u00001", "user1@example.com"}; err != nil || !slices.Equal(terms, want) {
		t.Errorf("terms %q, %v, want %q", terms, err, want)
	}
}
