package djangoimport

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Format is how a file is written.
type Format string

// Auto is found out from the first character. JSONL is a JSON object a line: of a user, or as `dumpdata --format jsonl` writes it.
const (
	Auto     Format = "auto"
	Dumpdata Format = "dumpdata"
	CSV      Format = "csv"
	JSONL    Format = "jsonl"
)

// Options say what to read.
type Options struct {
	Format Format // "" is Auto
	Model  string // the user model of a dump, `app.Model`; "" is auth.user, or else the first model with both password and last_login
}

// Reader reads one file, row by row. It is not safe for concurrent use.
type Reader struct {
	format Format
	src    *source
	next   func() (Row, error)
	models models
}

// NewReader begins to read. The error is one that people can do something about: an empty file, a table without the columns id and email.
func NewReader(file io.Reader, o Options) (*Reader, error) {
	in := bufio.NewReaderSize(file, 64<<10)
	head, err := sniff(in)
	if err != nil {
		return nil, err
	}
	r := &Reader{format: o.Format, src: &source{r: in}, models: models{want: o.Model, skipped: map[string]int64{}}}
	if r.format == "" || r.format == Auto {
		r.format = formatOf(head)
	}
	switch r.format {
	case Dumpdata:
		r.next, err = r.array()
	case JSONL:
		r.next = r.lines()
	case CSV:
		r.next, err = r.table(separatorOf(head))
	default:
		err = fmt.Errorf("there is no format %q: it is auto, dumpdata, csv or jsonl", o.Format)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Next is the next account, in the file's order; its Faults may make it useless. io.EOF at the end. Any other error, which names the
// line, says that the rest of the file can't be read.
func (r *Reader) Next() (Row, error) { return r.next() }

// Offset is how many bytes of the file have been read, some of them ahead of the row. For progress.
func (r *Reader) Offset() int64 { return r.src.read }

// Format is the format that was found or asked for.
func (r *Reader) Format() Format { return r.format }

// Model is the user model of a dump, as the dump writes it; "" while none was met.
func (r *Reader) Model() string { return r.models.is }

// Skipped counts the objects of a dump that are of other models. It is the reader's own.
func (r *Reader) Skipped() map[string]int64 { return r.models.skipped }

// models tells the rows of users from the others in a dump.
type models struct {
	want    string // "" to find out
	is      string // found
	skipped map[string]int64
}

// mostModels bounds what is remembered of a file that is not what it should be.
const mostModels = 1000

// users says whether objects of the model are users; fields are those of this one.
func (m *models) users(model string, fields *record) bool {
	looks := strings.EqualFold(model, m.want)
	if m.want == "" {
		looks = model == "auth.user" || fields.Password.kind != absent && fields.LastLogin.kind != absent
	}
	if looks && m.is == "" {
		m.is = model
	}
	if model == m.is && looks {
		return true
	}
	if _, known := m.skipped[model]; known || len(m.skipped) < mostModels {
		m.skipped[model]++
	}
	return false
}
