// Package pkcs11 is a keys.Vault in a token of PKCS #11 v2.40 (OASIS): a hardware security module, or SoftHSM. It is built with the tag pkcs11 and
// cgo; without the tag the package is empty.
//
// # The story
//
//  1. A module is the vendor's shared library (module.go), initialized once in a process. It may forget everything at any time: a token is pulled
//     out, a network fails, the device restarts.
//  2. A Token (token.go) is named by its label. Each operation borrows one of a bounded number of sessions (sessions.go), on a goroutine of its
//     own, and is given up when it takes too long, because C code can't be interrupted: whoever asked gets an error, the session stays
//     taken until the call returns, and when all are taken that way the next ones fail at once.
//  3. An error that says that sessions are lost drops them all, and the operation is tried once more on new ones; if the token is not found
//     then, the module itself is initialized again, as soon as nothing is under way in it. A PIN that was refused is never tried
//     again, because a token locks itself after a few.
//  4. Keys (make.go, signer.go) are generated in the token: private, sensitive, not extractable, for signing alone. A reference to one is a
//     PKCS #11 URI (RFC 7512; reference.go) with the token's label and CKA_ID.
package pkcs11
