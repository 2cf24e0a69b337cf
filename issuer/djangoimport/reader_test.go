package djangoimport

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

// readAll reads a file to its end.
func readAll(t *testing.T, r io.Reader, o Options) ([]Row, *Reader) {
	t.Helper()
	in, err := NewReader(r, o)
	if err != nil {
		t.Fatal(err)
	}
	var rows []Row
	for {
		row, err := in.Next()
		if errors.Is(err, io.EOF) {
			return rows, in
		}
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
}

func readFixture(t *testing.T, name string, o Options) ([]Row, *Reader) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata/django", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return readAll(t, f, o)
}

// What Django wrote says the same in every format.
func TestFormatsAgree(t *testing.T) {
	want, in := readFixture(t, "auth_user.json", Options{})
	if len(want) != 22 || in.Format() != Dumpdata || in.Model() != "auth.user" {
		t.Fatalf("%d rows, %s, model %q", len(want), in.Format(), in.Model())
	}
	for i := range want {
		if want[i].Faults != nil {
			t.Errorf("row %d: %v", i, want[i].Faults)
		}
	}
	for _, o := range []struct {
		file    string
		format  Format
		skipped map[string]int64
	}{
		{"auth_all.json", Dumpdata, map[string]int64{"auth.permission": 16, "auth.group": 1}},
		{"auth_user.jsonl", JSONL, map[string]int64{}},
		{"auth_user.csv", CSV, map[string]int64{}},
	} {
		got, in := readFixture(t, o.file, Options{})
		if in.Format() != o.format || !reflect.DeepEqual(in.Skipped(), o.skipped) || len(got) != len(want) {
			t.Errorf("%s: %d rows, %s, skipped %v", o.file, len(got), in.Format(), in.Skipped())
		}
		for i := range got {
			same := want[i]
			same.Line = got[i].Line
			got[i].DateJoined, got[i].LastLogin = got[i].DateJoined.Truncate(time.Millisecond), got[i].LastLogin.Truncate(time.Millisecond)
			if !reflect.DeepEqual(got[i], same) {
				t.Errorf("%s: row %d is %+v, and in auth_user.json %+v", o.file, i, got[i], same)
			}
		}
	}
}

// The fields, read from Django's own dump.
func TestFieldsOfADump(t *testing.T) {
	rows, _ := readFixture(t, "auth_user.json", Options{})
	by := map[string]Row{}
	for _, r := range rows {
		by[r.Username] = r
	}
	joined := time.Date(2019, 3, 4, 5, 6, 7, 891e6, time.UTC)
	if r := by["unicode"]; r.ID != "13" || r.Email != "unicode@Example.org" || r.GivenName != "Zoe\u0308" || r.FamilyName != "O'Neill" || !r.Staff || r.Superuser || !r.Active ||
		!r.DateJoined.Equal(joined) || !r.LastLogin.Equal(time.Date(2024, 12, 31, 21, 59, 59, 999e6, time.UTC)) || r.LastLogin.Location() != time.UTC {
		t.Errorf("%+v", r)
	}
	if r := by["argon2i"]; r.Active || !r.LastLogin.IsZero() || !strings.HasPrefix(r.Password, "argon2$argon2i$v=19$m=512,t=2,p=2$") {
		t.Errorf("%+v", r)
	}
	if r := by["scrypt"]; !r.Superuser || !r.Staff {
		t.Errorf("%+v", r)
	}
	if by["unusable"].Password != "" || by["unusable"].Email == "" {
		t.Error("an unusable password is one")
	}
	if by["Имя_用户"].Email != "name@пример.example" || by["nomail"].Email != "" {
		t.Error("addresses")
	}
	if rows[0].Line != 2 || rows[1].Line != 20 {
		t.Errorf("rows begin in lines %d and %d", rows[0].Line, rows[1].Line)
	}
}

// A user model of its own is found by what every user model has, or by its name.
func TestCustomUserModel(t *testing.T) {
	for _, o := range []Options{{}, {Model: "members.Member"}} {
		rows, in := readFixture(t, "member.json", o)
		if len(rows) != 2 || in.Model() != "members.member" || rows[0].ID != "00000000-0000-7000-8000-000000000001" || rows[0].Email != "argon2id@example.org" ||
			rows[0].Username != "" || !rows[0].Active || rows[0].Staff || rows[0].Faults != nil {
			t.Errorf("%+v: %s, %+v", o, in.Model(), rows)
		}
	}
	if rows, in := readFixture(t, "member.json", Options{Model: "auth.user"}); len(rows) != 0 || in.Skipped()["members.member"] != 2 {
		t.Errorf("rows of another model than asked for: %+v, %v", rows, in.Skipped())
	}
}

func TestTables(t *testing.T) {
	for name, file := range map[string]string{
		"commas":          "id,email,is_active\n1,a@example.org,f\n",
		"semicolons":      "ID; E-Mail;EMAIL;is_active\r\n1;x,y,z;a@example.org;0\r\n",
		"tabs":            "pk\temail\tis_active\n1\ta@example.org\tFALSE\n",
		"byte order mark": "\xef\xbb\xbfid,email,is_active\n1,a@example.org,no",
		"objects":         `{"id": 1, "email": "a@example.org", "is_active": false}`,
		"objects, text":   `{"pk": "1", "email": " a@example.org ", "is_active": "0", "other": {"x": [1]}}`,
		"objects of dump": "\n" + `{"model":"x.y","pk":1,"fields":{"a":1}}` + "\n" + `{"model":"a.u","pk":1,"fields":{"email":"a@example.org","is_active":false,"password":"!x","last_login":null}}`,
	} {
		rows, _ := readAll(t, strings.NewReader(file), Options{})
		if len(rows) != 1 || rows[0].ID != "1" || rows[0].Email != "a@example.org" || rows[0].Active || rows[0].Faults != nil {
			t.Errorf("%s: %+v", name, rows)
		}
	}
}

func TestTimes(t *testing.T) {
	want := time.Date(2024, 5, 1, 8, 30, 0, 0, time.UTC)
	for _, s := range []string{
		"2024-05-01T08:30:00Z", "2024-05-01T10:30:00+02:00", "2024-05-01T08:30:00.000", "2024-05-01 08:30:00+00", "2024-05-01 10:30:00.000000+02:00",
		"2024-05-01 08:30:00.000000", " 2024-05-01 08:30:00 ",
	} {
		rows, _ := readAll(t, strings.NewReader("id,email,date_joined\n1,a@b.org,"+s), Options{})
		if len(rows) != 1 || !rows[0].DateJoined.Equal(want) || rows[0].Faults != nil {
			t.Errorf("%q: %+v", s, rows)
		}
	}
}

// A row of the wrong shape is that row's trouble: the next is read.
func TestFaultsOfRows(t *testing.T) {
	const good = `{"model":"auth.user","pk":2,"fields":{"email":"b@example.org"}}`
	for bad, field := range map[string]string{
		`{"model":"auth.user","pk":null,"fields":{"email":"a@example.org"}}`:                              "id",
		`{"model":"auth.user","fields":{"email":"a@example.org"}}`:                                        "id",
		`{"model":"auth.user","pk":1.5,"fields":{"email":"a@example.org"}}`:                               "id",
		`{"model":"auth.user","pk":[1],"fields":{"email":"a@example.org"}}`:                               "id",
		`{"model":"auth.user","pk":1,"fields":{"email":["secret"]}}`:                                      "email",
		`{"model":"auth.user","pk":1,"fields":{"email":"a@b.org","password":12345}}`:                      "password",
		`{"model":"auth.user","pk":1,"fields":{"email":"a@b.org","is_staff":"perhaps"}}`:                  "is_staff",
		`{"model":"auth.user","pk":1,"fields":{"email":"a@b.org","last_login":1714552200}}`:               "last_login",
		`{"model":"auth.user","pk":1,"fields":{"email":"a@b.org","date_joined":"the first of May 2024"}}`: "date_joined",
		`{"model":"auth.user","pk":1,"fields":"secret"}`:                                                  "",
		`{"model":"auth.user","pk":1}`:                                                                    "",
		`"secret"`:                                                                                        "",
		`[]`:                                                                                              "",
	} {
		for format, file := range map[Format]string{Dumpdata: "[" + bad + ",\n" + good + "]", JSONL: bad + "\n" + good} {
			rows, _ := readAll(t, strings.NewReader(file), Options{Format: format})
			if len(rows) != 2 || len(rows[0].Faults) != 1 || rows[0].Faults[0].Field != field || rows[0].Line != 1 || rows[1].Faults != nil || rows[1].ID != "2" || rows[1].Line != 2 {
				t.Errorf("%s: %s: %+v", format, bad, rows)
			}
			if strings.Contains(fmt.Sprint(rows[0].Faults), "secret") {
				t.Errorf("%s: the fault repeats what is there: %v", bad, rows[0].Faults)
			}
		}
	}
	rows, _ := readAll(t, strings.NewReader("{\"id\":1,\"email\":\"a@b.org\"}\n{\"id\":2,\"password\":\"secret\n{\"id\":3,\"email\":\"c@b.org\"}\n"), Options{})
	if len(rows) != 3 || len(rows[1].Faults) != 1 || rows[1].Line != 2 || rows[2].ID != "3" || strings.Contains(rows[1].Faults[0].Reason, "secret") {
		t.Errorf("a line that is not JSON: %+v", rows)
	}
	rows, _ = readAll(t, strings.NewReader("id,email\n1,a@b.org,secret\n2,b@b.org\n"), Options{})
	if len(rows) != 2 || len(rows[0].Faults) != 1 || rows[1].ID != "2" || rows[1].Line != 3 {
		t.Errorf("a line with too many columns: %+v", rows)
	}
}

// endless is a file that never closes what it opened.
type endless struct {
	head string
	read int64
}

func (e *endless) Read(b []byte) (int, error) {
	n := copy(b, e.head)
	e.head = e.head[n:]
	for i := n; i < len(b); i++ {
		b[i] = 'x'
	}
	e.read += int64(len(b))
	return len(b), nil
}

// A file that can't be read says where, and a bracket or a quote that is not closed takes no more than a few MiB with it.
func TestBrokenFiles(t *testing.T) {
	const user = `{"model":"auth.user","pk":1,"fields":{"email":"a@example.org"}}`
	for name, c := range map[string]struct {
		file string
		says string
	}{
		"cut":           {"[\n" + user + ",\n" + user[:20], "the file ends"},
		"cut after one": {"[\n" + user + "\n", "the file ends"},
		"no comma":      {"[" + user + "\n" + user + "]", "not JSON"},
		"garbage":       {"[" + user + ",\n\nsecret]", "line"},
		"more":          {"[" + user + "]\n[", "line 2: there is more"},
		"quote":         {"id,email\n1,a@example.org\n2,\"secret", "line 3: extraneous or missing"},
	} {
		in, err := NewReader(strings.NewReader(c.file), Options{})
		for err == nil {
			_, err = in.Next()
		}
		if errors.Is(err, io.EOF) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, head := range []string{`[{"model":"`, "id,email\n1,\"", `{"id":"`} {
		file := &endless{head: head}
		in, err := NewReader(file, Options{})
		for err == nil {
			_, err = in.Next()
		}
		if !errors.Is(err, errLongRow) || file.read > 16<<20 {
			t.Errorf("%q: %v after %d bytes", head, err, file.read)
		}
	}
}

// What is remembered of a file in order to name lines is no more than what is read ahead of the row, however many lines that has.
func TestLinesTakeNoMoreThanTheFile(t *testing.T) {
	const lines = 3 << 20
	file := "[" + strings.Repeat("\n", lines) + `{"model":"auth.user","pk":null,"fields":{}}` + "\n]"
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	rows, _ := readAll(t, strings.NewReader(file), Options{})
	runtime.ReadMemStats(&after)
	if len(rows) != 1 || rows[0].Line != lines+1 {
		t.Errorf("%+v", rows)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
		t.Errorf("%d MiB were allocated for a file of %d", took>>20, len(file)>>20)
	}
}

func TestRefusedFiles(t *testing.T) {
	for file, says := range map[string]string{
		"":                        "empty",
		" \n":                     "empty",
		"\xff\xfe[\x00":           "UTF-16",
		"email,password\na@b.c,x": "id is missing",
		"id,name\n1,x":            "email is missing",
		"id,email,EMAIL\n":        "twice",
	} {
		if _, err := NewReader(strings.NewReader(file), Options{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", file, err)
		}
	}
	if _, err := NewReader(strings.NewReader("{}"), Options{Format: Dumpdata}); err == nil {
		t.Error("an object is a dump")
	}
	if _, err := NewReader(strings.NewReader("{}"), Options{Format: "xml"}); err == nil {
		t.Error("xml is a format")
	}
}
