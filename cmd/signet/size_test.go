package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The figures of docs/performance.md. Nothing here fails on time or size: a busy machine would make liars of such tests. What is counted
// rather than timed is asserted in bench_count_test.go.

// TestFigures prints every figure beside its target. Processes are those that people run: the stripped static program, and a bare handler
// in a process of its own. One group is repeated by -run 'TestFigures/refresh'.
func TestFigures(t *testing.T) {
	if os.Getenv("SIGNET_TEST_LONG") == "" {
		t.Skip("measures for minutes: SIGNET_TEST_LONG=1")
	}
	f := &figures{T: t, program: released(t)}
	f.at = apart(f.program)
	t.Run("mint", f.mint)
	t.Run("keyset", f.keySet)
	t.Run("refresh", f.refresh)
	t.Run("storm", f.storm)
	t.Run("login", f.login)
	t.Run("size", f.size)
	t.Run("memory", f.memory)
	t.Run("thousand", f.thousandSignIns)
	t.Run("failed", f.failedSignIns)
	fmt.Printf("\n%-62s %-34s %s\n", "figure", "target", "seen")
	for _, r := range f.rows {
		fmt.Printf("%-62s %-34s %s\n", r[0], r[1], r[2])
	}
}

type figures struct {
	*testing.T
	program string
	at      place
	rows    [][3]string
}

func (f *figures) row(what, target string, seen any) {
	f.rows = append(f.rows, [3]string{what, target, fmt.Sprint(seen)})
}

// mint runs the benchmarks of the key ring, where minting and the raw signature are side by side.
func (f *figures) mint(t *testing.T) {
	c := exec.Command("go", "test", "-run", "-", "-bench", "BenchmarkMint|BenchmarkRaw", "-benchtime", "0.5s", "-count", "5", "-cpu", "1", "signet/keys")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	times := map[string]spread{}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		if parts := strings.Fields(lines.Text()); len(parts) > 3 && parts[3] == "ns/op" {
			ns, err := strconv.ParseFloat(parts[2], 64)
			if err != nil {
				t.Fatal(err)
			}
			times[parts[0]] = append(times[parts[0]], ns)
		}
	}
	for alg, target := range map[string]string{"ES256": "<= 1.5", "RS256": "<= 1.1"} {
		minted, raw := times["BenchmarkMint/"+alg], times["BenchmarkRaw/"+alg]
		if len(minted) == 0 || len(raw) == 0 {
			t.Fatalf("no figures of %s in\n%s", alg, out)
		}
		f.row("mint an access token, "+alg+", to a raw signature", target, fmt.Sprintf("%.3g (medians of %d)", minted.median()/raw.median(), len(raw)))
	}
}

func (f *figures) keySet(t *testing.T) {
	for _, g := range []generator{ordinary, lean} {
		r := newKeySetRig(t, f.at, g)
		limit := func() func() bool { return forTime(time.Second) }
		if _, _, err := r.pairs(1, limit); err != nil {
			t.Fatal(err)
		}
		ratio, rate, err := r.pairs(10, limit)
		if err != nil {
			t.Fatal(err)
		}
		f.row("key set to bare handler, "+g.name, ">= 0.9, median of 10 pairs", ratio)
		f.row("key set, answers a second, "+g.name, "", rate)
		r.signet.end()
	}
}

func (f *figures) refresh(t *testing.T) {
	for _, alg := range []string{"ES256", "RS256"} {
		for _, g := range []generator{ordinary, lean} {
			f.refreshWith(t, alg, g)
		}
	}
}

func (f *figures) refreshWith(t *testing.T, alg string, g generator) {
	r := newRefreshRig(t, f.at, g, alg)
	quiet := syncs(t, r.dir, 300).times
	var ratio, rate, bareRate, raw spread
	var times []time.Duration
	for range 5 {
		ours, err := r.refresh(forTime(3 * time.Second))
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := r.bareLoad(forTime(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		rate, bareRate, ratio = append(rate, ours.rate), append(bareRate, theirs.rate), append(ratio, ours.rate/theirs.rate)
		times = append(times, ours.times...)
		if alg == "RS256" {
			raw = append(raw, ours.rate/rawRSA(t, time.Second))
		}
		quiet = append(quiet, syncs(t, r.dir, 100).times...)
	}
	slices.Sort(times)
	slices.Sort(quiet)
	all, idle := measured{times: times}, measured{times: quiet}
	name := "refresh " + alg + ", " + g.name
	if alg == "ES256" {
		f.row(name+", to bare handler", ">= 0.25", ratio)
		f.row(name+", bare answers a second", "", bareRate)
	} else {
		f.row(name+", to raw RSA of all cores", ">= 0.8", raw)
	}
	f.row(name+", answers a second", "", rate)
	f.row(name+", p50 and p99", "p99 <= 25 ms or 5x fsync p99", fmt.Sprintf("%.1f ms, %.1f ms", milliseconds(all.quantile(0.5)), milliseconds(all.quantile(0.99))))
	f.row(name+", fsync of 64 KiB in the pauses, p50 and p99", "", fmt.Sprintf("%.1f ms, %.1f ms", milliseconds(idle.quantile(0.5)), milliseconds(idle.quantile(0.99))))
	r.signet.end()
}

func (f *figures) storm(t *testing.T) {
	slots := max(1, runtime.GOMAXPROCS(0)-1)
	s := f.at.signet(t, t.TempDir(), unlimited...)
	callers := refreshers(t, s, lean, refreshConnections)
	r := underStorm(t, s, callers, slots, 20*time.Second)
	f.row("refresh at 50/s without a storm, p50 and p99", "", fmt.Sprintf("%.1f ms, %.1f ms", milliseconds(r.calm.quantile(0.5)), milliseconds(r.calm.quantile(0.99))))
	f.row("refresh at 50/s in a hash storm, p50 and p99", "p99 <= 5x without, or 25 ms", fmt.Sprintf("%.1f ms, %.1f ms (%d hashed, %d refused)",
		milliseconds(r.stormy.quantile(0.5)), milliseconds(r.stormy.quantile(0.99)), r.hashed, r.refused))
	s.end()
}

func (f *figures) login(t *testing.T) {
	r := newLoginRig(t, f.at)
	var ratio, rate spread
	for range 5 {
		raw := rawArgon2(t, 2*time.Second)
		ours := r.login(t, 2*time.Second)
		ratio, rate = append(ratio, ours/raw), append(rate, ours)
	}
	f.row("login, all cores as slots, to raw argon2id", ">= 0.9", ratio)
	f.row("login, answers a second", "", rate)
	r.signet.end()
}

func (f *figures) size(t *testing.T) {
	info, err := os.Stat(f.program)
	if err != nil {
		t.Fatal(err)
	}
	f.row("static program, stripped", "<= 25 MiB", mib(info.Size()))
}

// resident is VmRSS of a process, as /proc tells it; 0 where there is no such thing.
func resident(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(status, []byte("VmRSS:"))
	var kib int64
	_, _ = fmt.Sscan(string(rest), &kib)
	return kib << 10
}

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// memory follows one server through a first start, later starts, steady use and a hundred sign-ins.
func (f *figures) memory(t *testing.T) {
	if resident(os.Getpid()) == 0 {
		t.Skip("no /proc here")
	}
	dir := t.TempDir()
	s := f.at.signet(t, dir, unlimited...)
	f.row("first start to ready", "<= 1000 ms", fmt.Sprintf("%.0f ms", milliseconds(s.took)))
	s.end()
	var starts spread
	for range 10 {
		s = f.at.signet(t, dir, unlimited...)
		starts = append(starts, milliseconds(s.took))
		s.end()
	}
	f.row("start on existing data to ready, ms", "<= 100", starts)

	s = f.at.signet(t, dir, unlimited...)
	time.Sleep(5 * time.Second)
	f.row("resident before the first sign-in, 5 s after the start", "<= 20 MiB", mib(resident(s.pid)))
	callers := refreshers(t, s, lean, refreshConnections)
	for _, c := range callers { // a connection that asks nothing at first is closed
		if err := c.refresh(); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(tidyEvery + time.Second) // those sessions took sign-ins
	steady := func() {
		if _, err := closedLoop(len(callers), forTime(15*time.Second), func(i int) error { return callers[i].refresh() }); err != nil {
			t.Fatal(err)
		}
	}
	f.row("steady use: refreshing over 64 connections for 15 s, most", "<= 60 MiB", mib(peak(s.pid, steady)))
	f.row("the same, and a sign-in every second, most", "<= 60 MiB", mib(peak(s.pid, func() {
		ended := forTime(15 * time.Second)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for n := 0; !ended(); n++ {
				_, _ = client{base: s.url}.register(fmt.Sprintf("steady%d@example.org", n), benchPassword)
				time.Sleep(time.Second)
			}
		}()
		steady()
		<-done
	})))
	f.row("during a hundred sign-ins, eight at a time", "", mib(peak(s.pid, func() { signIn(t, s.url, "hundred", 100) })))
	time.Sleep(10 * time.Second)
	f.row("ten seconds after a hundred sign-ins", "<= 60 MiB", mib(resident(s.pid)))
	s.end()
}

// peak is the most that a process has resident while f runs.
func peak(pid int, f func()) int64 {
	done, most := make(chan struct{}), make(chan int64)
	go func() {
		var top int64
		for tick := time.NewTicker(50 * time.Millisecond); ; {
			top = max(top, resident(pid))
			select {
			case <-done:
				tick.Stop()
				most <- top
				return
			case <-tick.C:
			}
		}
	}()
	f()
	close(done)
	return <-most
}
