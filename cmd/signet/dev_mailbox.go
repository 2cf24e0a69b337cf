package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/http"
	"strings"

	"signet/issuer/mail"
)

const mailboxStyle = `body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1d2430;background:#f6f7f9}` +
	`h1{font-size:1.25rem}article{background:#fff;border:1px solid #dde1e7;border-radius:8px;padding:1rem 1.25rem;margin:1rem 0}` +
	`header{display:flex;justify-content:space-between;gap:1rem;color:#5b6675;font-size:.875rem}h2{font-size:1rem;margin:.5rem 0}` +
	`code{font:600 1.75rem/1.4 ui-monospace,monospace;letter-spacing:.15em}pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:.5rem 0 0}`

var mailboxPage = template.Must(template.New("mailbox").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>signet: development mailbox</title>
<style>` + mailboxStyle + `</style></head>
<body><h1>Development mailbox</h1>
{{range .}}<article><header><span>{{.To}}</span><time>{{.At.UTC.Format "2006-01-02 15:04:05 UTC"}}</time></header>
<h2>{{.Subject}}</h2>{{with .Code}}<code>{{.}}</code>{{end}}<pre>{{.Text}}</pre></article>
{{else}}<p>No mail yet. Register, or sign in, and load this page again.</p>{{end}}</body></html>
`))

// mailboxPolicy lets the page have its one style sheet and nothing else.
var mailboxPolicy = func() string {
	sum := sha256.Sum256([]byte(mailboxStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
}()

// mailboxHandler answers GET /dev/mailbox: JSON, newest first, and a page to browsers. Package handlers lets loopback callers only reach it.
func mailboxHandler(b *mail.Mailbox) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Vary", "Accept")
		if !wantsPage(r.Header.Get("Accept")) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(b.List()) // a caller that has gone is no failure
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", mailboxPolicy)
		_ = mailboxPage.Execute(w, b.List())
	})
}

// wantsPage is true for browsers, which alone name text/html before JSON.
func wantsPage(accept string) bool {
	page := strings.Index(accept, "text/html")
	data := strings.Index(accept, "application/json")
	return page >= 0 && (data < 0 || page < data)
}
