package mail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"signet/issuer"
)

const (
	testSkew = 30 * time.Second
	testPoll = 5 * time.Second
)

// senderFunc stands for the server in tests of the clock: sockets have no place in a bubble of virtual time.
type senderFunc func(ctx context.Context, m Message) error

func (f senderFunc) Send(ctx context.Context, m Message) error { return f(ctx, m) }

// bench is a worker on a store of its own, in virtual time unless it is given a clock.
type bench struct {
	t      *testing.T
	outbox *memoryOutbox
	counts *counts
	log    *journal
	worker *Worker
	now    func() time.Time
	stop   func() // ends Run and waits for it
}

func newBench(t *testing.T, sender Sender) *bench {
	b := &bench{t: t, outbox: newMemoryOutbox(), counts: newCounts(), log: new(journal), now: time.Now}
	b.worker = b.another(sender, time.Now)
	return b
}

func (b *bench) another(sender Sender, now func() time.Time) *Worker {
	return NewWorker(WorkerConfig{
		Store: b.outbox, Keys: plainKeys{now}, Sender: sender, Composer: testComposer(b.t), Skew: testSkew, Poll: testPoll,
		Log: zerolog.New(b.log), Observer: b.counts,
	})
}

// start runs the worker until the test, or stop, ends it.
func (b *bench) start() *bench {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); b.worker.Run(ctx) }()
	b.stop = func() { cancel(); <-done }
	b.t.Cleanup(b.stop)
	return b
}

// post inserts a mail as the issuer does: with its challenge, leased to the request.
func (b *bench) post(challenge string, send int64, edit ...func(*issuer.Mail)) issuer.Mail {
	b.t.Helper()
	now := b.now()
	id := fmt.Sprintf("%s/%d", challenge, send)
	l := testLetter(issuer.LetterCode)
	l.At = now
	m := issuer.Mail{
		ID: id, Sealed: seal(b.t, l, "outbox", id), Challenge: challenge, Send: send, CreatedAt: now, DueAt: now,
		LeaseUntil: now.Add(testSkew + leaseTime), By: "request " + id, Tries: 1, GiveUpAt: now.Add(10 * time.Minute),
	}
	b.outbox.change(challenge, func(c *issuer.Challenge) {
		*c = issuer.Challenge{ID: challenge, Send: send, State: issuer.ChallengeOpen, ExpiresAt: m.GiveUpAt}
	})
	for _, change := range edit {
		change(&m)
	}
	if err := b.outbox.InsertMail(b.t.Context(), m); err != nil {
		b.t.Fatal(err)
	}
	return m
}

func (b *bench) expect(sent int, dropped map[DropReason]int, failed map[Stage]int) {
	b.t.Helper()
	b.counts.mu.Lock()
	defer b.counts.mu.Unlock()
	if b.counts.sent != sent || !maps.Equal(b.counts.dropped, dropped) || !maps.Equal(b.counts.failed, failed) {
		b.t.Errorf("sent %d, dropped %v, failed %v; want %d, %v, %v", b.counts.sent, b.counts.dropped, b.counts.failed, sent, dropped, failed)
	}
}

// sleep lets virtual time pass and then everything that was to happen by its end.
func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func accept(context.Context, Message) error { return nil }

var errDown = &Failure{Stage: StageConnect, Err: errors.New("connection refused")}

func TestDispatchSendsAtOnceAndDeletes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []Message
		b := newBench(t, senderFunc(func(_ context.Context, m Message) error { got = append(got, m); return nil }))
		b.worker.Dispatch(b.post("c1", 1))
		synctest.Wait()
		if len(got) != 1 || got[0].To != "ada@example.org" || got[0].Code != "048213" || !got[0].Date.Equal(time.Now()) {
			t.Fatalf("sent %+v", got)
		}
		if _, there := b.outbox.mail("c1/1"); there {
			t.Error("the mail is still there")
		}
		b.expect(1, map[DropReason]int{}, map[Stage]int{})
	})
}

func TestBackoffDoublesWithOneMessageID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		ids := map[string]bool{}
		begin := time.Now()
		b := newBench(t, senderFunc(func(_ context.Context, m Message) error {
			at = append(at, time.Since(begin).Round(100*time.Millisecond))
			ids[m.MessageID+m.Date.String()] = true
			if len(at) < 8 {
				return errDown
			}
			return nil
		})).start()
		b.worker.Dispatch(b.post("c1", 1))
		sleep(5 * time.Minute)
		s := time.Second
		want := []time.Duration{0, 2 * s, 6 * s, 14 * s, 30 * s, 60 * s, 90 * s, 120 * s}
		if fmt.Sprint(at) != fmt.Sprint(want) {
			t.Errorf("tried after %v, want %v", at, want)
		}
		if len(ids) != 1 {
			t.Errorf("Message-ID and date changed between tries: %v", ids)
		}
		b.expect(1, map[DropReason]int{}, map[Stage]int{StageConnect: 7})
		b.stop()
	})
}

func TestAnUnsentMailIsTriedToItsEndAndGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, last := time.Now(), time.Time{}
		b := newBench(t, senderFunc(func(context.Context, Message) error { last = time.Now(); return errDown })).start()
		b.worker.Dispatch(b.post("c1", 1))
		sleep(20 * time.Minute)
		if end := last.Sub(begin).Round(100 * time.Millisecond); end != 10*time.Minute-backoffFirst {
			t.Errorf("the last try was after %v", end)
		}
		if _, there := b.outbox.mail("c1/1"); there {
			t.Error("the mail is still there")
		}
		b.counts.mu.Lock()
		if b.counts.dropped[DropGivenUp] != 1 || b.counts.sent != 0 {
			t.Errorf("dropped %v", b.counts.dropped)
		}
		b.counts.mu.Unlock()
		b.stop()
	})
}

func TestADialogueIsCutSkewBeforeItsLeaseEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var lasted []time.Duration
		stall := senderFunc(func(ctx context.Context, _ Message) error {
			begin := time.Now()
			<-ctx.Done()
			mu.Lock()
			defer mu.Unlock()
			lasted = append(lasted, time.Since(begin))
			return &Failure{Stage: StageData, Err: ctx.Err()}
		})
		since := func() []time.Duration { // the last look
			mu.Lock()
			defer mu.Unlock()
			seen := lasted
			lasted = nil
			return seen
		}
		b := newBench(t, stall).start()
		b.worker.Dispatch(b.post("fresh", 1))
		sleep(leaseTime + time.Second)
		if got := since(); len(got) != 1 || got[0] != leaseTime-cutTime {
			t.Errorf("a fresh mail's dialogue lasted %v", got)
		}
		sleep(leaseTime + 2*time.Second)
		if got := since(); len(got) != 1 || got[0] != leaseTime-cutTime {
			t.Errorf("a retry's dialogue lasted %v", got)
		}
		b.worker.Dispatch(b.post("short", 1, func(m *issuer.Mail) { m.LeaseUntil = time.Now().Add(testSkew + cutTime + 7*time.Second) }))
		b.worker.Dispatch(b.post("ending", 1, func(m *issuer.Mail) { m.GiveUpAt = time.Now().Add(9 * time.Second) }))
		sleep(10 * time.Second)
		if got := fmt.Sprint(since()); got != "[7s 9s]" {
			t.Errorf("dialogues of a short lease and a short life lasted %v", got)
		}
		sleep(20 * time.Minute)
		b.stop()
	})
}

func TestTooLittleLeaseIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, senderFunc(accept)).start()
		synctest.Wait()
		m := b.post("c1", 1, func(m *issuer.Mail) { m.LeaseUntil = time.Now().Add(testSkew + 100*time.Millisecond) })
		b.worker.Dispatch(m)
		sleep(10 * time.Millisecond)
		b.expect(1, map[DropReason]int{}, map[Stage]int{})
		b.stop()
	})
}

func TestWhatMustNotLeaveIsDropped(t *testing.T) {
	malformed := testLetter(issuer.LetterCode)
	malformed.To = "ada@example.org\r\nBcc: eve@example.org"
	unknown := testLetter(issuer.LetterCode)
	unknown.Kind = "invoice"
	cases := map[string]struct {
		challenge func(*issuer.Challenge)
		mail      func(*testing.T, *issuer.Mail)
		reason    DropReason
	}{
		"superseded":        {challenge: func(c *issuer.Challenge) { c.Send = 2 }, reason: DropSuperseded},
		"used":              {challenge: func(c *issuer.Challenge) { c.State = issuer.ChallengeDone }, reason: DropUsed},
		"expired":           {challenge: func(c *issuer.Challenge) { c.ExpiresAt = time.Now() }, reason: DropExpired},
		"of no challenge":   {mail: func(_ *testing.T, m *issuer.Mail) { m.Challenge = "gone" }, reason: DropSuperseded},
		"for equal work":    {mail: func(_ *testing.T, m *issuer.Mail) { m.Drop = true }, reason: DropEqualWork},
		"too late":          {mail: func(_ *testing.T, m *issuer.Mail) { m.GiveUpAt = time.Now() }, reason: DropGivenUp},
		"header injection":  {mail: func(t *testing.T, m *issuer.Mail) { m.Sealed = seal(t, malformed, "outbox", m.ID) }, reason: DropMalformed},
		"unknown kind":      {mail: func(t *testing.T, m *issuer.Mail) { m.Sealed = seal(t, unknown, "outbox", m.ID) }, reason: DropMalformed},
		"no letter at all":  {mail: func(t *testing.T, m *issuer.Mail) { m.Sealed = seal(t, 7, "outbox", m.ID) }, reason: DropMalformed},
		"a refused address": {reason: DropRefused},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				b := newBench(t, senderFunc(func(context.Context, Message) error {
					asked++
					return &Failure{Stage: StageRcpt, Code: 550, Enhanced: "5.1.1", Reply: "no <ada@example.org>"}
				}))
				m := b.post("c1", 1, func(m *issuer.Mail) {
					if c.mail != nil {
						c.mail(t, m)
					}
				})
				if c.challenge != nil {
					b.outbox.change("c1", c.challenge)
				}
				b.worker.Dispatch(m)
				synctest.Wait()
				if _, there := b.outbox.mail(m.ID); there {
					t.Error("the mail is still there")
				}
				if (asked > 0) != (c.reason == DropRefused) {
					t.Errorf("the server was asked %d times", asked)
				}
				b.expect(0, map[DropReason]int{c.reason: 1}, map[Stage]int{})
				quiet(t, b.log.String())
			})
		})
	}
}

// quiet checks that nothing secret is in a log.
func quiet(t *testing.T, log string) {
	t.Helper()
	for _, secret := range []string{"ada", "example.org\\r", "Bcc", "048213", testPassword, "c1/1"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log says %q:\n%s", secret, log)
		}
	}
}

func TestASealedLetterIsBoundToItsMail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, senderFunc(accept))
		other := b.post("c2", 1)
		b.worker.Dispatch(b.post("c1", 1, func(m *issuer.Mail) { m.Sealed = other.Sealed }))
		synctest.Wait()
		b.expect(0, map[DropReason]int{}, map[Stage]int{StageOpen: 1})
		if m, there := b.outbox.mail("c1/1"); !there || m.LeaseUntil.After(time.Now()) || !m.DueAt.Equal(time.Now().Add(backoffFirst)) {
			t.Errorf("the mail is %+v", m)
		}
	})
}

func TestAResendStopsTheOlderCodeThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		down.Store(true)
		var left []string
		b := newBench(t, senderFunc(func(_ context.Context, m Message) error {
			if down.Load() {
				return errDown
			}
			left = append(left, m.MessageID)
			return nil
		})).start()
		b.worker.Dispatch(b.post("c1", 1))
		synctest.Wait()
		b.worker.Dispatch(b.post("c1", 2))
		synctest.Wait()
		down.Store(false)
		sleep(time.Minute)
		if len(left) != 1 || left[0] != b.worker.Composer.messageID("c1/2") {
			t.Errorf("left: %v", left)
		}
		b.counts.mu.Lock()
		if b.counts.dropped[DropSuperseded] != 1 {
			t.Errorf("dropped %v", b.counts.dropped)
		}
		b.counts.mu.Unlock()
		b.stop()
	})
}

func TestAStallingServerHoldsUpNeitherDispatchNorTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stalling atomic.Bool
		stalling.Store(true)
		b := newBench(t, senderFunc(func(ctx context.Context, _ Message) error {
			if stalling.Load() {
				<-ctx.Done()
				return &Failure{Stage: StageBanner, Err: ctx.Err()}
			}
			return nil
		})).start()
		const many = freshSlots + waitingLimit + 50
		begin := time.Now()
		for i := range many {
			b.worker.Dispatch(b.post(fmt.Sprint("c", i), 1))
		}
		if time.Since(begin) != 0 {
			t.Error("Dispatch waited")
		}
		sleep(leaseTime)
		stalling.Store(false)
		sleep(2 * (leaseTime + testSkew))
		b.counts.mu.Lock()
		if b.counts.sent != many {
			t.Errorf("%d of %d left", b.counts.sent, many)
		}
		b.counts.mu.Unlock()
		b.stop()
	})
}

// Three workers with clocks up to skew apart, a server that takes its time and a store that loses answers.
func TestNeverTwoDialoguesForOneMail(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 8))
			var mu sync.Mutex
			talking, accepted := map[string]int{}, map[string]int{}
			roll := func(n int) int { mu.Lock(); defer mu.Unlock(); return random.IntN(n) }
			sender := senderFunc(func(ctx context.Context, m Message) error {
				mu.Lock()
				if talking[m.MessageID]++; talking[m.MessageID] > 1 {
					t.Errorf("seed %d: two dialogues for one mail", seed)
				}
				mu.Unlock()
				defer func() { mu.Lock(); talking[m.MessageID]--; mu.Unlock() }()
				select {
				case <-ctx.Done():
					return &Failure{Stage: StageData, Err: ctx.Err()}
				case <-time.After(time.Duration(roll(45)) * time.Second):
				}
				if roll(2) == 0 {
					return errDown
				}
				mu.Lock()
				accepted[m.MessageID]++
				mu.Unlock()
				return nil
			})
			b := newBench(t, sender)
			lossy := true
			b.outbox.before = func(method string) error {
				return lose(lossy && method != "edit" && method != "insert" && roll(12) == 0)
			}
			b.outbox.after = func(method string) error {
				return lose(lossy && method != "edit" && method != "insert" && roll(12) == 0)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var running sync.WaitGroup
			var workers []*Worker
			for _, offset := range []time.Duration{-testSkew / 2, 0, testSkew / 2} {
				w := b.another(sender, func() time.Time { return time.Now().Add(offset) })
				workers = append(workers, w)
				running.Go(func() { w.Run(ctx) })
			}
			const mails = 12
			for i := range mails {
				m := b.post(fmt.Sprint("c", i), 1, func(m *issuer.Mail) { m.GiveUpAt = m.GiveUpAt.Add(time.Hour) })
				b.outbox.change(m.Challenge, func(c *issuer.Challenge) { c.ExpiresAt = m.GiveUpAt })
				if i%4 != 0 { // the rest: their request died
					workers[i%3].Dispatch(m)
				}
			}
			time.Sleep(30 * time.Minute)
			b.outbox.mu.Lock()
			lossy = false
			b.outbox.mu.Unlock()
			time.Sleep(30 * time.Minute)
			cancel()
			running.Wait()
			for _, w := range workers {
				if err := w.Drain(t.Context()); err != nil {
					t.Error(err)
				}
			}
			if len(accepted) != mails || len(b.outbox.mails) != 0 {
				t.Errorf("seed %d: %d of %d left, %d are still there", seed, len(accepted), mails, len(b.outbox.mails))
			}
		})
	}
}

func lose(yes bool) error {
	if yes {
		return errors.New("connection reset")
	}
	return nil
}

func TestDrainWaitsForADialogueUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, senderFunc(func(ctx context.Context, _ Message) error {
			select {
			case <-time.After(3 * time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})).start()
		b.worker.Dispatch(b.post("c1", 1))
		synctest.Wait()
		b.stop()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := b.worker.Drain(ctx); err != nil {
			t.Error(err)
		}
		b.expect(1, map[DropReason]int{}, map[Stage]int{})
		if err := b.worker.Drain(ctx); err != nil {
			t.Errorf("again: %v", err)
		}
	})
}

func TestDrainGivesBackWhatItCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, senderFunc(func(ctx context.Context, _ Message) error { <-ctx.Done(); return ctx.Err() })).start()
		const many = freshSlots + 3 // some wait in line
		for i := range many {
			b.worker.Dispatch(b.post(fmt.Sprint("c", i), 1))
		}
		synctest.Wait()
		b.stop()
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := b.worker.Drain(ctx); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took != 10*time.Second-releaseTime {
			t.Errorf("drained after %v", took)
		}
		b.expect(0, map[DropReason]int{}, map[Stage]int{})
		due, err := b.outbox.DueMails(t.Context(), time.Now(), 100)
		if err != nil || len(due) != many {
			t.Errorf("%d of %d are due at once: %v", len(due), many, err)
		}
		late := b.post("late", 1)
		b.worker.Dispatch(late)
		synctest.Wait()
		if m, _ := b.outbox.mail("late/1"); m.By != late.By || !m.LeaseUntil.Equal(late.LeaseUntil) {
			t.Errorf("a mail after Drain was touched: %+v", m)
		}
		next := b.another(senderFunc(accept), time.Now)
		running, end := context.WithCancel(t.Context())
		defer end()
		go next.Run(running)
		synctest.Wait()
		b.expect(many, map[DropReason]int{}, map[Stage]int{})
	})
}

func TestDrainIsBoundedEvenWhenTheStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, senderFunc(func(ctx context.Context, _ Message) error { <-ctx.Done(); return ctx.Err() }))
		b.worker.Store = hangingStore{b.outbox}
		b.worker.Dispatch(b.post("c1", 1))
		synctest.Wait()
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		if err := b.worker.Drain(ctx); err == nil || time.Since(begin) > 4*time.Second {
			t.Errorf("got %v after %v", err, time.Since(begin))
		}
		sleep(time.Minute)
	})
}

// hangingStore answers DeferMail when its context ends.
type hangingStore struct{ Store }

func (hangingStore) DeferMail(ctx context.Context, _, _ string, _, _ time.Time) (bool, error) {
	<-ctx.Done()
	return false, fmt.Errorf("%w: %w", issuer.ErrUnknown, ctx.Err())
}

func TestASentMailIsDeletedWhenTheStoreIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		b := newBench(t, senderFunc(func(context.Context, Message) error { sent++; return nil }))
		broken := true
		b.outbox.before = func(method string) error { return lose(broken && method == "delete") }
		b.start()
		b.worker.Dispatch(b.post("c1", 1))
		sleep(20 * time.Second)
		b.outbox.mu.Lock()
		broken = false
		b.outbox.mu.Unlock()
		sleep(5 * time.Minute)
		if _, there := b.outbox.mail("c1/1"); there || sent != 1 {
			t.Errorf("sent %d times, still there: %t", sent, there)
		}
		b.stop()
	})
}

func TestAnOutageIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		down.Store(true)
		b := newBench(t, senderFunc(func(context.Context, Message) error {
			if down.Load() {
				return errDown
			}
			return nil
		})).start()
		for i := range 30 {
			b.worker.Dispatch(b.post(fmt.Sprint("c", i), 1))
		}
		sleep(3 * time.Minute)
		b.counts.mu.Lock()
		if b.counts.waiting != 30 || b.counts.counted < 30 || b.counts.failed[StageConnect] < 100 {
			t.Errorf("waiting %d, counted %d times, failed %v", b.counts.waiting, b.counts.counted, b.counts.failed)
		}
		b.counts.mu.Unlock()
		down.Store(false)
		sleep(time.Minute)
		log := b.log.String()
		if strings.Count(log, "mail_failing") != 1 || strings.Count(log, "mail_recovered") != 1 || strings.Count(log, "\n") != 2 {
			t.Errorf("the log says:\n%s", log)
		}
		quiet(t, log)
		b.stop()
	})
}

func TestALongOutageIsToldNowAndThenAndAFlickerIsNot(t *testing.T) {
	var log bytes.Buffer
	o := outage{log: zerolog.New(&log)}
	now := testDate
	for range 60 { // an hour, a failure a minute
		o.failed(now, errDown)
		now = now.Add(time.Minute)
	}
	if n := strings.Count(log.String(), "mail_failing"); n != 6 {
		t.Errorf("an hour was warned of %d times", n)
	}
	o.worked(now)
	log.Reset()
	now = now.Add(time.Hour)
	for range 100 { // every other mail fails, ten a second
		o.failed(now, errDown)
		o.worked(now)
		now = now.Add(100 * time.Millisecond)
	}
	if n := strings.Count(log.String(), "\n"); n != 2 {
		t.Errorf("a flicker wrote %d lines", n)
	}
}

func TestARecipientPutOffIsNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, senderFunc(func(context.Context, Message) error {
			return &Failure{Stage: StageRcpt, Code: 450, Enhanced: "4.2.0", Reply: "later <ada@example.org>"}
		}))
		b.worker.Dispatch(b.post("c1", 1))
		synctest.Wait()
		b.expect(0, map[DropReason]int{}, map[Stage]int{StageRcpt: 1})
		if log := b.log.String(); strings.Contains(log, `"level":"warn"`) || !strings.Contains(log, "mail_deferred") {
			t.Errorf("the log says:\n%s", log)
		}
		quiet(t, b.log.String())
	})
}
