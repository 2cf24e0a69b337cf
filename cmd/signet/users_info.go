package main

import (
	"time"

	"signet/issuer"
)

// userInfo is an account as commands show it.
type userInfo struct {
	ID            string     `json:"id"`
	Email         string     `json:"email"`
	EmailVerified bool       `json:"email_verified"`
	Username      *string    `json:"username"`
	Roles         []string   `json:"roles"`
	Disabled      bool       `json:"disabled"`
	CreatedAt     time.Time  `json:"created_at"`
	LastLoginAt   *time.Time `json:"last_login_at"`
}

func infoOf(u issuer.User) userInfo {
	i := userInfo{ID: u.ID, Email: u.Email, EmailVerified: u.EmailVerified, Roles: u.Roles, Disabled: u.State == issuer.UserDisabled, CreatedAt: u.CreatedAt.UTC()}
	if i.Roles == nil {
		i.Roles = []string{}
	}
	if u.Username != "" {
		i.Username = &u.Username
	}
	if !u.LastLoginAt.IsZero() {
		at := u.LastLoginAt.UTC()
		i.LastLoginAt = &at
	}
	return i
}
