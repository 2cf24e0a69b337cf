package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"signet/keys"
)

// What is read when /metrics is asked for, and so costs nothing otherwise.

// hashStats is what a hasher tells of itself (issuer.Hasher).
type hashStats interface {
	Stats() (busy, waiting, hashes int64)
}

// ringStatus is what a replica tells of itself (keys.Replica).
type ringStatus interface {
	Status() keys.Status
}

// watch adds the gauges of the key ring and the password hasher.
func (m *metrics) watch(ring ringStatus, hasher hashStats) {
	m.registry.MustRegister(ringCollector{ring}, hashCollector{hasher})
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	hashBusy    = describe("signet_hash_slots_busy", "Passwords being hashed now.")
	hashWaiting = describe("signet_hash_queue", "Callers that wait for a hash slot.")
	hashTotal   = describe("signet_hashes_total", "Passwords hashed.")
)

type hashCollector struct{ from hashStats }

func (hashCollector) Describe(to chan<- *prometheus.Desc) {
	to <- hashBusy
	to <- hashWaiting
	to <- hashTotal
}

func (c hashCollector) Collect(to chan<- prometheus.Metric) {
	busy, waiting, hashes := c.from.Stats()
	to <- prometheus.MustNewConstMetric(hashBusy, prometheus.GaugeValue, float64(busy))
	to <- prometheus.MustNewConstMetric(hashWaiting, prometheus.GaugeValue, float64(waiting))
	to <- prometheus.MustNewConstMetric(hashTotal, prometheus.CounterValue, float64(hashes))
}

var (
	ringVersion   = describe("signet_ring_version", "Version of the key ring in use.")
	ringAge       = describe("signet_ring_age_seconds", "Time since the store confirmed the key ring.")
	ringReady     = describe("signet_ready", "1 when this replica should get requests.")
	ringOffset    = describe("signet_clock_offset_seconds", "This machine's clock minus the store's.")
	ringSigns     = describe("signet_ring_age_limit_seconds", "Age of the key ring beyond which nothing is signed here.")
	ringServes    = describe("signet_jwks_age_limit_seconds", "Age of the key ring beyond which no JWKS is served here.")
	ringSkew      = describe("signet_clock_offset_limit_seconds", "Clock offset, either way, beyond which this replica is not ready.")
	ringPublished = describe("signet_jwks_keys", "Keys in the JWKS.")
	ringBytes     = describe("signet_jwks_bytes", "Size of the JWKS.")
	ringPolls     = describe("signet_ring_polls_total", "Reads of the key ring, by outcome.", "outcome")
	ringSaves     = describe("signet_ring_saves_total", "Versions of the key ring written, by outcome: another replica may have been first.", "outcome")
	ringSeals     = describe("signet_seal_failures_total", "Sealed keys, secrets and mails that did not open: an unknown KEK, or altered data.")
	ringSignedAt  = describe("signet_key_signed_at_seconds", "When the signing key began to sign, Unix time.", "alg")
	ringDueAt     = describe("signet_key_rotation_due_seconds", "When the schedule wants the next key to sign, Unix time.", "alg")
	ringKeyAge    = describe("signet_key_age_seconds", "How long the signing key has signed.", "alg")
	ringNext      = describe("signet_key_next_rotation_seconds", "Time until the next key signs: when it is due, and every verifier has had it. Below zero it is overdue.", "alg")
	ringRotations = describe("signet_key_rotations_total", "Times that another key began to sign, by schedule or command, as this replica has seen.", "alg")
	ringKnown     = describe("signet_standby_known", "1 when every verifier has had the standby key.", "alg")
	ringKnownAt   = describe("signet_standby_known_at_seconds", "From when on every verifier has had the standby key, Unix time.", "alg")
)

type ringCollector struct{ from ringStatus }

func (ringCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{ringVersion, ringAge, ringReady, ringOffset, ringSigns, ringServes, ringSkew, ringPublished, ringBytes, ringPolls, ringSaves, ringSeals,
		ringSignedAt, ringDueAt, ringKeyAge, ringNext, ringRotations, ringKnown, ringKnownAt} {
		to <- d
	}
}

func (c ringCollector) Collect(to chan<- prometheus.Metric) {
	s := c.from.Status()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	count := func(d *prometheus.Desc, value int64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
	}
	gauge(ringVersion, float64(s.RingVersion))
	gauge(ringAge, s.Age.Seconds())
	gauge(ringReady, oneIf(s.Ready == nil))
	gauge(ringOffset, s.ClockOffset.Seconds())
	gauge(ringSigns, s.SignsUntil.Seconds())
	gauge(ringServes, s.ServesUntil.Seconds())
	gauge(ringSkew, s.ClockLimit.Seconds())
	gauge(ringPublished, float64(s.Published))
	gauge(ringBytes, float64(s.JWKSBytes))
	count(ringPolls, s.Polls-s.PollFailures, "ok")
	count(ringPolls, s.PollFailures, "failed")
	count(ringSaves, s.Saves, "won")
	count(ringSaves, s.SavesLost, "lost")
	count(ringSeals, s.SealFailures)
	for _, a := range s.Algorithms {
		alg := string(a.Algorithm)
		count(ringRotations, a.Rotations, alg)
		if a.SigningKey != "" {
			gauge(ringKeyAge, s.At.Sub(a.SignedAt).Seconds(), alg)
			gauge(ringSignedAt, float64(a.SignedAt.Unix()), alg)
			gauge(ringDueAt, float64(a.DueAt.Unix()), alg)
		}
		if a.Standby != "" {
			gauge(ringNext, a.SignsFrom.Sub(s.At).Seconds(), alg)
			gauge(ringKnown, oneIf(a.StandbyKnown), alg)
			gauge(ringKnownAt, float64(a.StandbyKnownAt.Unix()), alg)
		}
	}
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
