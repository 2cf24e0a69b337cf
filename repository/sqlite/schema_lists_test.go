package sqlite

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"signet/issuer"
)

// olderFile is a file of schema version n in which what the version before wrote, by its own statements.
func olderFile(t *testing.T, n int, statements ...string) string {
	t.Helper()
	path := fileIn(t)
	old, err := open(t.Context(), path, Options{}, steps[:n])
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range statements {
		if _, err := write(t.Context(), old.writer, func(x *tx) (int64, error) { return x.exec(query) }); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestUsersOfAnOlderSchemaAreFound: more of them than a chunk and than a page of the migration holds, not in the order of their arrival.
func TestUsersOfAnOlderSchemaAreFound(t *testing.T) {
	const hash = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	const users = chunkUsers + 1500
	s := openAt(t, olderFile(t, 3,
		fmt.Sprintf(`WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < %d) INSERT INTO users (id, created_at, doc)
			SELECT 'u' || n, 1000 + n * 7919 %% 100, json_object('state', 'active', 'email', 'user' || n || '@example.com', 'created_at', 1000 + n * 7919 %% 100) FROM n`, users-1),
		`INSERT INTO users (id, created_at, doc) VALUES ('full', 5000, '{"state":"disabled","email":"ZOE@example.com","username":"Zoë","given_name":"Ada","family_name":"Straße",
			"hash":"`+hash+`","roles":["admin"],"created_at":5000}')`,
		`INSERT INTO users (id, created_at, doc) VALUES ('gone', 0, '{"state":"deleted","hash":"`+hash+`"}')`,
	))
	checkChunks(t, s)
	yes := true
	for _, q := range []issuer.UserQuery{
		{Prefix: "full"}, {Prefix: "zoe@"}, {Prefix: "zoë"}, {Prefix: "ada"}, {Prefix: "strass"}, {Role: "admin"}, {Disabled: &yes}, {Role: "admin", Prefix: "z"},
	} {
		if list, err := s.ListUsers(t.Context(), q, issuer.Place{}, 5); err != nil || len(list) != 1 || list[0].ID != "full" {
			t.Errorf("%+v: %v, %v", q, list, err)
		}
	}
	for prefix, want := range map[string]int{"": users + 1, "user": users, "user100@": 1, "gone": 0} {
		if list, err := s.ListUsers(t.Context(), issuer.UserQuery{Prefix: prefix}, issuer.Place{}, 10_000); err != nil || len(list) != want {
			t.Errorf("%q: %d listed, %v, want %d", prefix, len(list), err, want)
		}
	}
	if kinds, err := s.HashKinds(t.Context()); err != nil || !slices.Equal(kinds, []string{issuer.HashKind(hash)}) {
		t.Errorf("kinds %q, %v", kinds, err)
	}
	if c, err := s.Counts(t.Context(), benchNow); err != nil || c != (issuer.Counts{Active: users, Disabled: 1, Deleted: 1}) {
		t.Errorf("counts %+v, %v", c, err)
	}
}

func TestSessionsOfAnOlderSchemaAreCounted(t *testing.T) {
	now := time.UnixMilli(1_800_000_123_456)
	session := func(id, rest string) string {
		return fmt.Sprintf(`INSERT INTO sessions (id, user_id, active_hour, doc) VALUES ('%s', 'u', 0, '{"user_id":"u","created_at":%d%s}')`, id, now.UnixMilli()-1, rest)
	}
	until := func(idle, abs int64) string {
		return fmt.Sprintf(`,"idle_at":%d,"abs_at":%d`, now.UnixMilli()+idle, now.UnixMilli()+abs)
	}
	s := openAt(t, olderFile(t, 3, session("live", until(1, 9e9)), session("idle", until(0, 9e9)), session("over", until(9e9, 0)), session("old", ""),
		session("revoked", until(1, 9e9)+`,"revoked":{"at":1,"why":"logout"}`)))
	for _, want := range []struct {
		revoked bool
		id      string
	}{{false, "live"}, {true, "revoked"}} {
		for _, user := range []string{"u", ""} {
			list, err := s.ListSessions(t.Context(), issuer.SessionQuery{UserID: user, Revoked: want.revoked, Now: now}, issuer.Place{}, 5)
			if err != nil || len(list) != 1 || list[0].ID != want.id {
				t.Errorf("revoked %v: %v, %v", want.revoked, list, err)
			}
		}
	}
	if c, err := s.Counts(t.Context(), now); err != nil || c.Outstanding != 1 || c.Revoked != 1 {
		t.Errorf("counts %+v, %v", c, err)
	}
}

func TestEventsOfAnOlderSchemaAreListed(t *testing.T) {
	event := func(id, rest string) string {
		return fmt.Sprintf(`INSERT INTO audit (id, at, doc) VALUES ('%s', 5, '{"type":"sign_in.ok","at":5%s}')`, id, rest)
	}
	s := openAt(t, olderFile(t, 3, event("a", `,"actor":"u"`), event("b", `,"target":"u"`), event("c", `,"actor":"other"`)))
	for user, want := range map[string]int{"u": 2, "": 3, "nobody": 0} {
		list, err := s.ListAudit(t.Context(), issuer.AuditQuery{UserID: user, Type: "sign_in."}, issuer.Place{}, 5)
		if err != nil || len(list) != want {
			t.Errorf("of %q: %v, %v", user, list, err)
		}
	}
}
