package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"signet/issuer"
	"signet/repository/conformance"
	"signet/repository/sqlite"
)

// followed is an audit log and what follows it, by a clock that the test moves.
type followed struct {
	t     *testing.T
	store *sqlite.Store
	now   time.Time
	n     int
	*tail
}

func newFollowed(t *testing.T, plan conformance.Plan) *followed {
	f := &followed{t: t, now: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
	clock := func() time.Time { return f.now }
	var err error
	if f.store, err = sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "signet.db"), sqlite.Options{Wall: clock}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.store.Close() })
	provider := issuer.New(issuer.Deps{Store: conformance.Faulty(f.store, plan), Keys: storeClock{at: clock}, Log: zerolog.Nop()})
	f.tail = &tail{provider: provider, now: func(context.Context) (time.Time, error) { return f.now, nil }, shown: map[string]time.Time{}}
	return f
}

// event is written now and says that it happened so long ago.
func (f *followed) event(ago time.Duration) string {
	f.t.Helper()
	f.n++
	id := fmt.Sprintf("%02x-%d", (f.n*37)%256, f.n)
	if err := f.store.AppendAudit(f.t.Context(), issuer.AuditEvent{ID: id, Type: "logout", At: f.now.Add(-ago)}); err != nil {
		f.t.Fatal(err)
	}
	return id
}

func eventIDs(events []issuer.AuditEvent) (ids []string) {
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	return ids
}

func noFault(string, int) conformance.Fault { return conformance.None }

// The last events are found however long ago they are, and no more than wanted are kept.
func TestTheLastEvents(t *testing.T) {
	f := newFollowed(t, noFault)
	if got, err := f.last(t.Context(), 5); len(got) != 0 || err != nil {
		t.Fatalf("of nothing: %v, %v", got, err)
	}
	ids := []string{f.event(3 * 365 * 24 * time.Hour), f.event(90 * 24 * time.Hour), f.event(5 * time.Hour)}
	for i := range 450 { // more than two pages
		ids = append(ids, f.event(time.Hour-time.Duration(i)*time.Second))
	}
	for _, n := range []int{0, 1, 2, 449, 450, 451, 452, 453, 1000} {
		got, err := f.last(t.Context(), n)
		if want := ids[max(0, len(ids)-n):]; err != nil || !slices.Equal(eventIDs(got), want) {
			t.Errorf("the last %d: %d, %v", n, len(got), err)
		}
	}
}

// Events that are written late, with an earlier time, are shown all the same; none is shown twice, over lost answers too; and only those are
// remembered that may be met again.
func TestEveryEventIsShownOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	f := newFollowed(t, func(string, int) conformance.Fault {
		if rng.IntN(12) > 0 {
			return conformance.None
		}
		return []conformance.Fault{conformance.AnswerLost, conformance.CrashBefore}[rng.IntN(2)]
	})
	var made, shown []string
	for range 30 {
		made = append(made, f.event(time.Duration(rng.IntN(200))*time.Second))
	}
	events, err := f.last(t.Context(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	shown = eventIDs(events)
	for range 250 {
		for range rng.IntN(4) {
			made = append(made, f.event(time.Duration(rng.IntN(int(tailOverlap)+1))-time.Second)) // a second ahead at most
		}
		f.now = f.now.Add(time.Duration(rng.IntN(3000)) * time.Millisecond)
		if rng.IntN(20) == 0 {
			f.now = f.now.Add(time.Hour) // asleep
		}
		events, err := f.next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		shown = append(shown, eventIDs(events)...)
		for id, at := range f.shown {
			if at.Before(f.now.Add(-tailOverlap)) {
				t.Fatalf("remembers %s of %s, which no look meets again", id, f.now.Sub(at))
			}
		}
	}
	slices.Sort(made)
	slices.Sort(shown)
	if !slices.Equal(made, shown) {
		t.Errorf("made %d, shown %d", len(made), len(shown))
	}
	if len(made) < 300 {
		t.Errorf("made %d", len(made))
	}
}

// A store that is away for a while is said once, and what came meanwhile is shown.
func TestFollowingSurvivesAnOutage(t *testing.T) {
	away := false
	f := newFollowed(t, noFault)
	if _, err := f.last(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	looks := 0
	f.pause = time.Millisecond
	f.tail.now = func(context.Context) (time.Time, error) {
		switch looks++; looks {
		case 1, 2:
			return time.Time{}, errors.New("no route")
		case 3:
			away = true
			f.event(0)
		}
		return f.now, nil
	}
	var out, said bytes.Buffer
	p := &program{out: &out, err: &said}
	shown := 0
	err := p.followAudit(ctx, f.tail, func(e issuer.AuditEvent) error {
		shown++
		stop()
		return writeEvent(p.out, e, false)
	})
	if err != nil || !away || shown != 1 || strings.Count(said.String(), "trying again") != 1 || !strings.Contains(out.String(), "2030-01-02 03:04:05  logout") {
		t.Errorf("%v; shown %d: %s; said %s", err, shown, &out, &said)
	}
}

// What a stranger wrote reaches no terminal as a command to it.
func TestEventsArePrintable(t *testing.T) {
	var out bytes.Buffer
	if err := writeEvent(&out, issuer.AuditEvent{Type: "logout", RequestID: "a\x1b[2Jb\nc"}, false); err != nil || strings.ContainsAny(strings.TrimSpace(out.String()), "\x1b\n") {
		t.Errorf("%q, %v", out.String(), err)
	}
}
