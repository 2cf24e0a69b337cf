package mail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"signet/issuer"
)

// attempt is one try of a mail that is leased to m.By: it ends with the mail deleted, deferred, or left to its lease.
func (w *Worker) attempt(m issuer.Mail) {
	now := w.Keys.Now()
	if !m.GiveUpAt.After(now) {
		w.drop(m, DropGivenUp)
		return
	}
	left := m.LeaseUntil.Add(-w.Skew - cutTime).Sub(now)
	if left < shortest {
		w.giveBack(context.Background(), m, now) // it waited too long for its place
		return
	}
	// The end of its time cuts a dialogue too: a code must not leave when it has expired.
	ctx, cancel := context.WithTimeout(w.work, min(left, m.GiveUpAt.Sub(now)))
	defer cancel()
	reason, err := w.deliver(ctx, m)
	switch {
	case reason != "":
		w.drop(m, reason)
	case err != nil:
		w.failed(m, err)
	default:
		done := w.Keys.Now()
		w.outage.worked(done)
		w.Observer.MailSent(done.Sub(m.CreatedAt))
		w.remove(m)
	}
}

// deliver takes a mail through check, open and layout to the dialogue. A reason says that it is never to be sent. A mail that is made for
// equal work alone takes the same path up to the dialogue.
func (w *Worker) deliver(ctx context.Context, m issuer.Mail) (DropReason, error) {
	plain, err := w.Keys.Open(m.Sealed, "outbox", m.ID)
	if err != nil {
		// The key may turn up: a replica that lacks it reads its file again.
		return "", &stepError{StageOpen, fmt.Errorf("a mail can't be opened: %w", err)}
	}
	var letter issuer.Letter
	if err := json.Unmarshal(plain, &letter); err != nil {
		return w.malformed(m, errors.New("a mail holds no letter")), nil
	}
	message, err := w.Composer.Compose(m.ID, m.CreatedAt, letter)
	if err != nil {
		return w.malformed(m, err), nil
	}
	reason, err := w.current(ctx, m)
	if err != nil || reason != "" {
		return reason, err
	}
	if m.Drop {
		return DropEqualWork, nil
	}
	err = w.Sender.Send(ctx, message)
	var failure *Failure
	switch {
	case err == nil:
		return "", nil
	case errors.Is(err, ErrMalformed):
		return w.malformed(m, err), nil
	case errors.As(err, &failure) && failure.Permanent():
		w.Log.Warn().Str("event", "mail_refused").Err(err).Str("message_id", message.MessageID).Msg("the mail server refuses a recipient for good")
		return DropRefused, nil
	}
	return "", err
}

// current reads whether the code in m is the valid one. It is the last step before the dialogue.
func (w *Worker) current(ctx context.Context, m issuer.Mail) (DropReason, error) {
	if m.Challenge == "" {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	c, err := w.Store.Challenge(ctx, m.Challenge)
	switch {
	case errors.Is(err, issuer.ErrNotFound):
		return DropSuperseded, nil
	case err != nil:
		return "", &stepError{StageStore, fmt.Errorf("a challenge can't be read: %w", err)}
	case c.State != issuer.ChallengeOpen:
		return DropUsed, nil
	case !c.ExpiresAt.After(w.Keys.Now()):
		return DropExpired, nil
	case c.Send != m.Send:
		return DropSuperseded, nil
	}
	return "", nil
}

// stepError is a failure before the dialogue.
type stepError struct {
	stage Stage
	cause error
}

func (e *stepError) Error() string { return e.cause.Error() }
func (e *stepError) Unwrap() error { return e.cause }

// failed puts the mail back for a later try, or gives it up when there will be none.
func (w *Worker) failed(m issuer.Mail, err error) {
	now := w.Keys.Now()
	if w.work.Err() != nil {
		w.giveBack(context.Background(), m, now) // cut by Drain, which is nobody's failure
		return
	}
	w.report(now, err)
	due := now.Add(backoff(m.Tries))
	if last := m.GiveUpAt.Add(-backoffFirst); due.After(last) {
		due = last // one more try, as late as there is time for it
	}
	switch {
	case !due.After(now):
		w.drop(m, DropGivenUp)
	case w.slots.closing():
		w.giveBack(context.Background(), m, now)
	default:
		w.giveBack(context.Background(), m, due)
	}
}

// report tells log and metrics of a failure: an outage when any mail would have met it.
func (w *Worker) report(now time.Time, err error) {
	stage := StageOther
	var step *stepError
	var failure *Failure
	switch {
	case errors.As(err, &step):
		stage = step.stage
	case errors.As(err, &failure):
		stage = failure.Stage
	}
	w.Observer.MailFailed(stage)
	if failure != nil && !failure.aboutServer() {
		w.Log.Info().Str("event", "mail_deferred").Err(err).Msg("the mail server puts a recipient off")
		return
	}
	w.outage.failed(now, err)
}

// backoff is 2 s after the first try, doubling to 30 s.
func backoff(tries int64) time.Duration {
	wait := backoffFirst
	for i := int64(1); i < tries && wait < backoffMost; i++ {
		wait *= 2
	}
	return min(wait, backoffMost)
}

func (w *Worker) malformed(m issuer.Mail, err error) DropReason {
	w.Log.Error().Str("event", "mail_malformed").Err(err).Str("message_id", w.Composer.messageID(m.ID)).Msg("a mail can't be laid out and is dropped")
	return DropMalformed
}

func (w *Worker) drop(m issuer.Mail, reason DropReason) {
	w.Observer.MailDropped(reason)
	w.remove(m)
}

// giveBack ends the lease and makes the mail due at due. When that can't be done the lease runs out by itself.
func (w *Worker) giveBack(ctx context.Context, m issuer.Mail, due time.Time) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	if _, err := w.Store.DeferMail(ctx, m.ID, m.By, w.Keys.Now(), due); err != nil {
		w.Observer.MailFailed(StageStore)
		due = m.LeaseUntil
	}
	w.wakeAt(due)
}

// remove deletes the mail, and goes on trying while the lease lasts: a mail that was sent and stays would be sent again.
func (w *Worker) remove(m issuer.Mail) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, storeTime) {
		ctx, cancel := context.WithTimeout(context.Background(), storeTime)
		_, err := w.Store.DeleteMail(ctx, m.ID, m.By)
		cancel()
		if err == nil {
			return
		}
		w.Observer.MailFailed(StageStore)
		if !w.Keys.Now().Add(wait).Before(m.LeaseUntil) {
			w.Log.Warn().Str("event", "mail_kept").Err(err).Msg("a finished mail could not be deleted and may be sent again")
			w.wakeAt(m.LeaseUntil)
			return
		}
		select {
		case <-time.After(wait):
		case <-w.work.Done():
			return
		}
	}
}
