// Package issuer is what the identity provider does, one use case a file, and nothing of HTTP, SQL or BSON.
//
// # A sign-in
//
//  1. login.go (or register.go for a new account) checks the password in a bounded number of hash slots (hasher.go), counts the attempt
//     (throttle.go), and makes a challenge with a fresh code (open_challenge.go, code.go). Nothing token-like exists yet.
//  2. post.go seals the letter with the code and puts it into the outbox; package mail delivers it.
//  3. resend.go replaces the code, if it did not arrive.
//  4. verify.go counts the attempt, compares, makes the account of a registration (complete.go, resolve.go), inserts the session, records the sign-in
//     on the user, uses up the challenge, and answers with tokens: an access token (access_token.go, RFC 9068) that anyone verifies offline, and a refresh
//     token (refresh_token.go) that names its session and generation and proves itself with a MAC.
//  5. refresh.go trades a refresh token for new ones, one storage operation a time, and tells a retry from a theft (theft.go).
//  6. authenticate.go believes an access token for this service's own API after asking whether its session is current; account.go is that API.
//  7. logout.go ends one session, or all of a user's.
//
// # An account in its owner's hands
//
// Every code is proven in one way, whatever it is for (prove.go), and what could take an account away asks for the password again (confirm.go) or for a
// sign-in that is recent (recent.go, step_up.go). A change that sessions and codes must notice is one write to the user (act.go), whose effects are
// carried out by sweep.go: change_password.go, reset_password.go (after forgot_password.go), delete_account.go. An address (change_email.go, move_email.go)
// and a username (rename.go) change hands by their identifiers, which resolve.go looks after.
//
// # For an operator
//
// end_sessions.go ends everybody's sessions since a moment, after a signing key was revoked; rewrap_outbox.go seals queued mail with a new
// key-encryption key. Both run beside servers, go on after a crash when they are run again, and need no Provider.
//
// # How the store is changed
//
// Every decision is one conditional operation on one document, found by its id (ports.go gives the contracts). What has to follow on other
// documents is recorded on the one that decided, carried out before the answer, and, after a crash, by settle.go at any replica's poll. An outcome
// that is unknown is neither success nor failure: the operation is applied again (unknown.go), and nobody is refused for it.
package issuer
