package issuer

import "time"

func init() {
	firstPause = 2 * time.Microsecond
	endPage, rewrapPage = 3, 3
}

// RewrapPasses is how often mail under an old key may come anew.
const RewrapPasses = rewrapPasses

// ShareClients gives p the clients that q has read, without an operation of its own.
func (p *Provider) ShareClients(q *Provider) { p.clients.Store(q.clients.Load()) }

// GenerationOf reads the generation out of a refresh token.
func GenerationOf(token string) int64 {
	t, _, _, err := parseRefreshToken(token)
	if err != nil {
		panic(err)
	}
	return t.gen
}

// ChallengeKey is the id under which a challenge is stored.
var ChallengeKey = challengeKey

// Occupy takes every slot and every place in the queue, for good.
func (h *Hasher) Occupy() {
	for range cap(h.slots) {
		h.slots <- struct{}{}
	}
	h.waiting.Add(h.queue)
}
