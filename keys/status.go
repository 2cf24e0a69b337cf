package keys

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Status is a replica's state for metrics, read in one go.
type Status struct {
	At           time.Time // the store's time of all that follows
	RingVersion  int64
	Age          time.Duration // since the ring was confirmed; 0 before the first poll
	SignsUntil   time.Duration // R: the age beyond which nothing is signed
	ServesUntil  time.Duration // Q: the age beyond which no JWKS is served
	ClockOffset  time.Duration // wall clock minus the store's
	ClockLimit   time.Duration // S: the offset beyond which this replica is not ready and writes no ring
	KEKIDs       []string
	Algorithms   []AlgorithmStatus
	Published    int // keys in the JWKS
	JWKSBytes    int
	Polls        int64
	PollFailures int64
	Saves        int64 // versions written
	SavesLost    int64 // races lost, answers lost
	SealFailures int64 // sealed things that did not open
	Ready        error // nil, or why not
}

// AlgorithmStatus is one algorithm's part; kids are "" and times zero where there is none.
type AlgorithmStatus struct {
	Algorithm      Algorithm
	SigningKey     string
	SignedAt       time.Time
	DueAt          time.Time // when the schedule wants the successor
	Standby        string
	StandbyKnown   bool      // every verifier has had it
	StandbyKnownAt time.Time // from when on
	SignsFrom      time.Time // when the standby will take over: due, and known by then
	Rotations      int64     // times that another key began to sign, as far as this replica has seen
}

type counts struct {
	polls, failures, saves, lost atomic.Int64

	rotations map[Algorithm]*atomic.Int64 // of every algorithm, from the start
}

func newCounts() counts {
	return counts{rotations: map[Algorithm]*atomic.Int64{ES256: {}, RS256: {}}}
}

// rotated counts the algorithms whose tokens are signed by another key in after than in before.
func (c *counts) rotated(before, after *Ring) {
	for alg, count := range c.rotations {
		if before.SigningKey(alg) != nil && promoted(before, after, alg) {
			count.Add(1)
		}
	}
}

// Ready is nil, or why this replica should get no requests. The text is for anyone: it holds no secret and no cause.
func (r *Replica) Ready() error {
	v, err := r.usable(r.policy.R())
	if err != nil {
		return err
	}
	if err := r.clock.skewed(); err != nil {
		return err
	}
	if v.problem != nil {
		return v.problem
	}
	return r.pulse.problem()
}

// Status reads it all.
func (r *Replica) Status() Status {
	s := Status{
		At: r.Now(), SignsUntil: r.policy.R(), ServesUntil: r.policy.Q(), ClockOffset: r.clock.offset(), ClockLimit: r.policy.Skew,
		KEKIDs: r.sealer.KEKIDs(), Ready: r.Ready(),
		Polls: r.counts.polls.Load(), PollFailures: r.counts.failures.Load(), Saves: r.counts.saves.Load(), SavesLost: r.counts.lost.Load(), SealFailures: r.sealer.Failures(),
	}
	v := r.view.Load()
	if v == nil {
		return s
	}
	s.RingVersion, s.Age = v.ring.Version, r.clock.instant().since(v.confirmed)
	s.Published, s.JWKSBytes = len(v.ring.Keys), len(v.set.Body)
	for _, alg := range v.ring.algorithms() {
		a := AlgorithmStatus{Algorithm: alg, SignsFrom: v.ring.signsFrom(alg)}
		if n := r.counts.rotations[alg]; n != nil {
			a.Rotations = n.Load()
		}
		if k := v.ring.SigningKey(alg); k != nil {
			a.SigningKey, a.SignedAt, a.DueAt = k.ID, k.SignedAt, k.DueAt
		}
		if k := v.ring.Standby(alg); k != nil {
			a.Standby, a.StandbyKnown, a.StandbyKnownAt = k.ID, v.ring.Known(k, s.At), v.ring.knownAt(k)
		}
		s.Algorithms = append(s.Algorithms, a)
	}
	return s
}

// beat writes the heartbeat. It decides nothing, so that its failure is only told of.
func (r *Replica) beat(ctx context.Context) {
	h := Heartbeat{Replica: r.id, At: r.Now(), KEKIDs: r.sealer.KEKIDs(), ClockOffset: r.clock.offset()}
	if v := r.view.Load(); v != nil {
		h.RingVersion = v.ring.Version
	}
	if err := r.store.PutHeartbeat(ctx, h); err != nil {
		r.tell(Event{Kind: EventHeartbeat, Err: fmt.Errorf("write heartbeat: %w", err)})
	}
}

// noteClock tells when the clock becomes wrong, and when it is right again.
func (r *Replica) noteClock() {
	err := r.clock.skewed()
	if (err != nil) == r.clockWrong {
		return
	}
	r.clockWrong = err != nil
	if r.clockWrong {
		r.tell(Event{Kind: EventClockWrong, Err: err})
	} else {
		r.tell(Event{Kind: EventClockRight})
	}
}

// noteProblem tells of what can't be opened, or does not sign, when that changes.
func (r *Replica) noteProblem() {
	problem := errors.Join(r.view.Load().problem, r.pulse.problem())
	text := ""
	if problem != nil {
		text = problem.Error()
	}
	if text != "" && text != r.unusable {
		r.tell(Event{Kind: EventKeyUnusable, Err: problem})
	}
	r.unusable = text
}

func (r *Replica) tell(e Event) {
	if r.events == nil {
		return
	}
	r.telling.Lock()
	defer r.telling.Unlock()
	e.At = r.Now()
	r.events(e)
}
