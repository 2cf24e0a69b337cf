package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"signet/keys"
)

// planStyle is readable on light and on dark ground: whoever shows the drawing says which, and it brings its own ground. The phases
// differ in lightness too, for those who do not tell colours apart.
const planStyle = `
  svg { --ground: #ffffff; --ink: #1a1a1a; --faint: #d0d0d0; --published: #9db8e8; --signing: #1f6f43; --retired: #d9a441; --now: #b3261e }
  @media (prefers-color-scheme: dark) {
    svg { --ground: #16181c; --ink: #ececec; --faint: #44474d; --published: #42639e; --signing: #6fd19b; --retired: #b98427; --now: #ff8a80 }
  }
  text { font: 12px system-ui, sans-serif; fill: var(--ink) }
  .kid { font-family: ui-monospace, monospace }
  .head { font-weight: bold }
  .ground { fill: var(--ground) } .grid { stroke: var(--faint) } .now { stroke: var(--now); stroke-width: 2 }
  .published { fill: var(--published) } .signing { fill: var(--signing) } .retired { fill: var(--retired) }
`

// Measures of the drawing, in pixels.
const (
	drawnWidth, drawnLabel, drawnRow, drawnTop, drawnMargin = 960, 110, 22, 56, 16
)

// drawPlan draws the timeline as SVG (1.1, well-formed, no script, nothing fetched).
func drawPlan(w io.Writer, plan keys.Plan) {
	s := spanOf(plan)
	rows := 0
	for _, a := range plan.Algorithms {
		rows += len(a.Keys) + 1
	}
	height := drawnTop + rows*drawnRow + 40
	wide := drawnWidth - drawnLabel - drawnMargin
	x := func(at time.Time) int { return drawnLabel + s.place(at, wide) }

	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-labelledby="title desc">`+"\n", drawnWidth, height, drawnWidth, height)
	fmt.Fprintf(w, "<title id=\"title\">Signing keys</title>\n<desc id=\"desc\">%s</desc>\n<style>%s</style>\n", escaped(planInWords(plan)), planStyle)
	fmt.Fprintf(w, `<rect class="ground" width="%d" height="%d"/>`+"\n", drawnWidth, height)
	drawLegend(w, plan)
	for i := range 5 {
		at := s.from.Add(s.to.Sub(s.from) * time.Duration(i) / 5)
		fmt.Fprintf(w, `<line class="grid" x1="%d" x2="%d" y1="%d" y2="%d"/>`, x(at), x(at), drawnTop-8, height-32)
		fmt.Fprintf(w, `<text x="%d" y="%d">%s</text>`+"\n", x(at), height-14, escaped(at.UTC().Format(s.layout())))
	}
	y := drawnTop
	for _, a := range plan.Algorithms {
		fmt.Fprintf(w, `<text class="head" x="%d" y="%d">%s</text>`+"\n", drawnMargin, y+12, escaped(string(a.Algorithm)))
		y += drawnRow
		for _, k := range a.Keys {
			fmt.Fprintf(w, `<text class="kid" x="%d" y="%d">%s</text>`, drawnMargin, y+12, escaped(shortKID(k.ID)))
			for _, part := range phasesOf(k, s) {
				from := x(part.from)
				fmt.Fprintf(w, `<rect class="%s" x="%d" y="%d" width="%d" height="14"><title>%s</title></rect>`, part.state, from, y+1, max(x(part.to)-from, 2),
					escaped(fmt.Sprintf("%s %s from %s to %s", k.ID, part.state, when(&part.from), when(&part.to))))
			}
			fmt.Fprintln(w)
			y += drawnRow
		}
	}
	fmt.Fprintf(w, `<line class="now" x1="%d" x2="%d" y1="%d" y2="%d"/>`+"\n</svg>\n", x(plan.Now), x(plan.Now), drawnTop-8, height-32)
}

func drawLegend(w io.Writer, plan keys.Plan) {
	fmt.Fprintf(w, `<text class="head" x="%d" y="22">Signing keys at %s UTC, ring version %d</text>`+"\n", drawnMargin, escaped(when(&plan.Now)), plan.RingVersion)
	for i, state := range []keys.State{keys.Published, keys.Signing, keys.Retired} {
		at := drawnWidth - 300 + i*100
		fmt.Fprintf(w, `<rect class="%s" x="%d" y="11" width="14" height="14"/><text x="%d" y="22">%s</text>`+"\n", state, at, at+20, state)
	}
}

// planInWords says in words what is drawn.
func planInWords(plan keys.Plan) string {
	texts := make([]string, 0, len(plan.Next))
	for _, e := range plan.Next {
		texts = append(texts, when(&e.At)+": "+e.Text)
	}
	return "When each key is published, signs and is retired. Next: " + strings.Join(texts, "; ")
}

func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder does not fail
	return b.String()
}
