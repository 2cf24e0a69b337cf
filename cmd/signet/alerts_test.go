package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"

	"signet/keys"
)

// alertFile is a Prometheus rule file, as far as ours uses the format. Every other field is a fault.
type alertFile struct {
	Groups []struct {
		Name  string
		Rules []alertRule
	}
}

type alertRule struct {
	Alert       string
	Expr        string
	For         string
	Labels      struct{ Severity string }
	Annotations struct {
		Summary     string
		Description string
		Runbook     string `yaml:"runbook_url"`
	}
}

func readAlerts(t *testing.T) []alertRule {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(top, "deploy", "alerts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file alertFile
	if err := yaml.UnmarshalWithOptions(content, &file, yaml.DisallowUnknownField()); err != nil {
		t.Fatal(err)
	}
	var all []alertRule
	for _, g := range file.Groups {
		if g.Name == "" || len(g.Rules) == 0 {
			t.Errorf("group %q has %d rules", g.Name, len(g.Rules))
		}
		all = append(all, g.Rules...)
	}
	return all
}

// stillRing is a ring that only has its metrics described.
type stillRing struct{}

func (stillRing) Status() keys.Status { return keys.Status{} }

type stillHasher struct{}

func (stillHasher) Stats() (busy, waiting, hashes int64) { return 0, 0, 0 }

var describedName = regexp.MustCompile(`fqName: "([^"]+)"`)

// registered are the names of every metric that signet serves.
func registered(t *testing.T) []string {
	t.Helper()
	m := newMetrics()
	m.watch(stillRing{}, stillHasher{})
	described := make(chan *prometheus.Desc)
	go func() {
		m.registry.Describe(described)
		close(described)
	}()
	var names []string
	for d := range described {
		if found := describedName.FindStringSubmatch(d.String()); found != nil {
			names = append(names, found[1])
		}
	}
	return names
}

var (
	promWords   = []string{"max", "min", "sum", "by", "abs", "increase", "rate", "absent", "job", "alg"}
	promText    = regexp.MustCompile(`"[^"]*"|\{[^}]*\}|\[\d+[smhd]\]`)
	promWord    = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`)
	promMatcher = regexp.MustCompile(`\{(\w+)(=~?|!=|!~)"[^"]*"\}`)
)

// Every rule names metrics that are served, says how bad it is and what to read; every runbook section that it points to is there.
func TestAlertRulesFitTheMetricsAndTheRunbooks(t *testing.T) {
	names := registered(t)
	seen := map[string]bool{}
	for _, r := range readAlerts(t) {
		if seen[r.Alert] || !strings.HasPrefix(r.Alert, "Signet") {
			t.Errorf("alert %q has another's name, or one that is not ours", r.Alert)
		}
		seen[r.Alert] = true
		if _, err := time.ParseDuration(r.For); r.For != "" && err != nil {
			t.Errorf("%s: for: %v", r.Alert, err)
		}
		if s := r.Labels.Severity; s != "critical" && s != "warning" {
			t.Errorf("%s: severity %q", r.Alert, s)
		}
		if r.Annotations.Summary == "" || r.Annotations.Description == "" {
			t.Errorf("%s says nothing of itself", r.Alert)
		}
		checkExpression(t, r, names)
		checkRunbook(t, r)
	}
	for _, needed := range []string{"SignetRotationOverdue", "SignetStandbyNotKnownBeforeDue", "SignetRingStale", "SignetClockOffset", "SignetSealFailures", "SignetNotReady", "SignetMailQueue"} {
		if !seen[needed] {
			t.Errorf("there is no alert %s", needed)
		}
	}
}

func checkExpression(t *testing.T, r alertRule, names []string) {
	t.Helper()
	if strings.Count(r.Expr, "(") != strings.Count(r.Expr, ")") || strings.Count(r.Expr, "{") != len(promMatcher.FindAllString(r.Expr, -1)) {
		t.Errorf("%s: unbalanced: %s", r.Alert, r.Expr)
	}
	metrics := 0
	for _, word := range promWord.FindAllString(promText.ReplaceAllString(r.Expr, ""), -1) {
		switch {
		case slices.Contains(names, word):
			metrics++
		case !slices.Contains(promWords, word):
			t.Errorf("%s: %q is no metric of signet: %s", r.Alert, word, r.Expr)
		}
	}
	if metrics == 0 {
		t.Errorf("%s watches no metric: %s", r.Alert, r.Expr)
	}
}

func checkRunbook(t *testing.T, r alertRule) {
	t.Helper()
	name, section, found := strings.Cut(r.Annotations.Runbook, "#")
	page, err := os.ReadFile(filepath.Join(top, filepath.FromSlash(name)))
	if err != nil || !found {
		t.Errorf("%s: runbook %q: %v", r.Alert, r.Annotations.Runbook, err)
		return
	}
	for line := range strings.Lines(string(page)) {
		if title, ok := strings.CutPrefix(strings.TrimSpace(line), "## "); ok && anchorOf(title) == section {
			return
		}
	}
	t.Errorf("%s: %s has no section %q", r.Alert, name, section)
}

var notInAnchors = regexp.MustCompile(`[^a-z0-9 -]`)

// anchorOf is the fragment that a heading gets where Markdown is shown.
func anchorOf(title string) string {
	return strings.ReplaceAll(notInAnchors.ReplaceAllString(strings.ToLower(title), ""), " ", "-")
}
