// Package conformance is one suite that every store must pass: Run opens stores through a Harness and holds them to the
// contracts of issuer.Store and keys.RingStore.
//
// The story of a test is in method.go: a document and arguments that meet every clause of a method's condition are a hit, and the
// document after it is compared whole; then each clause is broken alone, and the store must miss and change nothing. One
// file per port lists its methods that way (users.go, sessions.go, ...). races.go counts winners among concurrent callers,
// reopen.go looks again after the store was closed.
//
// fault.go wraps a store so that a test of another package can crash before an operation, lose its answer, or have it
// arrive twice (Faulty), and count operations (Counting).
package conformance
