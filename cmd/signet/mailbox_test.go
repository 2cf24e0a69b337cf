package main

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"signet/issuer/mail"
)

func TestMailboxAnswersJSONAndAPageToBrowsers(t *testing.T) {
	box := &mail.Mailbox{}
	h := mailboxHandler(box)
	ask := func(accept string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "/dev/mailbox", nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	if got := ask("*/*").Body.String(); got != "[]\n" {
		t.Errorf("empty mailbox: %q", got)
	}
	box.Add(mail.Entry{To: "old@example.org", At: time.Unix(1, 0).UTC()})
	box.Add(mail.Entry{To: "a@example.org", Subject: "<script>", Text: "Your code is 123456", Code: "123456", At: time.Unix(2, 0).UTC()})
	var list []map[string]string
	if err := json.Unmarshal(ask("application/json").Body.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 || list[0]["to"] != "a@example.org" || list[0]["code"] != "123456" || list[0]["at"] != "1970-01-01T00:00:02Z" {
		t.Errorf("mailbox %v", list)
	}
	page := ask("text/html,application/xhtml+xml,*/*;q=0.8")
	if body := page.Body.String(); !strings.Contains(body, "&lt;script&gt;") || strings.Contains(body, "<script>") || !strings.Contains(body, "123456") {
		t.Errorf("page %s", body)
	}
	if csp := page.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "style-src 'sha256-") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy %q", csp)
	}
}
