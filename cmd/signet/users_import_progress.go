package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// importProgress tells how far an import is: as a bar that is drawn anew on a terminal, else as a line now and then.
type importProgress struct {
	out      io.Writer
	terminal bool
	size     int64 // of the file; 0 when it is not known
	offset   func() int64
	every    time.Duration
	next     time.Time
	drawn    bool
}

const (
	barEvery  = 200 * time.Millisecond
	lineEvery = 10 * time.Second
	barWidth  = 30
)

func newImportProgress(out io.Writer, size int64, from interface{ Offset() int64 }) *importProgress {
	p := &importProgress{out: out, size: size, offset: from.Offset, every: lineEvery}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.terminal, p.every = true, barEvery
	}
	return p
}

// tell says how far it is, if it is time to.
func (p *importProgress) tell(now time.Time, sum *importSummary) {
	if p.next.IsZero() {
		p.next = now.Add(p.every)
	}
	if now.Before(p.next) {
		return
	}
	p.next = now.Add(p.every)
	part := 0.0
	if p.size > 0 {
		part = min(1, float64(p.offset())/float64(p.size))
	}
	took := now.Sub(sum.began)
	line := fmt.Sprintf("%3.0f%%  %s rows, %s imported, %s there, %s refused, %s/s%s", 100*part, grouped(sum.Rows), grouped(sum.Imported), grouped(sum.There),
		grouped(sum.Rejected), grouped(int64(float64(sum.Rows)/took.Seconds())), remaining(took, part))
	if !p.terminal {
		fmt.Fprintln(p.out, strings.TrimSpace(line))
		return
	}
	full := int(part * barWidth)
	fmt.Fprintf(p.out, "\r[%s%s] %s\x1b[K", strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), line)
	p.drawn = true
}

// end leaves the terminal's line as it was last drawn.
func (p *importProgress) end() {
	if p.drawn {
		fmt.Fprintln(p.out)
	}
}

// remaining guesses how long the rest takes.
func remaining(took time.Duration, part float64) string {
	if part < 0.01 {
		return ""
	}
	return ", " + time.Duration(float64(took)*(1-part)/part).Round(time.Second).String() + " left"
}

// grouped is a number with a comma between thousands.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
