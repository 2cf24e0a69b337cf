package mail

import (
	"bytes"
	"compress/gzip"
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	texttemplate "text/template"

	"signet/issuer"
)

// The program carries the languages packed, a third of their size. A test holds each to its file in the tree.
//
//go:generate sh -c "gzip -9 -n -k -f locales/*.json"
//go:embed locales/*.json.gz
var localeFiles embed.FS

//go:embed templates
var templateFiles embed.FS

// library is what letters say and how they look.
type library struct {
	languages languages
	text      map[string]*texttemplate.Template // by base name: letter.txt, or code.txt for one kind alone
	html      map[string]*htmltemplate.Template
}

// builtIn is the library that is compiled in.
var builtIn = mustLoadBuiltIn()

func mustLoadBuiltIn() *library {
	l := &library{languages: languages{}, text: map[string]*texttemplate.Template{}, html: map[string]*htmltemplate.Template{}}
	for _, from := range []struct {
		files  fs.FS
		folder string
	}{{localeFiles, "locales"}, {templateFiles, "templates"}} {
		list, err := fs.ReadDir(from.files, from.folder)
		if err != nil {
			panic(err)
		}
		for _, f := range list {
			raw, err := fs.ReadFile(from.files, path.Join(from.folder, f.Name()))
			name, packed := strings.CutSuffix(f.Name(), ".gz")
			if err == nil && packed {
				raw, err = unpack(raw)
			}
			if err == nil {
				err = l.add(name, raw, nil)
			}
			if err != nil {
				panic(fmt.Sprintf("mail: %s: %v", f.Name(), err))
			}
		}
	}
	return l
}

func unpack(packed []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// add puts one file into the library. A file of phrases is held against model, and only what it says replaces what is there; nil is no model, for what
// is compiled in and held against English by the tests.
func (l *library) add(name string, raw []byte, model phrases) error {
	base := strings.TrimSuffix(name, path.Ext(name))
	switch path.Ext(name) {
	case ".json":
		return l.addPhrases(strings.ToLower(base), raw, model)
	case ".txt":
		t, err := texttemplate.New(name).Option("missingkey=error").Parse(string(raw))
		l.text[name] = t
		return err
	default:
		t, err := htmltemplate.New(name).Option("missingkey=error").Parse(string(raw))
		l.html[name] = t
		return err
	}
}

func (l *library) addPhrases(tag string, raw []byte, model phrases) error {
	list, err := readPhrases(raw)
	if err != nil {
		return err
	}
	next := maps.Clone(l.languages[tag])
	if next == nil {
		next = phrases{}
	}
	for _, f := range list {
		if model != nil {
			if err := checkPhrase(f, model); err != nil {
				return fmt.Errorf("line %d: %w", f.line, err)
			}
		}
		next[f.name] = f.texts
	}
	for name := range model {
		if _, there := next[name]; !there {
			return fmt.Errorf("line %d: %s is missing: a language that is not built in says everything", 1+strings.Count(string(raw), "\n"), name)
		}
	}
	next["language"] = []string{canonicalTag(tag, next)}
	l.languages[tag] = next
	return nil
}

// canonicalTag is the tag as the file says it, in its own case.
func canonicalTag(tag string, p phrases) string {
	if said := p["language"]; len(said) == 1 && strings.EqualFold(said[0], tag) {
		return said[0]
	}
	return tag
}

// loadLibrary is the built-in library with what a folder has instead: LANGUAGE.json, letter.txt and letter.html, or KIND.txt and KIND.html for one kind of
// letter. "" is no folder. Hidden files and those of other endings are passed over. Errors name the file and the line.
func loadLibrary(dir string) (*library, error) {
	if dir == "" {
		return builtIn, nil
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("mail templates: %w", err)
	}
	l := &library{languages: maps.Clone(builtIn.languages), text: maps.Clone(builtIn.text), html: maps.Clone(builtIn.html)}
	for _, f := range list {
		extension := path.Ext(f.Name())
		if strings.HasPrefix(f.Name(), ".") || !slices.Contains([]string{".json", ".txt", ".html"}, extension) {
			continue
		}
		file := filepath.Join(dir, f.Name())
		if err := l.override(file, f.Name()); err != nil {
			return nil, fmt.Errorf("mail templates: %s: %w", file, err)
		}
	}
	return l, nil
}

// templateLimit is more than any letter is.
const templateLimit = 1 << 20

func (l *library) override(file, name string) error {
	base := strings.TrimSuffix(name, path.Ext(name))
	if path.Ext(name) == ".json" {
		if !languageTag.MatchString(base) {
			return errors.New("expected a language tag as its name, such as it.json or pt-BR.json")
		}
	} else if base != "letter" && !slices.Contains(kinds, issuer.LetterKind(base)) {
		return fmt.Errorf("expected letter or a kind of letter as its name: %s", joinKinds())
	}
	raw, err := readAtMost(file, templateLimit)
	if err != nil {
		return err
	}
	return l.add(name, raw, builtIn.languages[fallback])
}

func readAtMost(file string, limit int64) ([]byte, error) {
	switch info, err := os.Stat(file); {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular(): // reading a pipe would wait for ever
		return nil, errors.New("is no regular file")
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(raw)) > limit {
		err = fmt.Errorf("larger than %d bytes", limit)
	}
	return raw, err
}

func joinKinds() string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	return strings.Join(names, ", ")
}

// layouts are those of a kind of letter: its own, else those of every letter.
func (l *library) layouts(k issuer.LetterKind) (*texttemplate.Template, *htmltemplate.Template) {
	text, html := l.text[string(k)+".txt"], l.html[string(k)+".html"]
	if text == nil {
		text = l.text["letter.txt"]
	}
	if html == nil {
		html = l.html["letter.html"]
	}
	return text, html
}
