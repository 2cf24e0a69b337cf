package mongodb_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"signet/issuer"
	"signet/keys"
	"signet/repository/conformance"
	"signet/repository/mongodb"
	"signet/repository/mongodb/mongotest"
)

// step is one write of a port, as a caller makes it: with ids and conditions fixed beforehand.
type step struct {
	name    string
	command string
	prepare func(ctx context.Context, s conformance.Store) error
	do      func(ctx context.Context, s conformance.Store) error
	applied func(ctx context.Context, s conformance.Store) (int, error) // how often do took effect
}

var (
	noon    = time.Now().UTC().Truncate(time.Second)
	theUser = issuer.User{ID: "u", State: issuer.UserActive, CreatedAt: noon}
	theMail = issuer.Mail{ID: "m", Sealed: []byte("x"), DueAt: noon, LeaseUntil: noon, By: "maker", GiveUpAt: noon.Add(time.Hour)}

	theSession = issuer.Session{ID: "s", UserID: "u", ClientID: "c", Secret: "k", Exp: noon.Add(time.Hour), At: noon, IdleAt: noon.Add(time.Hour), AbsAt: noon.Add(time.Hour)}

	theChallenge = issuer.Challenge{ID: "c", Purpose: issuer.PurposeLogin, State: issuer.ChallengeOpen, Send: 1, ExpiresAt: noon.Add(time.Hour), NextSendAt: noon}
)

// theAct ends all sessions of a user who has done nothing yet.
func theAct(att string) issuer.Act {
	return issuer.Act{Att: att, At: noon, EndAll: issuer.RevokedLogoutAll}
}

// answered drops what a step returned beside its error: a miss is an answer.
func answered[A any](_ A, _ bool, err error) error { return err }

func hitOrMiss(_ bool, err error) error { return err }

// existing counts a document that is there once.
func existing(err error) (int, error) {
	if errors.Is(err, issuer.ErrNotFound) {
		return 0, nil
	}
	return 1, err
}

func inserted(err error) error {
	if errors.Is(err, issuer.ErrExists) {
		return nil
	}
	return err
}

func count(of []string, want string) (n int) {
	for _, s := range of {
		if s == want {
			n++
		}
	}
	return n
}

var steps = []step{
	{
		name: "InsertSession", command: "insert",
		prepare: func(context.Context, conformance.Store) error { return nil },
		do: func(ctx context.Context, s conformance.Store) error {
			return inserted(s.InsertSession(ctx, theSession))
		},
		applied: func(ctx context.Context, s conformance.Store) (int, error) {
			return existing(ignore(s.Session(ctx, "s")))
		},
	},
	{
		name: "InsertIdentifier", command: "insert",
		prepare: func(context.Context, conformance.Store) error { return nil },
		do: func(ctx context.Context, s conformance.Store) error {
			return inserted(s.InsertIdentifier(ctx, issuer.Identifier{ID: "email:a", UserID: "u", Claim: "mine", Kind: issuer.IdentifierRegister, Payload: &theUser, OpenSince: noon}))
		},
		applied: func(ctx context.Context, s conformance.Store) (int, error) {
			return existing(ignore(s.Identifier(ctx, "email:a")))
		},
	},
	{
		name: "RotateSession", command: "findAndModify",
		prepare: func(ctx context.Context, s conformance.Store) error { return s.InsertSession(ctx, theSession) },
		do: func(ctx context.Context, s conformance.Store) error {
			return answered(s.RotateSession(ctx, issuer.Rotation{SID: "s", Secret: "k", ClientIDs: []string{"c"}, Now: noon, Next: "k2", Idle: time.Hour, Att: "mine"}))
		},
		applied: func(ctx context.Context, s conformance.Store) (int, error) {
			d, err := s.Session(ctx, "s")
			if err == nil && (int(d.Gen) != len(d.Recent) || (d.Gen > 0 && d.By != "mine")) {
				err = fmt.Errorf("half a rotation: %+v", d)
			}
			return int(d.Gen), err
		},
	},
	{
		name: "CountTry", command: "findAndModify",
		prepare: func(ctx context.Context, s conformance.Store) error { return s.InsertChallenge(ctx, theChallenge) },
		do: func(ctx context.Context, s conformance.Store) error {
			return answered(s.CountTry(ctx, "c", issuer.PurposeLogin, "mine", 5, noon))
		},
		applied: func(ctx context.Context, s conformance.Store) (int, error) {
			d, err := s.Challenge(ctx, "c")
			return count(d.Tries, "mine"), err
		},
	},
	{
		name: "ActOnUser", command: "findAndModify",
		prepare: func(ctx context.Context, s conformance.Store) error { return s.InsertUser(ctx, theUser) },
		do: func(ctx context.Context, s conformance.Store) error {
			return answered(s.ActOnUser(ctx, "u", theAct("mine")))
		},
		applied: func(ctx context.Context, s conformance.Store) (int, error) {
			d, err := s.User(ctx, "u")
			if err == nil && (d.Pending != d.Ver || d.Epoch != d.Ver || count(d.Ops, "mine") != int(d.Ver)) {
				err = fmt.Errorf("half an act: %+v", d)
			}
			return int(d.Ver), err
		},
	},
	{
		name: "TakeBudget", command: "findAndModify",
		prepare: func(context.Context, conformance.Store) error { return nil },
		do: func(ctx context.Context, s conformance.Store) error {
			ok, _, err := s.TakeBudget(ctx, "k", "mine", 2, time.Hour, noon)
			if err == nil && !ok {
				err = errors.New("a budget with room refused")
			}
			return err
		},
		applied: func(ctx context.Context, s conformance.Store) (int, error) {
			ok, _, err := s.TakeBudget(ctx, "k", "probe", 2, time.Hour, noon)
			if err != nil || !ok {
				return 2, err // two entries of mine leave no room for another
			}
			ok, _, err = s.TakeBudget(ctx, "k", "probe 2", 2, time.Hour, noon)
			if giveBack := errors.Join(s.GiveBack(ctx, "k", "probe"), s.GiveBack(ctx, "k", "probe 2")); giveBack != nil {
				return 0, giveBack
			}
			if ok {
				return 0, err
			}
			return 1, err
		},
	},
	{
		name: "ClaimMail", command: "findAndModify",
		prepare: func(ctx context.Context, s conformance.Store) error { return s.InsertMail(ctx, theMail) },
		do: func(ctx context.Context, s conformance.Store) error {
			return answered(s.ClaimMail(ctx, "m", noon, noon.Add(time.Minute), "mine"))
		},
		applied: func(ctx context.Context, s conformance.Store) (int, error) {
			due, err := s.DueMails(ctx, noon, 5)
			return 1 - len(due), err
		},
	},
	{
		name: "DeleteMail", command: "delete",
		prepare: func(ctx context.Context, s conformance.Store) error { return s.InsertMail(ctx, theMail) },
		do: func(ctx context.Context, s conformance.Store) error {
			return hitOrMiss(s.DeleteMail(ctx, "m", "maker"))
		},
		applied: func(ctx context.Context, s conformance.Store) (int, error) {
			n, err := s.QueuedMails(ctx, noon)
			return 1 - int(n), err
		},
	},
	{
		name: "SaveRing", command: "findAndModify",
		prepare: func(ctx context.Context, s conformance.Store) error {
			return hitOrMiss(s.SaveRing(ctx, 0, keys.RingDocument{Version: 1, By: "other"}))
		},
		do: func(ctx context.Context, s conformance.Store) error {
			ok, err := s.SaveRing(ctx, 1, keys.RingDocument{Version: 2, By: "mine", Body: []byte("{}")})
			if err == nil && !ok {
				err = errors.New("my own write was taken for another's")
			}
			return err
		},
		applied: func(ctx context.Context, s conformance.Store) (int, error) {
			d, err := s.LoadRing(ctx)
			return int(d.Version) - 1, err
		},
	},
}

// TestFaults: whatever happens between driver and server, a write is applied at most once, exactly once if the server had
// it, its caller is told that the outcome is unknown, and the same call again ends with it applied once.
func TestFaults(t *testing.T) {
	mongotest.Server(t)
	for _, f := range []fault{cutRequest, halfRequest, cutReply, halfReply, stallReply, slowReply, weakReply, electReply} {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			uri := mongotest.URI(t)
			direct := open(t, uri, mongodb.Options{})
			r := newRelay(t, uri)
			for _, step := range steps {
				t.Run(step.name, func(t *testing.T) {
					empty(t, uri)
					meet(t, step, f, r, open(t, r.uri, mongodb.Options{}), direct)
				})
			}
		})
	}
}

func meet(t *testing.T, step step, f fault, r *relay, faulty, direct *mongodb.Store) {
	if err := step.prepare(t.Context(), direct); err != nil {
		t.Fatal(err)
	}
	r.arm(named(step.command), f)
	err := step.do(bounded(t, f), faulty)
	if n := r.release(); n != 1 {
		t.Fatalf("the fault struck %d commands", n)
	}
	resent := retriesWrites(faulty) && f != stallReply
	switch {
	case f == slowReply && err != nil:
		t.Fatal(err)
	case f != slowReply && err == nil && !resent:
		t.Fatal("no error, though the reply was lost")
	case err != nil && !errors.Is(err, issuer.ErrUnknown):
		t.Fatalf("%v does not say that the outcome is unknown", err)
	}
	n, err := step.applied(t.Context(), direct)
	if err != nil {
		t.Fatal(err)
	}
	if n > 1 || (n == 0 && f.reachesServer()) || (n == 1 && !f.reachesServer() && !resent) {
		t.Fatalf("applied %d times", n)
	}
	if err := step.do(t.Context(), direct); err != nil {
		t.Fatalf("again: %v", err)
	}
	if n, err := step.applied(t.Context(), direct); n != 1 || err != nil {
		t.Fatalf("after the same call again: applied %d times, %v", n, err)
	}
}

// TestFaultsOfReads: a read that was not answered is never taken for "not there" or for less than there is.
func TestFaultsOfReads(t *testing.T) {
	uri := mongotest.URI(t)
	direct := open(t, uri, mongodb.Options{})
	if err := errors.Join(direct.InsertUser(t.Context(), theUser), direct.InsertSession(t.Context(), theSession)); err != nil {
		t.Fatal(err)
	}
	for _, f := range []fault{cutRequest, halfRequest, cutReply, halfReply, stallReply, electReply} {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			r := newRelay(t, uri)
			s := open(t, r.uri, mongodb.Options{})
			r.arm(named("find"), f)
			n, err := existing(ignore(s.User(bounded(t, f), "u")))
			misread(t, r, f, n, err)

			r.arm(named("find"), f)
			found, err := s.SessionsOf(bounded(t, f), "u", "", 9)
			misread(t, r, f, len(found), err)
		})
	}
}

// bounded is a context that ends soon if the reply will not come.
func bounded(t *testing.T, f fault) context.Context {
	within := 10 * time.Second
	if f == stallReply {
		within = 200 * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	t.Cleanup(cancel)
	return ctx
}

// misread fails if a read that met f was answered with anything but the one document.
func misread(t *testing.T, r *relay, f fault, n int, err error) {
	t.Helper()
	if r.release() != 1 {
		t.Fatal("the fault did not strike")
	}
	if !errors.Is(err, issuer.ErrUnknown) && (err != nil || n != 1) {
		t.Errorf("found %d, %v", n, err)
	}
	if f == stallReply && err == nil {
		t.Error("no error, though no reply came")
	}
}

// TestExistsWithoutMajority: a document that no majority has may yet be rolled back, so an insert that met it knows nothing.
func TestExistsWithoutMajority(t *testing.T) {
	uri := mongotest.URI(t)
	r := newRelay(t, uri)
	s := open(t, r.uri, mongodb.Options{})
	if err := s.InsertSession(t.Context(), theSession); err != nil {
		t.Fatal(err)
	}
	if err := s.InsertSession(t.Context(), theSession); !errors.Is(err, issuer.ErrExists) || errors.Is(err, issuer.ErrUnknown) {
		t.Errorf("got %v", err)
	}
	r.arm(named("insert"), weakReply)
	if err := s.InsertSession(t.Context(), theSession); !errors.Is(err, issuer.ErrUnknown) || errors.Is(err, issuer.ErrExists) {
		t.Errorf("without a majority: %v", err)
	}
	if r.release() != 1 {
		t.Fatal("not struck")
	}
}
