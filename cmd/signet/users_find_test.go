package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/issuer"
	"signet/repository/sqlite"
)

// An account is found by its id, its address or its username, deleted ones by nothing, and what names two is refused until it says which.
func TestFindUser(t *testing.T) {
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "signet.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for _, u := range []issuer.User{
		{ID: "42", Email: "ada@example.org", Username: "Ada"}, {ID: "7", Email: "eve@example.org", Username: "42"}, {ID: "8", Email: "bob@example.org", Username: "ada@example.org"},
		{ID: "9", State: issuer.UserDeleted, Email: "gone@example.org"}, {ID: "10", Email: "moved@example.org"}, {ID: "11", State: issuer.UserDisabled, Email: "off@example.org"},
	} {
		if u.State == "" {
			u.State = issuer.UserActive
		}
		if err := st.InsertUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	for key, id := range map[string]string{"email:ada@example.org": "42", "name:ada": "42", "email:eve@example.org": "7", "name:42": "7", "email:bob@example.org": "8",
		"name:ada@example.org": "8", "email:gone@example.org": "9", "email:old@example.org": "10", "name:old": "10", "email:new@example.org": "absent", "email:off@example.org": "11"} {
		if err := st.InsertIdentifier(t.Context(), issuer.Identifier{ID: key, UserID: id, Claim: "c", Kind: issuer.IdentifierFirm}); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]string{
		"id:42": "42", "ADA": "42", "name:ada": "42", "email:ADA@example.org": "42", "eve@example.org": "7", "name:42": "7", "7": "7", "bob@example.org": "8",
		"name:ada@example.org": "8", "off@example.org": "11", "11": "11",
	} {
		if u, err := findUser(t.Context(), st, text); err != nil || u.ID != want {
			t.Errorf("%s: %q, %v", text, u.ID, err)
		}
	}
	for text, want := range map[string]string{
		"42": "names two accounts, 42 and 7", "ada@example.org": "names two accounts, 42 and 8", "9": "there is no account", "gone@example.org": "there is no account",
		"id:ada": "there is no account", "old@example.org": "there is no account", "name:old": "there is no account", "new@example.org": "there is no account",
		"": "there is no account", "a b\x1b": `there is no account "a b\x1b"`, "email:": "there is no account", "id:": "there is no account",
	} {
		if u, err := findUser(t.Context(), st, text); err == nil || !strings.Contains(err.Error(), want) || u.ID != "" {
			t.Errorf("%s: %q, %v", text, u.ID, err)
		}
	}
}

// A list is written page by page, before the next one is asked for; what was cut short parses nowhere.
func TestListsAreStreamed(t *testing.T) {
	const pages = 5
	for _, fails := range []int{0, 1, 3, pages} {
		var out bytes.Buffer
		list, asked := jsonArray{w: &out}, 0
		err := eachOf(func(after issuer.Place) (issuer.Page[int], error) {
			if asked == fails && fails > 0 {
				return issuer.Page[int]{}, errors.New("away")
			}
			if written := strings.Count(out.String(), "\n"); written != 2*asked {
				t.Errorf("page %d is asked for with %d elements written", asked, written)
			}
			if !after.At.Equal(time.UnixMilli(int64(asked))) && asked > 0 {
				t.Errorf("page %d after %v", asked, after)
			}
			asked++
			page := issuer.Page[int]{Items: []int{asked, asked}}
			if asked < pages {
				page.Next = &issuer.Place{At: time.UnixMilli(int64(asked))}
			}
			return page, nil
		}, func(items []int) error {
			for _, i := range items {
				if err := list.add(i); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			err = list.close()
		}
		var got []int
		parsed := json.Unmarshal(out.Bytes(), &got)
		if cut := fails > 0 && fails < pages; cut != (err != nil) || cut != (parsed != nil) || !cut && len(got) != 2*pages {
			t.Errorf("fails at %d: %v, %v, %s", fails, err, parsed, &out)
		}
	}
	var out bytes.Buffer
	empty := jsonArray{w: &out}
	if err := empty.close(); err != nil || out.String() != "[]\n" {
		t.Errorf("of nothing: %q, %v", out.String(), err)
	}
}
