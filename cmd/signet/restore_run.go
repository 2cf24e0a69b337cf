package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"signet/issuer"
	"signet/keys"
	"signet/repository/mongodb"
	"signet/repository/sqlite"
)

// restorable is a store that can be told to drop what a restore must not go on with.
type restorable interface {
	store
	ForgetTransient(ctx context.Context) error
}

var _, _ restorable = (*mongodb.Store)(nil), embedded{}

// restoredStore is the answer of restore. What is not known is null.
type restoredStore struct {
	MadeAt      *time.Time    `json:"backup_made_at"` // about
	Completed   bool          `json:"completed"`      // only the last step of an earlier run was left
	Replaced    string        `json:"replaced"`       // where the store from before is now; "" for none
	Sessions    int           `json:"sessions_ended"`
	Users       int           `json:"users"`
	Released    int           `json:"identifiers_released"`
	Inserted    int           `json:"identifiers_restored"`
	Conflicts   []string      `json:"conflicts"` // ids of users who were disabled or lost their username
	Revoked     []string      `json:"revoked"`   // kids
	LostKeys    []string      `json:"keys_lost"` // kids published by the store from before that the backup lacks
	LostUsers   *int          `json:"users_lost"`
	KeyChanges  []keys.Change `json:"key_changes"`
	interrupted bool
	queued      int64
	outstanding int64
	unmet       []string // kids named by --revoked that the backup does not have
	unread      error    // why the store from before could not be read
}

// noneRestored has every list, empty.
func noneRestored() restoredStore {
	return restoredStore{Conflicts: []string{}, Revoked: []string{}, LostKeys: []string{}, KeyChanges: []keys.Change{}}
}

// nobodyServes refuses while a replica lives on the store: it would go on with what the restore is to drop.
func nobodyServes(ctx context.Context, l *loaded, st keys.RingStore) error {
	beats, err := st.Heartbeats(ctx)
	if err != nil {
		return fmt.Errorf("list replicas: %w", err)
	}
	now, err := st.StoreTime(ctx)
	if err != nil {
		return fmt.Errorf("ask the store's time: %w", err)
	}
	bound := 4*l.KeyPoll + st.StaleReads() + 2*l.ClockSkew
	var live []string
	for _, b := range beats {
		if now.Sub(b.At) < bound {
			live = append(live, b.Replica)
		}
	}
	if len(live) == 0 {
		return nil
	}
	return fmt.Errorf("servers run on this store, or did less than %s ago: %s; stop them first", formatDuration(bound), strings.Join(live, ", "))
}

// restoreStore makes a store that nobody serves fit to be served. Before anything is changed it is sure that all of it can be, says what is lost, and
// asks.
func (p *program) restoreStore(ctx context.Context, l *loaded, st restorable, f restoreFlags, replacing bool) (restoredStore, error) {
	operator, err := keyOperator(l, st)
	if err != nil {
		return restoredStore{}, err
	}
	standing, err := operator.Standing(ctx)
	if err == nil {
		err = operator.CheckOpen(ctx)
		if err != nil {
			err = fmt.Errorf("SIGNET_KEK_FILE does not open all of the backup: %w", err)
		}
	}
	if err != nil && !errors.Is(err, keys.ErrNoRing) {
		return restoredStore{}, err
	}
	done, err := foreseen(ctx, st, standing)
	if err != nil {
		return done, err
	}
	if done.Revoked = append(done.Revoked, f.revoked...); replacing {
		learnFromReplaced(ctx, l, st, standing, &done)
	}
	for _, kid := range f.revoked {
		if !slices.Contains(standing.Published, kid) && !slices.Contains(standing.Revoked, kid) {
			done.unmet = append(done.unmet, kid)
		}
	}
	slices.Sort(done.Revoked)
	done.Revoked = slices.Compact(done.Revoked)
	done.say(p, replacing)
	if !f.yes {
		if err := p.confirm("Do this?"); err != nil {
			return done, err
		}
	}
	err = p.runRestore(ctx, l, st, operator, &done)
	return done, err
}

// foreseen is what a restore will cost, as the backup tells.
func foreseen(ctx context.Context, st restorable, standing keys.Standing) (restoredStore, error) {
	done := noneRestored()
	done.interrupted = standing.Restarting != ""
	now, err := st.StoreTime(ctx)
	if err != nil {
		return done, err
	}
	beats, err := st.Heartbeats(ctx)
	if err != nil {
		return done, err
	}
	made := standing.AttendedAt
	for _, b := range beats {
		if b.At.After(made) {
			made = b.At
		}
	}
	if !made.IsZero() {
		made = made.UTC().Truncate(time.Second)
		done.MadeAt = &made
	}
	counts, err := st.Counts(ctx, now)
	if err != nil {
		return done, err
	}
	done.outstanding = counts.Outstanding
	done.queued, err = st.QueuedMails(ctx, now)
	return done, err
}

// learnFromReplaced asks the store that will be replaced what it knows and the backup can't. One that can't be read tells nothing.
func learnFromReplaced(ctx context.Context, l *loaded, backup issuer.Users, ring keys.Standing, done *restoredStore) {
	c := &l.Config
	if _, err := os.Stat(c.embeddedFile()); err != nil {
		return
	}
	done.unread = func() error {
		s, err := sqlite.Open(ctx, c.embeddedFile(), sqlite.Options{AsIs: true})
		if err != nil {
			return err
		}
		old := embedded{s, nil}
		defer func() { _ = old.Close(ctx) }()
		standing, err := keyReader(l, old).Standing(ctx)
		if err != nil && !errors.Is(err, keys.ErrNoRing) {
			return err
		}
		done.Revoked = append(done.Revoked, standing.Revoked...)
		for _, kid := range standing.Published {
			if !slices.Contains(ring.Published, kid) {
				done.LostKeys = append(done.LostKeys, kid)
			}
		}
		counts, err := old.Counts(ctx, time.Now())
		if err != nil {
			return err
		}
		done.outstanding = counts.Outstanding
		lost, err := usersLost(ctx, old, backup, done.MadeAt)
		done.LostUsers = &lost
		return err
	}()
}

// usersLost counts the users of a store that a backup lacks. Those made well before the backup are not looked for.
func usersLost(ctx context.Context, st, backup issuer.Users, made *time.Time) (lost int, err error) {
	after := issuer.Place{}
	if made != nil {
		after.At = made.Add(-time.Hour)
	}
	for {
		page, err := st.ListUsers(ctx, issuer.UserQuery{}, after, listPage)
		if err != nil {
			return lost, err
		}
		for _, u := range page {
			after = issuer.Place{At: u.CreatedAt, ID: u.ID}
			if _, err := backup.User(ctx, u.ID); errors.Is(err, issuer.ErrNotFound) {
				lost++
			} else if err != nil {
				return lost, err
			}
		}
		if len(page) < listPage {
			return lost, nil
		}
	}
}

// runRestore carries it out.
func (p *program) runRestore(ctx context.Context, l *loaded, st restorable, operator keys.Operator, done *restoredStore) error {
	provider, err := p.operatorProvider(ctx, &l.Config, st, nil)
	if err != nil {
		return err
	}
	detail := "every session ended"
	if done.MadeAt != nil {
		detail = "from a backup of about " + done.MadeAt.Format(time.RFC3339) + "; " + detail
	}
	sum, err := provider.Restore(ctx, issuer.Restoring{Ring: operator, Forget: st.ForgetTransient, Revoked: done.Revoked, Detail: detail,
		Progress: func(what string, n int) {
			if n > 0 && n%restoreTell == 0 {
				fmt.Fprintf(p.err, "%d %s so far\n", n, what)
			}
		}})
	if err != nil {
		return plainRefusal(err)
	}
	done.Sessions, done.Users, done.Released, done.Inserted = sum.Sessions, sum.Users, sum.Released, sum.Inserted
	done.Conflicts = append(done.Conflicts, sum.Conflicts...)
	done.KeyChanges = append(done.KeyChanges, sum.KeyChanges...)
	return nil
}

// restoreTell is how often a long restore says how far it is.
const restoreTell = 10_000
