package mail

import (
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// outage tells the log that mail isn't leaving, and that it is again: once at each turn and once in a while between, never
// once a mail. What is logged names no recipient.
type outage struct {
	log zerolog.Logger

	mu       sync.Mutex
	since    time.Time // zero while mail leaves
	failures int
	warned   time.Time // of the last warning
	loud     bool      // this outage was warned of
}

// An outage is warned of again after repeat; one that follows a warning within quiet is not: a server that fails every
// other mail would else fill the log.
const (
	repeatWarning = 10 * time.Minute
	quietWarning  = time.Minute
)

// failed records a failure that any mail would have met.
func (o *outage) failed(now time.Time, cause error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	pause := repeatWarning
	if o.since.IsZero() {
		o.since, o.failures, o.loud, pause = now, 0, false, quietWarning
	}
	o.failures++
	if !o.warned.IsZero() && now.Sub(o.warned) < pause {
		return
	}
	o.warned, o.loud = now, true
	o.log.Warn().Str("event", "mail_failing").Err(cause).Time("since", o.since).Int("failures", o.failures).
		Msg("mail is not leaving; it stays queued and is tried again until its code expires")
}

// worked records that a mail was accepted.
func (o *outage) worked(now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() {
		return
	}
	if o.loud {
		o.log.Info().Str("event", "mail_recovered").Time("since", o.since).Int("failures", o.failures).Msg("mail is leaving again")
	}
	o.since = time.Time{}
}
