package main

import (
	"os"
	"runtime/debug"
)

// Memory of a server at rest is little: a few MiB of heap, and the program's own code. Two things are done about it.
//
// The collector runs a little more often than by default. The heap is small and nearly all garbage of requests, so that it costs little,
// and a login storm, where every password hash holds 19 MiB for a moment, leaves less behind.
//
// The code that only starting up needed (the initialisation of every package, a database driver that this configuration doesn't use) is
// given back, in memory_linux.go.
const gcPercent = 50

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
