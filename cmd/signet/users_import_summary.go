package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"signet/issuer"
	"signet/issuer/djangoimport"
)

// importSummary is what an import comes to. The counts of roles, states and passwords are of the accounts that it made.
type importSummary struct {
	Format          djangoimport.Format `json:"format"`
	Model           string              `json:"model,omitempty"` // of a dump
	DryRun          bool                `json:"dry_run"`
	Rows            int64               `json:"rows"`
	Imported        int64               `json:"imported"`
	There           int64               `json:"there"` // already, by an earlier run
	Rejected        int64               `json:"rejected"`
	Admins          int64               `json:"admins"`
	Staff           int64               `json:"staff"` // administrators among them
	Disabled        int64               `json:"disabled"`
	WithoutPassword int64               `json:"without_password"`
	PasswordKinds   map[string]int64    `json:"password_kinds"`
	Skipped         map[string]int64    `json:"skipped,omitempty"` // objects of other models
	Seconds         float64             `json:"seconds"`
	FailedSignIn    time.Duration       `json:"-"` // of one core of this machine

	began time.Time
}

// mostKinds bounds what is remembered of a file with ever other parameters.
const mostKinds = 1000

// add counts a row that is settled.
func (s *importSummary) add(i *importItem) {
	s.Rows++
	switch {
	case i.outcome == issuer.ImportThere:
		s.There++
		return
	case i.outcome != issuer.ImportMade:
		return
	}
	s.Imported++
	if slices.Contains(i.user.Roles, "admin") {
		s.Admins++
	}
	if slices.Contains(i.user.Roles, "staff") {
		s.Staff++
	}
	if i.user.Disabled {
		s.Disabled++
	}
	kind := issuer.HashKind(i.user.PasswordHash)
	if kind == "" {
		s.WithoutPassword++
		return
	}
	if _, known := s.PasswordKinds[kind]; known || len(s.PasswordKinds) < mostKinds {
		s.PasswordKinds[kind]++
	}
}

// importAnswer is the summary for machines.
type importAnswer struct {
	importSummary
	Rejects      *string `json:"rejects_file"`
	FailedSignIn float64 `json:"failed_sign_in_ms"`
}

func (p *program) printImport(s importSummary, path string, f importFlags) error {
	rejects := rejectsPath(path)
	if f.asJSON {
		a := importAnswer{importSummary: s, FailedSignIn: float64(s.FailedSignIn.Microseconds()) / 1000}
		if s.Rejected > 0 {
			a.Rejects = &rejects
		}
		return writeJSON(p.out, a)
	}
	verb := "imported"
	if s.DryRun {
		verb = "would import"
	}
	rate := float64(s.Rows) / max(s.Seconds, 0.001)
	fmt.Fprintf(p.out, "%s %s of %s rows in %.1f s (%s/s); %s were there already\n", verb, grouped(s.Imported), grouped(s.Rows), s.Seconds,
		grouped(int64(rate)), grouped(s.There))
	if s.Rejected > 0 {
		fmt.Fprintf(p.out, "refused: %s rows; %s says why\n", grouped(s.Rejected), shownName(rejects))
	}
	fmt.Fprintf(p.out, "with the role admin: %s; staff: %s; disabled: %s; without a password: %s\n", grouped(s.Admins), grouped(s.Staff), grouped(s.Disabled),
		grouped(s.WithoutPassword))
	for _, kind := range slices.Sorted(maps.Keys(s.PasswordKinds)) {
		fmt.Fprintf(p.out, "  %-40s %s\n", kind, grouped(s.PasswordKinds[kind]))
	}
	if len(s.Skipped) > 0 {
		fmt.Fprintf(p.out, "not accounts: %s\n", countedModels(s.Skipped))
	}
	if s.FailedSignIn > 0 {
		fmt.Fprintf(p.out, "until the last of them has signed in, a failed sign-in costs as much as the slowest of each kind: %d ms of a core here\n",
			s.FailedSignIn.Milliseconds())
	}
	return nil
}

// countedModels names the models of a dump that are not users, the most frequent first.
func countedModels(skipped map[string]int64) string {
	const most = 5
	names := slices.SortedFunc(maps.Keys(skipped), func(a, b string) int {
		if skipped[a] != skipped[b] {
			return int(min(1, max(-1, skipped[b]-skipped[a])))
		}
		return strings.Compare(a, b)
	})
	var parts []string
	for _, name := range names[:min(len(names), most)] {
		parts = append(parts, fmt.Sprintf("%s of %q", grouped(skipped[name]), name))
	}
	if len(names) > most {
		parts = append(parts, "others")
	}
	return strings.Join(parts, ", ")
}
