package keys

import (
	"strings"
	"testing"
	"time"
)

func TestDefaultArithmetic(t *testing.T) {
	a, err := DefaultPolicy().Check(0)
	if err != nil {
		t.Fatal(err)
	}
	if want := 45*time.Hour + 53*time.Minute + 55*time.Second; a.Allowance != want {
		t.Errorf("V = %s, want %s", a.Allowance, want)
	}
	if len(a.Warnings) > 0 {
		t.Errorf("the defaults warn: %q", a.Warnings)
	}
	text := a.String()
	for _, want := range []string{
		"D 48h >= Q 1h + A 5m + E 1h + P 5s + 2S 1m = 2h06m05s, holds; V = 45h53m55s",
		"kept 48h >= T 1h + R 20s + L 5m + 3S 1m30s = 1h06m50s, holds",
		"R 20s >= 4P 20s, holds", "Q 1h >= R 20s, holds", "G 15m >= 3B 3m, holds", "period 720h >= D 48h, holds", "I5 exp <= now",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the arithmetic lacks %q:\n%s", want, text)
		}
	}
	if len(strings.Split(strings.TrimSpace(text), "\n")) != len(a.Lines) {
		t.Errorf("not a line for each inequality:\n%s", text)
	}
}

func TestEverythingRefusedIsNamedAtOnce(t *testing.T) {
	p := DefaultPolicy()
	p.PublishAhead, p.SigningPeriod = time.Hour, 30*time.Minute
	p.AttendEvery, p.OutageAfter = time.Minute, 2*time.Minute
	p.TokenTTL, p.RSABits, p.Leeway = 1500*time.Millisecond, 1024, -time.Second
	_, err := p.Check(0)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"I1 ", "I3 3B <= G", "I4 ", "whole seconds", "1024", "leeway must not be negative"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the refusal does not name %q:\n%v", want, err)
		}
	}
}

func TestBoundOfPublishAhead(t *testing.T) {
	p := DefaultPolicy()
	p.StaleIfError = 8 * time.Hour
	p.PublishAhead = 9*time.Hour + 6*time.Minute + 5*time.Second
	if _, err := p.Check(0); err != nil {
		t.Errorf("at the bound: %v", err)
	}
	if a, err := p.Check(10 * time.Second); err == nil || a.Allowance != -10*time.Second {
		t.Errorf("late reads do not count: V %s, %v", a.Allowance, err)
	}
	p.PublishAhead -= time.Second
	if _, err := p.Check(0); err == nil {
		t.Error("a second below the bound is accepted")
	}
}

func TestShortAllowanceWarns(t *testing.T) {
	p := DefaultPolicy()
	p.PublishAhead = 24 * time.Hour
	a, err := p.Check(0)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Warnings) != 1 || !strings.Contains(a.Warnings[0], "V is 21h53m55s") {
		t.Errorf("warnings %q", a.Warnings)
	}
	p.SigningPeriod, p.TokenTTL = 24*time.Hour, 800*time.Hour
	if a, _ := p.Check(0); len(a.Warnings) != 2 || !strings.Contains(a.Warnings[1], "keys will be published") {
		t.Errorf("warnings %q", a.Warnings)
	}
}

func TestCompressedPolicies(t *testing.T) {
	p := DefaultPolicy()
	p.PublishAhead, p.SigningPeriod, p.Poll, p.Skew = 8*time.Second, 8*time.Second, 300*time.Millisecond, time.Second
	p.JWKSMaxAge, p.StaleIfError, p.TokenTTL, p.Leeway = 2*time.Second, time.Second, 6*time.Second, 0
	if _, err := p.Check(0); err != nil {
		t.Errorf("seconds for days: %v", err)
	}
	r := p.Resolved()
	if 3*r.AttendEvery > r.OutageAfter || r.OutageAfter >= time.Minute {
		t.Errorf("G %s and B %s do not follow D and P", r.OutageAfter, r.AttendEvery)
	}
	if _, err := short().Check(0); err != nil {
		t.Error(err)
	}
	p.StaleIfError = Derived
	if e := p.Resolved().StaleIfError; e != time.Second {
		t.Errorf("derived stale-if-error %s, want 1s", e)
	}
}

func TestShownDurations(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0s", 48 * time.Hour: "48h", 66*time.Minute + 50*time.Second: "1h06m50s", 90 * time.Second: "1m30s", 5 * time.Minute: "5m",
		time.Hour + time.Second: "1h00m01s", -2 * time.Minute: "-2m", 300 * time.Millisecond: "300ms", 61500 * time.Millisecond: "1m01.500s", 70*time.Second + 250*time.Millisecond: "1m10.250s"} {
		if got := shown(d); got != want {
			t.Errorf("%d shown as %s, want %s", d, got, want)
		}
	}
}
