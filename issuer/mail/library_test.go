package mail

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signet/issuer"
)

// folder makes one with these files.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func composerWith(t *testing.T, files map[string]string) Composer {
	t.Helper()
	c, err := NewComposer("https://auth2.example.org", folder(t, files))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func composed(t *testing.T, c Composer, kind issuer.LetterKind, locale string) Message {
	t.Helper()
	l := testLetter(kind)
	l.Locale = locale
	m, err := c.Compose("cause/1", testDate, l)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAFolderReplacesFileByFile(t *testing.T) {
	c := composerWith(t, map[string]string{
		"letter.txt":  "{{.Opening}}\n{{range .Body}}{{.}}\n{{end}}{{.Name}} / {{.Kind}} / {{.Language}}\n",
		"invite.html": "<p>{{.Opening}}</p>",
		"de.json":     `{"letters": {"code": {"subject": "{code}: Anmeldung", "body": ["Eins.", "Zwei."]}}, "footer": "Gruß von {name}"}`,
		".hidden":     "{{", "README.md": "{{",
	})
	code := composed(t, c, issuer.LetterCode, "de-AT")
	if code.Subject != "048213: Anmeldung" || !strings.Contains(code.Text, "Eins.\nZwei.\nauth2.example.org / code / de\n") || !strings.Contains(code.HTML, "Gruß von auth2.example.org") {
		t.Errorf("%q\n%s\n%s", code.Subject, code.Text, code.HTML)
	}
	if !strings.HasPrefix(code.Text, "048213 ist Ihr Code für die Anmeldung") {
		t.Errorf("what the file does not say is not as it was: %q", code.Text)
	}
	if m := composed(t, c, issuer.LetterInvite, ""); m.HTML != "<p>"+"An administrator made an account at auth2.example.org for this address."+"</p>" {
		t.Errorf("the layout of one kind: %s", m.HTML)
	}
	if m := composed(t, c, issuer.LetterDeleted, ""); !strings.Contains(m.HTML, "<!doctype html>") {
		t.Error("the layout of other kinds is not the built-in one")
	}
	if m := compose(t, testLetter(issuer.LetterCode)); !strings.Contains(m.Text, "Replies are not read") {
		t.Error("the built-in layout was changed")
	}
}

func TestAFolderMayBringALanguage(t *testing.T) {
	english, err := os.ReadFile("locales/en.json")
	if err != nil {
		t.Fatal(err)
	}
	italian := strings.Replace(string(english), `"language": "en"`, `"language": "it"`, 1)
	italian = strings.ReplaceAll(italian, "is your code to sign in to", "è il codice per accedere a")
	c := composerWith(t, map[string]string{"it.json": italian})
	if m := composed(t, c, issuer.LetterCode, "it-CH"); !strings.HasPrefix(m.Text, "048213 è il codice") || !strings.Contains(m.HTML, `<html lang="it"`) {
		t.Errorf("%s", m.Text)
	}
	var part map[string]any
	if err := json.Unmarshal([]byte(italian), &part); err != nil {
		t.Fatal(err)
	}
	delete(part, "hours")
	short, _ := json.Marshal(part)
	if _, err := NewComposer("https://a.org", folder(t, map[string]string{"it.json": string(short)})); err == nil || !strings.Contains(err.Error(), "hours is missing") {
		t.Errorf("a language that lacks a text: %v", err)
	}
}

// A folder that would break a letter keeps the server from starting, and the error says where it is broken.
func TestABrokenFolderIsRefusedWhereItIsBroken(t *testing.T) {
	for name, test := range map[string]struct{ file, text, where string }{
		"template syntax":    {"letter.txt", "{{.Opening}}\n\n{{if}}\n", "letter.txt:3"},
		"HTML syntax":        {"letter.html", "<p>\n{{.Opening", "letter.html:2"},
		"unknown field":      {"letter.txt", "{{.Opening}}\n{{.Salutation}}\n", "letter.txt:2"},
		"unknown HTML field": {"code.html", "\n\n{{.Salutation}}\n", "code.html:3"},
		"HTML context":       {"letter.html", "<p>\n<a href='{{if .Code}}x{{else}}y\"{{end}}", "letter.html"},
		"JSON syntax":        {"de.json", "{\n\"footer\": \"x\",\n}", "line 3"},
		"JSON end":           {"de.json", "{\n\"footer\": \"x\"\n", "line 2: the JSON object does not end"},
		"more after it":      {"de.json", "{}\n{}", "line 2"},
		"a number":           {"de.json", "{\n\"footer\": 7}", "line 2: footer: expected text"},
		"a list":             {"de.json", "{\n\"footer\": [\"a\"]}", "line 2: footer"},
		"a list of lists":    {"de.json", "{\n\"letters\": {\"code\": {\n\"body\": [[\"a\"]]}}}", "line 3: letters.code.body"},
		"not an object":      {"de.json", "\"x\"", "line 1: the file"},
		"unknown text":       {"de.json", "{\n\n\"fotter\": \"x\"}", `line 3: there is no text "fotter"`},
		"twice":              {"de.json", "{\"footer\": \"x\",\n\"footer\": \"y\"}", "line 2: footer is there twice"},
		"unknown name":       {"de.json", "{\n\"footer\": \"{nmae}\"}", "line 2: footer: {nmae} is not known here; there is {name}"},
		"empty":              {"de.json", "{\n\"footer\": \" \"}", "line 2: footer is empty"},
		"a header":           {"de.json", "{\"letters\": {\"code\": {\n\"subject\": \"{code}\\r\\nBcc: eve@example.org\"}}}", "line 2: letters.code.subject has a line break"},
		"months":             {"de.json", "{\"months\": [\"Januar\"]}", "line 1: months: expected 12"},
		"direction":          {"de.json", "{\"direction\": \"up\"}", "line 1: direction"},
		"no code":            {"letter.txt", "{{.Title}}\n", "letter.txt"},
		"no code in HTML":    {"letter.html", "<p>{{.Title}}\n", "does not show the code"},
		"a number before it": {"letter.txt", "Suite 100\n{{.Opening}}\n", `the first number is "100"`},
		"broken code":        {"code.txt", "{{slice .Code 0 3}} {{slice .Code 3}}\n", "has to be the code"},
		"no such kind":       {"invoice.txt", "x", "expected letter or a kind of letter"},
		"no language":        {"x_y.json", "{}", "expected a language tag"},
	} {
		dir := folder(t, map[string]string{test.file: test.text})
		_, err := NewComposer("https://auth2.example.org", dir)
		if err == nil || !strings.Contains(err.Error(), test.where) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), test.file) {
			t.Errorf("%s: %v", name, err)
		}
		if checked := CheckTemplates(dir); checked == nil {
			t.Errorf("%s: CheckTemplates takes it", name)
		}
	}
	if _, err := NewComposer("https://a.org", filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a folder that is not there was taken")
	}
	pipes := folder(t, nil) // whoever opened one might wait for ever
	if err := os.Symlink(os.DevNull, filepath.Join(pipes, "letter.txt")); err != nil {
		t.Fatal(err)
	}
	if err := CheckTemplates(pipes); err == nil || !strings.Contains(err.Error(), "letter.txt: is no regular file") {
		t.Errorf("a device: %v", err)
	}
	big := strings.Repeat("x", templateLimit+1)
	if err := CheckTemplates(folder(t, map[string]string{"letter.txt": big})); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("a huge file: %v", err)
	}
}

func TestPackedLanguagesAreTheOnesInTheTree(t *testing.T) {
	files, err := filepath.Glob("locales/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		packed, err := localeFiles.ReadFile(f + ".gz")
		if err != nil {
			t.Fatalf("%v: go generate ./issuer/mail", err)
		}
		if unpacked, err := unpack(packed); err != nil || !bytes.Equal(unpacked, text) {
			t.Errorf("%s has changed since it was packed: go generate ./issuer/mail", f)
		}
	}
}
