package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/issuer"
)

// A child is this test binary, told by the environment what to do with which file.
const (
	childRole = "SIGNET_SQLITE_TEST_CHILD"
	childFile = "SIGNET_SQLITE_TEST_FILE"
)

func TestMain(m *testing.M) {
	role := os.Getenv(childRole)
	if role == "" {
		os.Exit(m.Run())
	}
	o := Options{}
	if role == "impatient" {
		o.BusyTimeout = 5 * time.Millisecond
	}
	s, err := Open(context.Background(), os.Getenv(childFile), o)
	if err == nil {
		err = map[string]func(*Store) error{"storm": storm, "rival": rivalAlone, "impatient": impatient}[role](s)
	}
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child starts one and returns its output.
func child(t *testing.T, role, path string) (*exec.Cmd, io.Reader) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), exe)
	c.Env = append(os.Environ(), childRole+"="+role, childFile+"="+path)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return c, out
}

// impatient tries one insert and prints what became of it.
func impatient(s *Store) error {
	_, err := fmt.Println(s.InsertUser(context.Background(), newUser("impatient")))
	return err
}

var ids atomic.Int64

func rotationID() string { return fmt.Sprintf("id-%06d", ids.Add(1)) }

func rotateOnce(s *Store, sid string, gen int64, att string) (bool, error) {
	_, hit, err := s.RotateSession(context.Background(), issuer.Rotation{SID: sid, Gen: gen, Secret: "k3", ClientIDs: []string{issuer.FirstPartyID},
		Now: benchNow, Next: "k3", Idle: time.Hour, Att: att})
	return hit, err
}

const stormSessions = 24

// storm rotates sessions forever, each by its own caller, and prints each generation after it was answered.
func storm(s *Store) error {
	errs := make(chan error)
	var out sync.Mutex
	for i := range stormSessions {
		go func() {
			sid := fmt.Sprint("sid-", i)
			d, err := s.Session(context.Background(), sid)
			for gen := d.Gen; err == nil; gen++ {
				var hit bool
				hit, err = rotateOnce(s, sid, gen, fmt.Sprint("att-", gen+1))
				if err == nil && !hit {
					err = fmt.Errorf("%s: generation %d was rotated by somebody else", sid, gen)
				}
				if err == nil {
					out.Lock()
					_, err = fmt.Printf("%d %d\n", i, gen+1)
					out.Unlock()
				}
			}
			errs <- err
		}()
	}
	return <-errs
}

// TestKill kills a process with signal 9 while it rotates, and looks for what it had answered.
func TestKill(t *testing.T) {
	path, rounds := fileIn(t), 3
	if os.Getenv("SIGNET_TEST_LONG") == "1" {
		rounds = 100
	}
	s := openAt(t, path)
	answered := [stormSessions]int64{}
	for i := range answered {
		d := benchSession(i)
		d.ID, d.Gen, d.Recent = fmt.Sprint("sid-", i), 0, nil
		if err := s.InsertSession(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for round := range rounds {
		killAfter(t, path, 200+137*(round%11), &answered)
		s, err := Open(t.Context(), path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i, gen := range answered {
			d, err := s.Session(t.Context(), fmt.Sprint("sid-", i))
			if err != nil {
				t.Fatal(err)
			}
			// One rotation of each session may have been made and not answered.
			if d.Gen != gen && d.Gen != gen+1 {
				t.Fatalf("round %d: session %d is at generation %d, answered was %d", round, i, d.Gen, gen)
			}
			if d.Gen > 0 && (d.By != fmt.Sprint("att-", d.Gen) || d.Recent[len(d.Recent)-1].Gen != d.Gen-1) {
				t.Fatalf("round %d: session %d is half rotated: %+v", round, i, d)
			}
			answered[i] = d.Gen
		}
		var check string
		if check, _, err = readRow[string](t.Context(), s, `PRAGMA integrity_check`); check != "ok" || err != nil {
			t.Fatalf("round %d: integrity: %s, %v", round, check, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killAfter reads n answers of a storm, kills it, and reads what else it had said.
func killAfter(t *testing.T, path string, n int, answered *[stormSessions]int64) {
	t.Helper()
	c, out := child(t, "storm", path)
	lines := bufio.NewReader(out)
	for read := 0; ; read++ {
		line, err := lines.ReadString('\n')
		if err != nil { // a line cut short was not an answer
			break
		}
		sid, gen, _ := strings.Cut(strings.TrimSpace(line), " ")
		i, e1 := strconv.Atoi(sid)
		g, e2 := strconv.ParseInt(gen, 10, 64)
		if e1 != nil || e2 != nil {
			t.Fatalf("the child said %q", line)
		}
		answered[i] = g
		if read == n {
			if err := c.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the child ended with %v", err)
	}
}

const (
	rivalRounds  = 300
	rivalCallers = 4
)

// rival rotates one session as fast as it can until it has reached rivalRounds, counts its wins in the store, and returns them.
func rival(s *Store) (int64, error) {
	won, errs := atomic.Int64{}, make(chan error)
	for c := range rivalCallers {
		go func() {
			for {
				d, err := s.Session(context.Background(), "contested")
				if err != nil || d.Gen >= rivalRounds {
					errs <- err
					return
				}
				hit, err := rotateOnce(s, d.ID, d.Gen, fmt.Sprint(os.Getpid(), c))
				if hit {
					won.Add(1)
				}
				if err == nil && hit {
					_, err = s.CountSource(context.Background(), "wins", benchNow)
				}
				if err != nil {
					errs <- err
					return
				}
			}
		}()
	}
	for range rivalCallers {
		if err := <-errs; err != nil {
			return 0, err
		}
	}
	return won.Load(), nil
}

func rivalAlone(s *Store) error {
	won, err := rival(s)
	if err == nil {
		_, err = fmt.Println("won", won)
	}
	return err
}

// TestTwoProcesses lets two processes and two stores of this one fight for a session. Each generation has one winner among all.
func TestTwoProcesses(t *testing.T) {
	path := fileIn(t)
	s, second := openAt(t, path), openAt(t, path)
	d := benchSession(0)
	d.ID, d.Gen, d.Recent = "contested", 0, nil
	if err := s.InsertSession(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	a, outA := child(t, "rival", path)
	b, outB := child(t, "rival", path)
	mine := make(chan int64)
	go func() {
		won, err := rival(second)
		if err != nil {
			t.Error(err)
		}
		mine <- won
	}()
	total := int64(0)
	for _, out := range []io.Reader{outA, outB} {
		said, err := io.ReadAll(out)
		n, e := strconv.ParseInt(strings.TrimSpace(strings.TrimPrefix(string(said), "won ")), 10, 64)
		if err != nil || e != nil {
			t.Errorf("a child said %q, %v", said, err)
		}
		total += n
	}
	for _, c := range []*exec.Cmd{a, b} {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	total += <-mine
	counted, err := s.CountSource(t.Context(), "wins", benchNow)
	if err != nil {
		t.Fatal(err)
	}
	d, err = s.Session(t.Context(), "contested")
	if err != nil || d.Gen != rivalRounds || total != rivalRounds || counted != rivalRounds+1 {
		t.Errorf("generation %d after %d wins, %d of them counted, want %d: %v", d.Gen, total, counted-1, rivalRounds, err)
	}
}
