package main

import (
	"os"
	"runtime/debug"
)

// Memory of a server at rest is little: a few MiB of heap, and the program's own code. Two things are done about it.
//
// The collector lets garbage grow to four times what is in use, rather than as much: of a heap of 3 MiB that is little, and it would run every
// few hundred requests otherwise, which costs a fifth of the processor. Password hashes, which would make the heap large for a moment,
// have their memory collected as they end (issuer/hasher.go), and given back once they are over (tidyLoop).
//
// The code that only starting up needed (the initialisation of every package, a database driver that this configuration doesn't use) is
// given back, in memory_linux.go.
const gcPercent = 400

// frugal paces the collector, unless the operator does (GOGC; GOMEMLIMIT is honoured besides).
func frugal() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

// started gives back what only starting up needed.
func started() {
	debug.FreeOSMemory()
	dropCode()
}
