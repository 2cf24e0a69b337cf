package keys

import "time"

// EventKind is what happened to a replica or the ring, in words for a log and a metric.
type EventKind string

const (
	EventRingChanged     EventKind = "ring_changed"     // this replica wrote a version; Changes says what is new in it
	EventRingAdopted     EventKind = "ring_adopted"     // another's version is in use here
	EventRingWentBack    EventKind = "ring_went_back"   // a backup was restored under running replicas; merged
	EventSaveLost        EventKind = "save_lost"        // another was first, or the answer was lost; loaded again
	EventPollFailed      EventKind = "poll_failed"      // Err; the ring in use grows older
	EventHeartbeat       EventKind = "heartbeat_failed" // Err; harmless
	EventClockWrong      EventKind = "clock_wrong"      // Err; not ready, writes no ring
	EventClockRight      EventKind = "clock_right"
	EventKEKsReplaced    EventKind = "keks_replaced"     // the KEK file changed
	EventKEKFileRefused  EventKind = "kek_file_refused"  // Err; the keys read before stay
	EventKeyUnusable     EventKind = "key_unusable"      // Err; not ready
	EventKeyDestroyed    EventKind = "key_destroyed"     // KeyID left the ring, and is gone from the vault that had it
	EventKeyNotDestroyed EventKind = "key_not_destroyed" // KeyID left the ring, and is in its vault still; Err. Tried again at every poll
	EventTooManyKeys     EventKind = "too_many_keys"     // more are published than every verifier reads
)

// Event is told to ReplicaConfig.Events, one at a time and in order. It holds no secret.
type Event struct {
	Kind        EventKind
	At          time.Time // the store's time as the replica knows it
	RingVersion int64
	KeyID       string
	Changes     []Change
	Err         error
}
