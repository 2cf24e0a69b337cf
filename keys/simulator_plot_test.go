package keys

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

var updatePlot = flag.Bool("update", false, "write docs/key-rotation.svg")

const plotFile = "../docs/key-rotation.svg"

// TestPlotKeyRotation draws the share of verifications that fail, by our rules and by signing at once, in the same world: the default policy,
// the rotations that the schedule wants, nothing going wrong.
func TestPlotKeyRotation(t *testing.T) {
	if !*updatePlot {
		longProof(t)
	}
	atOnce := removedRules[0].rules()
	share := func(r simRules, busy, bin, until time.Duration) []simBin {
		s := newSimulator(t, simSetup{seed: 1, policy: DefaultPolicy(), rules: r, algs: bothAlgorithms, copies: 12, busy: busy, calmly: true, bin: bin})
		s.run(until)
		t.Logf("to %s: %s", shown(until), s.tally)
		return s.tally.bins
	}
	long := panel{title: "A year: every rotation of the schedule", y: 92, days: 365, tick: 30, unit: "day %d",
		lines: [2][]simBin{share(ours(), 20*minute, day, year), share(atOnce, 20*minute, day, year)}}
	from := int(30 * day / time.Hour)
	cut := func(b []simBin) []simBin { return b[from-6 : from+42] }
	near := panel{title: "The first of them, hour by hour", y: 318, days: 48, tick: 6, unit: "%+d h", first: -6,
		lines: [2][]simBin{cut(share(ours(), minute, time.Hour, 32*day)), cut(share(atOnce, minute, time.Hour, 32*day))}}
	for _, p := range []panel{long, near} {
		for _, b := range p.lines[0] {
			if b.failed > 0 {
				t.Fatal("verifications fail by our rules")
			}
		}
		if highest(p.lines[1]) == 0 {
			t.Fatal("none fails by signing at once")
		}
		t.Logf("%s: at most %.2f %% fail by signing at once", p.title, highest(p.lines[1]))
	}
	t.Logf("hours about the rotation, by signing at once: %v", near.lines[1])
	got := plot(long, near)
	if *updatePlot {
		if err := os.WriteFile(plotFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(plotFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the simulation says now: go test ./keys -run TestPlotKeyRotation -update", plotFile)
	}
}

// panel is one chart of the plot: ours, and signing at once.
type panel struct {
	title string
	y     int // of its top
	days  int // bins on the x axis
	tick  int
	first int
	unit  string
	lines [2][]simBin
}

const plotLeft, plotWide, plotHigh = 62, 684, 150

func (b simBin) percent() float64 { return 100 * float64(b.failed) / max(float64(b.judged), 1) }

func highest(bins []simBin) (most float64) {
	for _, b := range bins {
		most = max(most, b.percent())
	}
	return most
}

func plot(panels ...panel) []byte {
	var w bytes.Buffer
	w.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 780 520" role="img" aria-labelledby="t d" font-family="system-ui,-apple-system,'Segoe UI',Roboto,sans-serif" font-size="12">
<title id="t">Share of verifications that fail because of key rotation</title>
<desc id="d">Simulated with the default policy. By signet's rules none fails. When a new key signs at once, verifications fail at every rotation until the caches have it.</desc>
<style>
.paper{fill:#fff}.text{fill:#1f2328}.dim{fill:#59636e}.grid{stroke:#d1d9e0;fill:none}
.once{fill:#cf222e;fill-opacity:.18;stroke:#cf222e;stroke-width:1.4}.ours{stroke:#1a7f37;stroke-width:2.6;fill:none}.red{fill:#cf222e}.green{fill:#1a7f37}
@media (prefers-color-scheme:dark){.paper{fill:#0d1117}.text{fill:#f0f6fc}.dim{fill:#9198a1}.grid{stroke:#3d444d}
.once{fill:#ff7b72;stroke:#ff7b72}.ours{stroke:#3fb950}.red{fill:#ff7b72}.green{fill:#3fb950}}
</style>
<rect class="paper" width="780" height="520" rx="6"/>
<text class="text" x="20" y="30" font-size="16" font-weight="600">Verifications that fail because a key was rotated</text>
<rect class="green" x="20" y="44" width="14" height="3"/><text class="text" x="40" y="50">signet: none</text>
<rect class="red" x="150" y="44" width="14" height="3"/><text class="text" x="170" y="50">the new key signs at once</text>
`)
	for _, p := range panels {
		p.draw(&w)
	}
	w.WriteString("</svg>\n")
	return w.Bytes()
}

func (p panel) draw(w *bytes.Buffer) {
	top := niceTop(highest(p.lines[1]))
	bottom := p.y + plotHigh
	fmt.Fprintf(w, "<text class=\"text\" x=\"20\" y=\"%d\" font-weight=\"600\">%s</text>\n", p.y-14, p.title)
	for i := range 5 {
		y := float64(bottom) - float64(plotHigh*i)/4
		fmt.Fprintf(w, "<path class=\"grid\" d=\"M%d %.1fh%d\"/><text class=\"dim\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s %%</text>\n",
			plotLeft, y, plotWide, plotLeft-8, y+4, strings.TrimSuffix(fmt.Sprintf("%.1f", top*float64(i)/4), ".0"))
	}
	for i := 0; i <= p.days; i += p.tick {
		x := plotLeft + float64(plotWide*i)/float64(p.days)
		label := fmt.Sprintf(p.unit, i+p.first)
		if i+p.first == 0 && p.first != 0 {
			label = "rotation"
		}
		fmt.Fprintf(w, "<path class=\"grid\" d=\"M%.1f %dv4\"/><text class=\"dim\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x, bottom, x, bottom+18, label)
	}
	fmt.Fprintf(w, "<path class=\"once\" d=\"%s\"/>\n<path class=\"ours\" d=\"%s\"/>\n", p.steps(1, top), p.steps(0, top))
}

// steps is a path that is level over each bin and rests on zero.
func (p panel) steps(line int, top float64) string {
	var d strings.Builder
	bottom := float64(p.y + plotHigh)
	fmt.Fprintf(&d, "M%d %.1f", plotLeft, bottom)
	last := bottom
	for i := range p.days {
		b := simBin{}
		if i < len(p.lines[line]) {
			b = p.lines[line][i]
		}
		y := bottom - plotHigh*b.percent()/top
		if math.Abs(y-last) >= 0.05 {
			fmt.Fprintf(&d, "H%.1fV%.1f", plotLeft+float64(plotWide*i)/float64(p.days), y)
			last = y
		}
	}
	fmt.Fprintf(&d, "H%d", plotLeft+plotWide)
	if last != bottom {
		fmt.Fprintf(&d, "V%.1f", bottom)
	}
	return d.String()
}

// niceTop is the end of the axis, so that its quarters are short numbers.
func niceTop(most float64) float64 {
	for _, top := range []float64{0.4, 1, 2, 4, 8, 10, 20, 40, 60, 80} {
		if most <= top {
			return top
		}
	}
	return 100
}
