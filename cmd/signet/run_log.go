package main

import (
	"fmt"
	"strings"

	"github.com/rs/zerolog"

	"signet/keys"
)

// logPolicy logs the policy's inequalities with every term, and each warning on a line of its own. A developer at a terminal has what matters of it
// in the banner.
func (s *server) logPolicy(a keys.Arithmetic) {
	level := zerolog.InfoLevel
	if s.brief {
		level = zerolog.DebugLevel
	}
	lines := zerolog.Arr()
	for _, l := range a.Lines {
		lines.Str(l.String())
	}
	s.log.WithLevel(level).Str("event", "keys.policy").Array("arithmetic", lines).Msg("key policy")
	for _, w := range a.Warnings {
		s.log.Warn().Str("event", "keys.policy").Msg(w)
	}
}

// policyBrief is the two lines of the arithmetic that a newcomer may want to see.
func policyBrief(a keys.Arithmetic) string {
	var b strings.Builder
	b.WriteString("Key policy:")
	for _, l := range a.Lines {
		if l.Name == "I1" || l.Name == "I2" {
			fmt.Fprintf(&b, "\n  %s", l)
		}
	}
	return b.String()
}

// keyEvent logs what happens to the ring and this replica's view of it.
func (s *server) keyEvent(e keys.Event) {
	line := s.log.WithLevel(keyEventLevel(e.Kind)).Str("event", "keys."+string(e.Kind)).Int64("ring", e.RingVersion)
	if e.KeyID != "" {
		line.Str("kid", e.KeyID)
	}
	if len(e.Changes) > 0 {
		changes := zerolog.Arr()
		for _, c := range e.Changes {
			changes.Str(c.String())
		}
		line.Array("changes", changes)
	}
	line.AnErr("error", e.Err).Msg(strings.ReplaceAll(string(e.Kind), "_", " "))
}

func keyEventLevel(kind keys.EventKind) zerolog.Level {
	switch kind {
	case keys.EventRingChanged, keys.EventClockRight, keys.EventKEKsReplaced, keys.EventKeyDestroyed:
		return zerolog.InfoLevel
	case keys.EventRingAdopted, keys.EventSaveLost:
		return zerolog.DebugLevel
	case keys.EventPollFailed, keys.EventHeartbeat, keys.EventTooManyKeys, keys.EventKeyNotDestroyed:
		return zerolog.WarnLevel
	}
	return zerolog.ErrorLevel
}
