package issuer

import "time"

// stepUpAge is how long a sign-in, or a step-up, stands for what is dangerous.
const stepUpAge = 15 * time.Minute

var errStepUpRequired = refusal(KindStepUpRequired, "Confirm first that it is you: this takes a password and a code given within the last 15 minutes.")

// requireRecent refuses a caller whose token was granted on a password and a code given longer ago than stepUpAge (RFC 9470).
func requireRecent(caller Principal, now time.Time) error {
	if now.Sub(caller.AuthTime) > stepUpAge {
		return errStepUpRequired
	}
	return nil
}
