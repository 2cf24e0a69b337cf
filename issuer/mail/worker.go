package mail

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"signet/issuer"
)

// The outbox protocol.
//
//  1. A request inserts a mail leased to itself and hands it over (Dispatch); or the poll finds one that is due and claims it
//     under {due, not leased, not given up} -> leased for skew + leaseTime, by a holder id made for this try.
//  2. Try (attempt.go): drop it, unsent, when its code is not the valid one any more; else one dialogue, cut hard skew
//     (and a moment) before the lease ends.
//  3. Sent or dropped: delete under {_id, by}. Failed: {_id, by} -> not leased, due after a backoff.
//  4. What no longer ends by 3 (a crash, a store that doesn't answer) comes due when its lease has run out.
//
// Invariants: never two dialogues for one mail at once, with clocks up to skew apart; a mail is never lost before GiveUpAt; no
// superseded, used or expired code leaves. A final answer that is lost can double a mail, which keeps its Message-ID.

// Store is the part of issuer.Store that the outbox's worker uses; see there for each method.
type Store interface {
	DueMails(ctx context.Context, now time.Time, limit int) ([]string, error)
	ClaimMail(ctx context.Context, id string, now, leaseUntil time.Time, by string) (issuer.Mail, bool, error)
	DeferMail(ctx context.Context, id, by string, now, dueAt time.Time) (bool, error)
	DeleteMail(ctx context.Context, id, by string) (bool, error)
	QueuedMails(ctx context.Context, now time.Time) (int64, error)
	Challenge(ctx context.Context, id string) (issuer.Challenge, error)
}

// Keys is the part of issuer.Keys that the worker uses.
type Keys interface {
	Now() time.Time
	Open(sealed []byte, context ...string) ([]byte, error)
}

// DropReason is why a mail was deleted unsent.
type DropReason string

const (
	DropEqualWork  DropReason = "equal_work" // made only so that the work is equal
	DropSuperseded DropReason = "superseded" // a newer code was mailed, or the challenge is gone
	DropUsed       DropReason = "used"       // the challenge is done
	DropExpired    DropReason = "expired"    // the challenge has expired
	DropRefused    DropReason = "refused"    // the server will never take it for this recipient
	DropMalformed  DropReason = "malformed"  // it can't be laid out
	DropGivenUp    DropReason = "given_up"   // its time ran out while it could not be sent
)

// Observer counts what happens to mail, for metrics. Every label is from a small fixed set. Safe for concurrent use.
type Observer interface {
	MailSent(waited time.Duration) // since the mail was made
	MailFailed(stage Stage)        // it will be tried again, or is given up
	MailDropped(reason DropReason)
	MailWaiting(count int64) // in the whole outbox, at each poll; decoys included
}

// WorkerConfig is what a Worker works with. Observer may be nil.
type WorkerConfig struct {
	Store    Store
	Keys     Keys
	Sender   Sender
	Composer Composer
	Skew     time.Duration // SIGNET_CLOCK_SKEW
	Poll     time.Duration // SIGNET_KEY_POLL
	Log      zerolog.Logger
	Observer Observer
}

const (
	// leaseTime and skew make a lease.
	leaseTime = 30 * time.Second
	// cutTime is kept back for the cut itself: a timer is never early, and with clocks skew apart another worker's claim may
	// come right at the end.
	cutTime = 250 * time.Millisecond
	// shortest is the time left of a lease in which a dialogue is still begun.
	shortest = time.Second
	// backoffFirst doubles with every try up to backoffMost.
	backoffFirst = 2 * time.Second
	backoffMost  = 30 * time.Second
	// freshSlots and retrySlots are how many dialogues run at once.
	freshSlots = 6
	retrySlots = 4
	// pageSize is how many due mails are listed at once.
	pageSize = 64
	// storeTime bounds one operation of the store.
	storeTime = 5 * time.Second
	// releaseTime is what Drain keeps back of its time to give leases back.
	releaseTime = time.Second
)

// Worker delivers the outbox. Any number of them, in any number of replicas, may share a store.
type Worker struct {
	WorkerConfig
	slots  *slots
	outage outage
	wake   chan struct{}
	work   context.Context // ends when dialogues under way are to be cut
	cut    context.CancelFunc
}

// NewWorker makes one; Run must run for what Dispatch could not send to leave.
func NewWorker(c WorkerConfig) *Worker {
	if c.Observer == nil {
		c.Observer = unobserved{}
	}
	w := &Worker{WorkerConfig: c, slots: newSlots(freshSlots, retrySlots), outage: outage{log: c.Log}, wake: make(chan struct{}, 1)}
	w.work, w.cut = context.WithCancel(context.Background())
	return w
}

var _ issuer.Postman = (*Worker)(nil)

// Dispatch tries to deliver m, which was just inserted leased to m.By until m.LeaseUntil. It returns at once. When all places
// are taken and the waiting line is full, or after Drain, the mail comes due when its lease ends.
func (w *Worker) Dispatch(m issuer.Mail) {
	run, kept := w.slots.offer(m)
	if !kept {
		w.wakeAt(m.LeaseUntil)
		return
	}
	if !run {
		return
	}
	go func() {
		for ok := true; ok; m, ok = w.slots.next() {
			w.attempt(m)
		}
	}()
}

// Run delivers what is due, every Poll and whenever a backoff or lease of this worker's own ends, until ctx ends. Dialogues
// under way then go on; Drain waits for them.
func (w *Worker) Run(ctx context.Context) {
	var counting sync.WaitGroup
	defer counting.Wait()
	counting.Go(func() { w.every(ctx, nil, w.count) })
	w.every(ctx, w.wake, w.poll)
}

// every runs act at once, every Poll, and when woken, until ctx ends.
func (w *Worker) every(ctx context.Context, wake <-chan struct{}, act func(context.Context)) {
	ticker := time.NewTicker(w.Poll)
	defer ticker.Stop()
	for {
		act(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-wake:
		}
	}
}

// poll starts a try of everything that is due, as places come free.
func (w *Worker) poll(ctx context.Context) {
	for {
		ids, err := w.due(ctx)
		if err != nil {
			if ctx.Err() == nil {
				w.Log.Warn().Str("event", "outbox_unread").Err(err).Msg("the outbox could not be read; trying again at the next poll")
			}
			return
		}
		claimed := 0
		for _, id := range ids {
			if !w.slots.enterRetry(ctx) {
				return
			}
			m, ok, err := w.claim(id)
			if !ok {
				w.slots.leaveRetry()
			}
			if err != nil {
				return // the store is in trouble; the next poll sees
			}
			if !ok {
				continue // another worker's, or gone
			}
			claimed++
			go func() {
				defer w.slots.leaveRetry()
				w.attempt(m)
			}()
		}
		if len(ids) < pageSize || claimed == 0 {
			return
		}
	}
}

func (w *Worker) due(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	return w.Store.DueMails(ctx, w.Keys.Now(), pageSize)
}

// claim leases a due mail to a holder of its own. Its context is not Run's: a claim that is broken off may have been
// applied, and would hold the mail back for a whole lease.
func (w *Worker) claim(id string) (issuer.Mail, bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTime)
	defer cancel()
	now := w.Keys.Now()
	m, ok, err := w.Store.ClaimMail(ctx, id, now, now.Add(w.Skew+leaseTime), rand.Text())
	if err != nil {
		w.Observer.MailFailed(StageStore)
		w.wakeAt(now.Add(w.Skew + leaseTime))
		return issuer.Mail{}, false, err
	}
	return m, ok, nil
}

func (w *Worker) count(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	if n, err := w.Store.QueuedMails(ctx, w.Keys.Now()); err == nil {
		w.Observer.MailWaiting(n)
	}
}

// wakeAt makes Run poll when at has come.
func (w *Worker) wakeAt(at time.Time) {
	time.AfterFunc(max(at.Sub(w.Keys.Now()), 0)+time.Millisecond, func() {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	})
}

// Drain stops new tries, gives waiting mails back, waits for dialogues under way, cuts what is left of them releaseTime
// before ctx's deadline (or at its end), and gives their leases back, so that the next start, or another replica, sends at once. Call it
// when Run's context has ended and the last request is answered.
func (w *Worker) Drain(ctx context.Context) error {
	for _, m := range w.slots.close() {
		w.giveBack(ctx, m, w.Keys.Now())
	}
	patience := ctx
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		left := time.Until(deadline)
		patience, cancel = context.WithTimeout(ctx, left-min(releaseTime, left/2))
		defer cancel()
	}
	select {
	case <-w.slots.idle:
		return nil
	case <-patience.Done():
		w.cut()
	}
	end := time.NewTimer(releaseTime)
	defer end.Stop()
	select {
	case <-w.slots.idle:
		return nil
	case <-end.C:
		return errors.New("mail: some leases could not be given back; those mails leave when their leases have run out")
	}
}

type unobserved struct{}

func (unobserved) MailSent(time.Duration) {}
func (unobserved) MailFailed(Stage)       {}
func (unobserved) MailDropped(DropReason) {}
func (unobserved) MailWaiting(int64)      {}
