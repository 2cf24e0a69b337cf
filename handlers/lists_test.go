package handlers

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"signet/issuer"
)

// TestPages walks every list, in pages of several sizes: all items, each once, in order.
func TestPages(t *testing.T) {
	const n = 130
	e := newEdge(t)
	var want []string
	for i := range n {
		id, at := fmt.Sprintf("id-%03d", i), longAgo.Add(time.Duration(i/7)*time.Millisecond) // several at each moment
		want = append(want, id)
		e.provider.sessions = append(e.provider.sessions[:i], issuer.Session{ID: id, CreatedAt: at})
		e.provider.users = append(e.provider.users[:i], issuer.User{ID: id, CreatedAt: at})
		e.provider.events = append(e.provider.events[:i], issuer.AuditEvent{ID: id, At: at})
	}
	for path, key := range map[string]string{"/api/v1/me/sessions": "sid", "/api/v1/admin/users": "id", "/api/v1/admin/sessions": "sid", "/api/v1/admin/audit": "id"} {
		for _, limit := range []int{0, 1, 7, 50, 64, 65, 129, 130, 131, 200} {
			query, size := url.Values{}, limit
			if limit == 0 {
				size = 50
			} else {
				query.Set("limit", strconv.Itoa(limit))
			}
			var got []string
			for pages := 1; ; pages++ {
				m := decoded(t, e.do("GET", path+"?"+query.Encode(), "", bearer...), 200)
				items := m["items"].([]any)
				for _, item := range items {
					got = append(got, item.(map[string]any)[key].(string))
				}
				next, more := m["next_cursor"].(string)
				if !more {
					if want := (n + size - 1) / size; pages != want {
						t.Errorf("%s: %d pages of %d", path, pages, size)
					}
					break
				}
				if len(items) != size || pages > n {
					t.Fatalf("%s: a page of %d, not the last, has %d", path, size, len(items))
				}
				query.Set("cursor", next)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s by %d: %d items: %v", path, size, len(got), got)
			}
		}
	}
}

func TestBadQueries(t *testing.T) {
	lists := map[string]string{
		"/api/v1/me/sessions": "", "/api/v1/admin/users": "q role disabled", "/api/v1/admin/sessions": "user_id state", "/api/v1/admin/audit": "since until type user_id",
	}
	good := map[string]string{"q": "a", "role": "admin", "disabled": "true", "user_id": "7", "state": "revoked", "since": "2026-01-02T03:04:05Z", "until": "2026-01-02T03:04:05Z", "type": "a", "limit": "5"}
	for path, names := range lists {
		bad := map[string]string{ // query: what is named
			"x=1": "x", "x": "x", "X=1&y=2": "X y", "Limit=5": "Limit", "access_token=at.1": "access_token", "limit=5&limit=5": "limit", "limit=5&limit=6&limit=7&x=1": "limit x",
			"limit=": "limit", "limit=0": "limit", "limit=201": "limit", "limit=-1": "limit", "limit=1.0": "limit", "limit=+5": "limit", "limit=0x5": "limit", "limit=99999999999999999999": "limit",
			"limit=ten": "limit", "limit": "limit", "cursor=": "cursor", "cursor": "cursor", "cursor=a": "cursor", "cursor=!!!!": "cursor", "%6cimit=0": "limit", "limit=1&%6cimit=1": "limit",
			"%zz=1": "", "a=%ff": "", "%ff=1": "", "q=a%00": "", "x=" + strings.Repeat("a", maxText+1): "",
		}
		for name, value := range good {
			switch {
			case name == "limit":
			case !slices.Contains(strings.Fields(names), name):
				bad[name+"="+value] = name
			default:
				bad[name+"="+value+"&"+name+"="+value] = name
				if name != "q" {
					bad[name+"="] = name
				}
			}
		}
		for _, q := range []string{"disabled=yes", "disabled=1", "disabled=TRUE", "state=all", "state=Revoked", "since=2026-01-02", "since=1767323045", "until=2026-01-02T03:04:05", "until=2026-01-02T03:04:05+02:00"} {
			if name, _, _ := strings.Cut(q, "="); slices.Contains(strings.Fields(names), name) {
				bad[q] = name
			}
		}
		for query, named := range bad {
			e := newEdge(t)
			p := wantProblem(t, e.do("GET", path+"?"+query, "", bearer...), 400, "invalid_request")
			if p.fields() != named || len(e.provider.calls) > 2 {
				t.Errorf("%s?%.80s: named %q, want %q, calls %q", path, query, p.fields(), named, e.provider.calls)
			}
		}
		for query, calls := range map[string]bool{"": true, "limit=5": true, "&&limit=5&": true} {
			if res := newEdge(t).do("GET", path+"?"+query, "", bearer...); calls != (res.StatusCode == 200) {
				t.Errorf("%s?%s: %d", path, query, res.StatusCode)
			}
		}
	}
}

func TestCursors(t *testing.T) {
	text := func(b ...byte) string { return base64.RawURLEncoding.EncodeToString(b) }
	place := issuer.Place{At: longAgo.Add(7 * time.Millisecond), ID: "0194f3c0-9d5c-7b1e-8f00-000000000001"}
	good := cursor(listOfUsers, place)
	if got, ok := readCursor(listOfUsers, good); !ok || got != place {
		t.Errorf("%s: %v %v", good, got, ok)
	}
	for _, at := range []time.Time{{}, time.Unix(0, 0).UTC(), time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC)} {
		p := issuer.Place{At: at, ID: "x"}
		if got, ok := readCursor(listOfAudit, cursor(listOfAudit, p)); !ok || got != p {
			t.Errorf("%v: %v %v", p, got, ok)
		}
	}
	for name, c := range map[string]string{
		"another list's": cursor(listOfSessions, place), "none": "", "cut": good[:8], "padded": good + "=", "standard alphabet": strings.NewReplacer("-", "+", "_", "/").Replace(text('u', 0xff, 0xff, 0xff)),
		"without an id": text('u', 0, 0, 0, 0, 0, 0, 0, 1), "no kind": text(0, 0, 0, 0, 0, 0, 0, 0, 1, 'a'), "before year 1": text('u', 0x80, 0, 0, 0, 0, 0, 0, 0, 'a'),
		"after year 9999": text('u', 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 'a'), "a control character": text('u', 0, 0, 0, 0, 0, 0, 0, 1, 'a', 0), "not UTF-8": text('u', 0, 0, 0, 0, 0, 0, 0, 1, 0xff),
		"with a line break": good[:4] + "\n" + good[4:], "trailing bits": text('u', 0, 0, 0, 0, 0, 0, 0, 1, 'a')[:13] + "R", "huge": cursor(listOfUsers, issuer.Place{ID: strings.Repeat("a", longestPlaceID+1)}),
	} {
		if p, ok := readCursor(listOfUsers, c); ok {
			t.Errorf("%s: %s is taken for %v", name, c, p)
		}
		res := newEdge(t).do("GET", "/api/v1/admin/users?cursor="+url.QueryEscape(c), "", bearer...)
		if p := wantProblem(t, res, 400, "invalid_request"); p.fields() != "cursor" {
			t.Errorf("%s: named %q", name, p.fields())
		}
	}
}
