// Package keys is the key ring: which keys sign, which are published, and when that changes.
//
// # The story
//
//  1. There is one ring (ring.go) for an issuer, stored as one versioned document (document.go, store.go). Every version names exactly one
//     signing key for each algorithm, and has a standby beside it that is published and has never signed. Who signs is written there; no
//     clock, leader or lock decides it.
//  2. Time moves the ring through Step (step.go), which is pure: standbys wait until every verifier has them (publish-ahead), then sign, then
//     stay published until nothing that they signed is alive, then leave. MAC secrets follow a schedule of their own in the same document
//     (secrets.go). How long each wait must be is arithmetic (policy.go), printed and checked at start (arithmetic.go).
//  3. A Replica (replica.go) polls (poll.go): it loads the ring, uses it, steps it, and saves the next version if the stored one is still the
//     one it started from. A lost race and a lost answer both mean: load again. New key pairs are made aside (pool.go, supply.go), because RSA takes
//     its time.
//  4. What requests need is prepared once for each version (opened.go) and swapped in as a whole: signers (signer.go), the JWKS bytes (jwks.go), what
//     verifies (verify.go), opened MAC secrets (mac.go). A request never waits for a poll and never asks the store.
//  5. A replica counts how long ago the store confirmed its ring (clock.go). Beyond R it does not sign, beyond Q it does not publish. So a replica
//     that is cut off, stalled or suspended can never sign by a ring that the others have left behind for longer than was reckoned with.
//  6. A ring that went back, because somebody restored a backup under running replicas, is merged (merge.go) so that no live token loses its key.
//  7. Private halves and secrets are sealed (seal.go, keypair.go) under key-encryption keys from a file (kekfile.go), which is read again when it
//     changes (kekwatch.go). What a replica can't open it carries through unchanged, and says that it is not ready (status.go, events.go).
//     Private halves may be in a vault instead, which signs (vault.go, vault_replica.go; pkcs11): then the ring has sealed references to them.
//  8. Operators command the ring with or without a running server, under the same compare-and-set (operator.go, operator_command.go). A command is a pure
//     change of the stepped ring, one a file (commands.go tells how: commands_rotate.go, commands_rollback.go, commands_revoke.go,
//     commands_import.go, restart.go); the methods that give them are in operator_rotation.go, operator_revocation.go, operator_import.go
//     (import_parse.go checks what comes in), operator_export.go and operator_rewrap.go. What each changes is change.go, and who pays for it
//     exposure.go, reckoned for the caches of verifiers.go; list.go and plan.go show the ring as it is and will be.
//  9. A stranger sees only the JWKS (jwkset.go) and says everything that is wrong with a token (diagnose.go).
//
// # Lifecycle
//
//	published (standby) -> signing -> retired -> dropped
//
// The rules that hold it together, each with a test that fails without it: a key is published for the ring's publish-ahead before it signs; a
// standby exists at all times; a publication that nobody could fetch (an outage) does not count; a setting that was shortened counts as the old one until
// nothing done under it matters (leases); a retired key stays for the longest life ever allowed under it, plus every error that clocks and stale
// replicas can make.
//
// This is the only package that imports go-jose. It imports nothing of ours.
package keys
