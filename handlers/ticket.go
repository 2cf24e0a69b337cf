package handlers

import "signet/issuer"

// ticketJSON is the API's Challenge: what whoever passed the password step, or asked for an account, holds.
type ticketJSON struct {
	ChallengeID string       `json:"challenge_id"`
	ExpiresIn   int64        `json:"expires_in"`
	ResendIn    int64        `json:"resend_in"`
	CodeLength  int          `json:"code_length"`
	Delivery    deliveryJSON `json:"delivery"`
}

type deliveryJSON struct {
	Channel string `json:"channel"`
	Hint    string `json:"hint"`
}

func ticketAnswer(status int, t issuer.Ticket) answer {
	return answer{status, ticketJSON{t.ChallengeID, t.ExpiresIn, t.ResendIn, t.CodeLength, deliveryJSON{"email", t.Hint}}}
}
