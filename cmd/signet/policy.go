package main

import (
	"signet/issuer"
	"signet/keys"
)

// keyPolicy is the configured lifecycle of keys and secrets.
func (c *Config) keyPolicy() keys.Policy {
	p := keys.DefaultPolicy()
	p.PublishAhead = c.KeyPublishAhead
	p.SigningPeriod = c.KeySigningPeriod
	p.Poll = c.KeyPoll
	p.Skew = c.ClockSkew
	p.JWKSMaxAge = c.JWKSMaxAge
	p.StaleIfError = c.JWKSStaleIfError
	p.TokenTTL = max(c.AccessTTL, c.IDTokenTTL)
	p.RSABits = c.RSABits
	p.RefreshLife = c.RefreshIdleTTL
	p.CodeLife = c.CodeTTL
	p.OutageAfter, p.AttendEvery = 0, 0 // worked out from the publish-ahead and the poll
	return p.Resolved()
}

// provider is the issuer's part of the configuration.
func (c *Config) provider() issuer.Settings {
	limit := func(b Budget) issuer.Limit { return issuer.Limit{N: b.Limit, Window: b.Window} }
	return issuer.Settings{
		Issuer:          c.Issuer,
		Audience:        c.Audience,
		Skew:            c.ClockSkew,
		AccessTTL:       c.AccessTTL,
		AccessAlg:       keys.Algorithm(c.AccessAlg),
		AccessTyp:       c.AccessTyp,
		RefreshGrace:    c.RefreshGrace,
		RefreshIdle:     c.RefreshIdleTTL,
		RefreshAbsolute: c.RefreshAbsoluteTTL,
		CodeTTL:         c.CodeTTL,
		CodeLength:      c.CodeLength,
		CodeAttempts:    c.CodeAttempts,
		ResendAfter:     c.ResendAfter,
		LimitCodes:      limit(c.LimitCodes),
		LimitGuesses:    limit(c.LimitGuesses),
		LimitPasswords:  limit(c.LimitPasswords),
		LimitSource:     limit(c.LimitSource),
		SimpleJWT:       c.SimpleJWTCompat,
	}
}

// hashing is the cost of a password hash and the bounds of hashing.
func (c *Config) hashing() issuer.HasherConfig {
	return issuer.HasherConfig{
		MemoryKiB: uint32(c.Argon2Memory),
		Time:      uint32(c.Argon2Time),
		Threads:   uint32(c.Argon2Threads),
		Slots:     c.HashSlots,
		Queue:     c.HashQueue,
	}
}
