package issuer

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Act is one change of a user that sessions or challenges must notice. It takes the user from Ver to Ver+1 in one write; a miss tells that
// somebody else acted first. What follows on other documents is recorded in the same write (Pending, Notice, Release) and carried out by the
// caller before it answers, or after a crash by any replica's poll.
type Act struct {
	Ver     int64  // the user's Ver when it was decided
	NameRev *int64 // the user's NameRev then, if the act depends on it; nil if not
	Att     string // added to Ops
	At      time.Time

	EndAll RevokeReason // why every session but Keep ends, and every challenge with it; "" ends none
	Keep   string

	State         UserState // "" leaves it
	Roles         *[]string // nil leaves them
	PasswordHash  *string   // nil leaves it; else ResetRequired goes too
	ResetRequired bool      // true sets it
	EmailVerified bool      // true sets it
	Email         string    // the canonical new address, proven; "" leaves it. Challenges end with it
	Erase         bool      // what is personal goes
	Release       []string  // identifiers that are to be let go
	Notice        LetterKind
}

// sweeps says whether sessions have to be looked at afterwards.
func (a Act) sweeps() bool {
	return a.EndAll != "" || a.Roles != nil || a.State != "" || a.Notice != ""
}

// Apply is the user after the act, and false, with nothing changed, when its condition does not hold.
func (a Act) Apply(u User) (User, bool) {
	if u.Ver != a.Ver || (a.NameRev != nil && u.NameRev != *a.NameRev) {
		return u, false
	}
	u.Ver++
	u.Ops = append(slices.Clone(u.Ops), a.Att)
	u.Ops = u.Ops[max(0, len(u.Ops)-OpsKept):]
	if a.EndAll != "" {
		u.Cred, u.Epoch, u.Keep, u.Why = u.Ver, u.Ver, a.Keep, a.EndAll
	}
	if a.sweeps() {
		u.Pending, u.PendingAt = u.Ver, a.At
	}
	if a.Notice != "" {
		u.Notice = a.Notice
	}
	if a.State != "" {
		u.State = a.State
	}
	if a.Roles != nil {
		u.Roles = slices.Clone(*a.Roles)
	}
	if a.PasswordHash != nil {
		u.PasswordHash, u.ResetRequired = *a.PasswordHash, false
	}
	u.ResetRequired = u.ResetRequired || a.ResetRequired
	u.EmailVerified = u.EmailVerified || a.EmailVerified
	if a.Email != "" {
		u.Email, u.EmailRev, u.EmailVerified, u.Cred = a.Email, u.EmailRev+1, true, u.Ver
	}
	if len(a.Release) > 0 {
		u.Release, u.ReleaseAt = append(slices.Clone(u.Release), a.Release...), a.At
	}
	if a.Erase {
		u = erased(u)
	}
	return u, true
}

// erased is what stays of a user who is gone: the id, so that it is never given out again, and the counters.
func erased(u User) User {
	return User{
		ID: u.ID, State: u.State, EmailRev: u.EmailRev, NameRev: u.NameRev, Ver: u.Ver, Cred: u.Cred, Epoch: u.Epoch, Keep: u.Keep, Ops: u.Ops,
		Pending: u.Pending, PendingAt: u.PendingAt, Why: u.Why, Release: u.Release, ReleaseAt: u.ReleaseAt,
	}
}

// act decides on the user as it is and writes, again until nobody comes between. An earlier write of the same att, whose answer was lost,
// is a win. Errors are those of decide, and unavailable.
//
// A sign-in inserts its session before its write to the user, an end-all writes the user before it lists sessions: one of them sees the other. What the
// owner is still to be told of an earlier act is told first, to the address and with the Ver that the user has until this one.
func (p *Provider) act(ctx context.Context, u User, att string, now time.Time, decide func(User) (Act, error)) (User, error) {
	for range 8 {
		a, err := decide(u)
		if err != nil {
			return u, err
		}
		if u.Notice != "" {
			if err := p.tellOfAct(ctx, u); err != nil && !errors.Is(err, ErrNoKeys) {
				return u, err
			}
		}
		a.Ver, a.Att, a.At = u.Ver, att, now
		next, hit, err := applied(ctx, func() (User, bool, error) { return p.store.ActOnUser(ctx, u.ID, a) })
		if err != nil || hit {
			return next, err
		}
		if u, err = again(ctx, func() (User, error) { return p.store.User(ctx, u.ID) }); err != nil {
			return u, err
		}
		if u.Did(att) {
			return u, nil
		}
	}
	return u, unavailable(errors.New("the account changes too often"))
}

// unhurried keeps the request's time and forgets that its sender may hang up: an act that was begun is finished and recorded, so that nobody can change
// something and keep it out of the audit log by closing the connection.
func unhurried(ctx context.Context) (context.Context, context.CancelFunc) {
	free := context.WithoutCancel(ctx)
	if at, ok := ctx.Deadline(); ok {
		return context.WithDeadline(free, at)
	}
	return context.WithCancel(free)
}
