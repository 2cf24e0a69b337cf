package issuer

import (
	"context"
	"errors"
	"strconv"
	"time"
)

const sweepPage = 100

// scrubAgain is how long after its deletion an account is looked through again: longer than any request that began before may take.
const scrubAgain = time.Minute

// ErrNoKeys is wrapped by Keys.Seal where there is no key-encryption key: at the command line. What would have been mailed stays recorded for a
// server's poll.
var ErrNoKeys = errors.New("no key-encryption key here")

// sweep carries out what an act left on the user, and takes the marks off under the same Ver:
//
//  1. Its sessions: those older than its Epoch are revoked, the others raised to its Ver and roles; of a deleted user, what they knew of
//     device and network goes.
//  2. Of a deleted user: where its lines of the audit log came from goes.
//  3. What its owner is to be told is mailed.
//
// All of it only moves forward, so a sweeper with an older user undoes nothing. Done by the caller before it answers, and again by any poll that finds
// the mark. Without keys (ErrNoKeys) 3 is left, with the marks, to a server.
func (p *Provider) sweep(ctx context.Context, u User, began time.Time) error {
	if err := p.sweepSessions(ctx, u, began); err != nil {
		return err
	}
	if u.State == UserDeleted {
		if err := p.scrubAudit(ctx, u.ID); err != nil {
			return err
		}
	}
	if u.Notice != "" {
		if err := p.tellOfAct(ctx, u); errors.Is(err, ErrNoKeys) {
			return nil
		} else if err != nil {
			return err
		}
	}
	if u.Pending == 0 || began.Before(u.PendingAt.Add(p.sweepsUntil(u))) {
		return nil
	}
	_, err := again(ctx, func() (bool, error) { return p.store.ClearPending(ctx, u.ID, u.Ver) })
	return err
}

// sweepSessions is step 1, page by page, over what does not change.
func (p *Provider) sweepSessions(ctx context.Context, u User, began time.Time) error {
	for after := ""; ; {
		page, err := again(ctx, func() ([]Session, error) { return p.store.SessionsOf(ctx, u.ID, after, sweepPage) })
		if err != nil {
			return err
		}
		for _, s := range page {
			if err := p.sweepSession(ctx, u, s, began); err != nil {
				return err
			}
			after = s.ID
		}
		if len(page) < sweepPage {
			return nil
		}
	}
}

// sweepsUntil is how long after the act a pass must begin to be the last one.
func (p *Provider) sweepsUntil(u User) time.Duration {
	if u.State == UserDeleted {
		return max(p.store.EffectDelay(), scrubAgain)
	}
	return p.store.EffectDelay()
}

func (p *Provider) sweepSession(ctx context.Context, u User, s Session, now time.Time) error {
	if err := p.bringForward(ctx, u, s, now); err != nil {
		return err
	}
	if u.State != UserDeleted || (s.UserAgent == "" && s.IP == "") {
		return nil
	}
	_, err := again(ctx, func() (bool, error) { return p.store.ScrubSession(ctx, s.ID) })
	return err
}

// bringForward revokes a session or raises it.
func (p *Provider) bringForward(ctx context.Context, u User, s Session, now time.Time) error {
	if s.Revoked != nil {
		return nil
	}
	if s.Ver < u.Epoch && s.ID != u.Keep {
		epoch, why := u.Epoch, u.Why
		if why == "" {
			why = RevokedLogoutAll // recorded before reasons were
		}
		_, hit, err := applied(ctx, func() (Session, bool, error) {
			return p.store.RevokeSession(ctx, s.ID, Revoking{At: now, Why: why, VerBelow: &epoch})
		})
		if err != nil || hit {
			return err
		}
	}
	if s.Ver >= u.Ver {
		return nil
	}
	_, _, err := applied(ctx, func() (Session, bool, error) { return p.store.RaiseSession(ctx, s.ID, u.Ver, u.Roles, u.Epoch, u.Keep) })
	return err
}

// scrubAudit takes away where a user's lines of the audit log came from. What somebody else did to it keeps where that came from.
func (p *Provider) scrubAudit(ctx context.Context, userID string) error {
	for after := (Place{}); ; {
		page, err := again(ctx, func() ([]AuditEvent, error) {
			return p.store.ListAudit(ctx, AuditQuery{UserID: userID}, after, sweepPage)
		})
		if err != nil {
			return err
		}
		for _, e := range page {
			after = Place{At: e.At, ID: e.ID}
			if e.Source == "" || (e.Actor != "" && e.Actor != userID) {
				continue
			}
			if _, err := again(ctx, func() (bool, error) { return p.store.ScrubAudit(ctx, e.ID) }); err != nil {
				return err
			}
		}
		if len(page) < sweepPage {
			return nil
		}
	}
}

// tellOfAct mails the owner what an act left to be told, under a name made from the act, and takes the mark off at once: what follows from it is an
// acknowledged insert, which no read of a server that is behind can hide.
func (p *Provider) tellOfAct(ctx context.Context, u User) error {
	at := u.PendingAt
	if at.IsZero() {
		at = p.now()
	}
	cause := "notice:" + u.ID + ":" + strconv.FormatInt(u.Ver, 10)
	err := p.post(ctx, Letter{Kind: u.Notice, To: u.Email, Locale: u.Locale, At: at}, postage{id: cause, giveUpAt: p.now().Add(noticeLife)}, p.now())
	if err != nil {
		return err
	}
	_, err = again(ctx, func() (bool, error) { return p.store.ClearUserNotice(ctx, u.ID, u.Ver) })
	return err
}
