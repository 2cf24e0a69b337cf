package mail

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/rs/zerolog"

	"signet/issuer"
	"signet/keys"
	"signet/repository/sqlite"
)

// office is everything real that a mail passes: store, sealer, worker, sender and server, on a clock that the test moves.
type office struct {
	t      *testing.T
	path   string
	store  *sqlite.Store
	sealer *keys.Sealer
	clock  *fakeClock
	counts *counts
	log    *journal
	worker *Worker
	stop   func() // ends Run and waits for it
}

// clockAndSealer is the part of *keys.Replica that the worker uses, without its key ring.
type clockAndSealer struct {
	*fakeClock
	*keys.Sealer
}

func newOffice(t *testing.T, url string) *office {
	t.Helper()
	kek, err := keys.NewKEK(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := keys.NewSealer([]keys.KEK{kek})
	if err != nil {
		t.Fatal(err)
	}
	o := &office{
		t: t, path: filepath.Join(t.TempDir(), "signet.db"), sealer: sealer, clock: &fakeClock{now: testDate},
		counts: newCounts(), log: new(journal),
	}
	o.store = o.openStore()
	o.worker, o.stop = o.hire(o.store, url)
	return o
}

func (o *office) openStore() *sqlite.Store {
	o.t.Helper()
	store, err := sqlite.Open(o.t.Context(), o.path, sqlite.Options{})
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() { _ = store.Close() })
	return store
}

// hire runs a worker on a store.
func (o *office) hire(store *sqlite.Store, url string) (*Worker, func()) {
	o.t.Helper()
	sender, err := NewSMTP(SMTPConfig{URL: url, From: "no-reply@example.org"})
	if err != nil {
		o.t.Fatal(err)
	}
	w := NewWorker(WorkerConfig{
		Store: store, Keys: clockAndSealer{o.clock, o.sealer}, Sender: sender, Composer: testComposer(o.t), Skew: testSkew,
		Poll: 10 * time.Millisecond, Log: zerolog.New(o.log), Observer: o.counts,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx) }()
	var once sync.Once
	stop := func() { once.Do(func() { cancel(); <-done }) }
	o.t.Cleanup(func() {
		stop()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = w.Drain(ctx)
	})
	return w, stop
}

// post does what the issuer does for a code: the challenge, or its resend, and then the mail.
func (o *office) post(challenge string, send int64, life time.Duration) issuer.Mail {
	o.t.Helper()
	ctx, now := o.t.Context(), o.clock.Now()
	if send == 1 {
		c := issuer.Challenge{ID: challenge, Purpose: issuer.PurposeLogin, Send: 1, State: issuer.ChallengeOpen, CreatedAt: now, ExpiresAt: now.Add(life)}
		if err := o.store.InsertChallenge(ctx, c); err != nil {
			o.t.Fatal(err)
		}
	} else if _, ok, err := o.store.Resend(ctx, challenge, issuer.Resending{Send: send - 1, Att: fmt.Sprint(send)}, now); err != nil || !ok {
		o.t.Fatalf("resend: %t, %v", ok, err)
	}
	id := fmt.Sprintf("%s/%d", challenge, send)
	plain, err := json.Marshal(issuer.Letter{
		Kind: issuer.LetterCode, To: challenge + "@example.org", Code: "048213", ExpiresIn: 600, At: now, UserAgent: firefoxOnLinux, IP: "203.0.113.7",
	})
	if err != nil {
		o.t.Fatal(err)
	}
	sealed, err := o.sealer.Seal(plain, "outbox", id)
	if err != nil {
		o.t.Fatal(err)
	}
	m := issuer.Mail{
		ID: id, Sealed: sealed, Challenge: challenge, Send: send, CreatedAt: now, DueAt: now, LeaseUntil: now.Add(testSkew + leaseTime),
		By: "request-" + id, Tries: 1, GiveUpAt: now.Add(life),
	}
	if err := o.store.InsertMail(ctx, m); err != nil {
		o.t.Fatal(err)
	}
	return m
}

func (o *office) queued() int64 {
	o.t.Helper()
	n, err := o.store.QueuedMails(o.t.Context(), o.clock.Now())
	if err != nil {
		o.t.Fatal(err)
	}
	return n
}

// freeAddress is where no server listens yet.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func TestWhatIsStillValidLeavesWhenTheServerIsBack(t *testing.T) {
	address := freeAddress(t)
	o := newOffice(t, "smtp://"+address)
	o.worker.Dispatch(o.post("valid", 1, 10*time.Minute))
	o.worker.Dispatch(o.post("resent", 1, 10*time.Minute))
	o.worker.Dispatch(o.post("used", 1, 10*time.Minute))
	o.worker.Dispatch(o.post("expiring", 1, 20*time.Second))
	o.counts.until(t, "four failures", func(c *counts) bool { return c.failed[StageConnect] >= 4 })
	if n := o.queued(); n != 4 {
		t.Errorf("%d mails are queued", n)
	}
	o.worker.Dispatch(o.post("resent", 2, 10*time.Minute))
	if _, ok, err := o.store.FinishChallenge(t.Context(), "used", 1, "att"); err != nil || !ok {
		t.Fatalf("finish: %t, %v", ok, err)
	}
	o.counts.until(t, "the resent one's failure", func(c *counts) bool { return c.failed[StageConnect] >= 5 })
	o.clock.forward(25 * time.Second)
	server := startServer(t, serverOptions{addr: address})
	o.counts.until(t, "two mails to leave and two to be dropped", func(c *counts) bool {
		return c.sent == 2 && c.dropped[DropSuperseded] == 1 && c.dropped[DropUsed] == 1
	})
	to := map[string]string{}
	for _, m := range server.all() {
		to[m.to] = m.header(t).Get("Message-ID")
		if text, _ := parts(t, m); firstNumber.FindString(text) != "048213" || !strings.HasPrefix(text, "048213 ") {
			t.Errorf("the text is %q", text)
		}
	}
	want := map[string]string{
		"valid@example.org":  "<" + o.worker.Composer.messageID("valid/1") + ">",
		"resent@example.org": "<" + o.worker.Composer.messageID("resent/2") + ">",
	}
	if fmt.Sprint(to) != fmt.Sprint(want) {
		t.Errorf("arrived: %v, want %v", to, want)
	}
	quiet(t, o.log.String())
}

func TestMailSurvivesEveryMischief(t *testing.T) {
	mischief := map[string]func(*mailServer){
		"drops at the banner":   func(s *mailServer) { s.dropAt = StageBanner },
		"drops in DATA":         func(s *mailServer) { s.dropAt = StageData },
		"drops the last answer": func(s *mailServer) { s.dropAt = StageAnswer },
		"greylists":             func(s *mailServer) { s.refuse[StageRcpt] = &smtp.SMTPError{Code: 451, Message: "later"} },
		"refuses the sender":    func(s *mailServer) { s.refuse[StageFrom] = &smtp.SMTPError{Code: 550, Message: "who are you"} },
		"refuses the message":   func(s *mailServer) { s.refuse[StageAnswer] = &smtp.SMTPError{Code: 552, Message: "over quota"} },
		"wants a login":         func(s *mailServer) { s.refuse[StageRcpt] = &smtp.SMTPError{Code: 530, Message: "log in"} },
	}
	for name, misbehave := range mischief {
		t.Run(name, func(t *testing.T) {
			server := startServer(t, serverOptions{})
			server.set(misbehave)
			o := newOffice(t, server.url("smtp", "127.0.0.1", ""))
			o.worker.Dispatch(o.post("c1", 1, 10*time.Minute))
			o.counts.until(t, "a failure", func(c *counts) bool { return len(c.failed) == 1 && len(c.dropped) == 0 })
			server.set(func(s *mailServer) { s.dropAt = ""; clear(s.refuse) })
			o.clock.forward(2 * time.Second)
			o.counts.until(t, "the mail to leave", func(c *counts) bool { return c.sent == 1 })
			for _, m := range server.all() { // two, if only the answer was lost
				if id := m.header(t).Get("Message-ID"); id != "<"+o.worker.Composer.messageID("c1/1")+">" {
					t.Errorf("Message-ID %s", id)
				}
			}
			quiet(t, o.log.String())
		})
	}
}

func TestARecipientRefusedForGoodIsNotTriedAgain(t *testing.T) {
	server := startServer(t, serverOptions{})
	server.set(func(s *mailServer) {
		s.refuse[StageRcpt] = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no c1@example.org here"}
	})
	o := newOffice(t, server.url("smtp", "127.0.0.1", ""))
	o.worker.Dispatch(o.post("c1", 1, 10*time.Minute))
	o.counts.until(t, "the drop", func(c *counts) bool { return c.dropped[DropRefused] == 1 })
	o.worker.Dispatch(o.post("c2", 1, 10*time.Minute))
	o.counts.until(t, "the second drop", func(c *counts) bool { return c.dropped[DropRefused] == 2 })
	o.stop()
	if err := o.worker.Drain(within(t, 10*time.Second)); err != nil {
		t.Error(err)
	}
	if n := o.queued(); n != 0 {
		t.Errorf("%d mails are queued", n)
	}
	if log := o.log.String(); strings.Contains(log, "c1@") || strings.Count(log, "mail_refused") != 2 {
		t.Errorf("the log says:\n%s", log)
	}
}

func TestDrainCutsAStalledServerAndTheNextStartSends(t *testing.T) {
	for _, stage := range []Stage{StageBanner, StageRcpt, StageAnswer} {
		t.Run(string(stage), func(t *testing.T) {
			server := startServer(t, serverOptions{})
			server.set(func(s *mailServer) { s.stallAt = stage })
			url := server.url("smtp", "127.0.0.1", "")
			o := newOffice(t, url)
			o.worker.Dispatch(o.post("c1", 1, 10*time.Minute))
			await(t, server.stalled, "the server to stall")
			o.stop()
			if err := o.worker.Drain(within(t, 100*time.Millisecond)); err != nil {
				t.Error(err)
			}
			await(t, server.cut, "the connection to be closed")
			if due, err := o.store.DueMails(t.Context(), o.clock.Now(), 10); err != nil || len(due) != 1 {
				t.Fatalf("due after Drain: %v, %v", due, err)
			}
			server.set(func(s *mailServer) { s.stallAt = "" })
			o.hire(o.store, url)
			o.counts.until(t, "the mail to leave", func(c *counts) bool { return c.sent == 1 })
		})
	}
}

// A lease that ends soon stands for the 30 seconds that a dialogue has.
func TestAStalledServerIsCutBeforeTheLeaseEnds(t *testing.T) {
	server := startServer(t, serverOptions{})
	server.set(func(s *mailServer) { s.stallAt = StageData })
	o := newOffice(t, server.url("smtp", "127.0.0.1", ""))
	m := o.post("c1", 1, 10*time.Minute)
	m.LeaseUntil = o.clock.Now().Add(testSkew + cutTime + shortest + 50*time.Millisecond)
	o.worker.Dispatch(m)
	await(t, server.stalled, "the server to stall")
	await(t, server.cut, "the connection to be closed")
	server.set(func(s *mailServer) { s.stallAt = "" })
	o.counts.until(t, "the failure", func(c *counts) bool { return c.failed[StageData] == 1 })
	o.clock.forward(2 * time.Second)
	o.counts.until(t, "the mail to leave", func(c *counts) bool { return c.sent == 1 })
}

func TestTwoWorkersOnOneStoreShareTheWork(t *testing.T) {
	const mails, refusals = 24, 2
	var mu sync.Mutex
	talking, tries := map[string]int{}, map[string]int{}
	server := startServer(t, serverOptions{})
	server.dialogue = func(id string) (func(), error) {
		mu.Lock()
		defer mu.Unlock()
		if talking[id]++; talking[id] > 1 {
			t.Errorf("two dialogues for %s", id)
		}
		end := func() { mu.Lock(); defer mu.Unlock(); talking[id]-- }
		if tries[id]++; tries[id] <= refusals {
			return end, &smtp.SMTPError{Code: 451, Message: "later"}
		}
		return end, nil
	}
	url := server.url("smtp", "127.0.0.1", "")
	o := newOffice(t, url)
	other, _ := o.hire(o.openStore(), url)
	for i := range mails {
		m := o.post(fmt.Sprint("c", i), 1, 10*time.Minute)
		[]*Worker{o.worker, other}[i%2].Dispatch(m)
	}
	for round := 1; round <= refusals; round++ {
		o.counts.until(t, "every mail to fail", func(c *counts) bool { return c.failed[StageAnswer] == round*mails })
		o.clock.forward(10 * time.Second) // more than the backoff, less than a lease
	}
	o.counts.until(t, "every mail to leave", func(c *counts) bool { return c.sent == mails })
	mu.Lock()
	defer mu.Unlock()
	for id, n := range tries {
		if n != refusals+1 {
			t.Errorf("%s was tried %d times", id, n)
		}
	}
	if got := len(server.all()); got != mails {
		t.Errorf("%d mails arrived", got)
	}
}
