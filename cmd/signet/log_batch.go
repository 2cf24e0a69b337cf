package main

import (
	"io"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// logBatch writes many log lines with one system call: a line waits for others for at most logDelay, so that kill -9 loses no more than that.
// A warning, or worse, is written at once, and so is everything that waited before it. Safe for concurrent use.
type logBatch struct {
	out   io.Writer
	mu    sync.Mutex
	lines []byte
	armed bool
}

const (
	logDelay = 20 * time.Millisecond
	logBytes = 32 << 10
)

// Write takes lines of no level: those of the start and the end, which whoever waits for them reads at once.
func (b *logBatch) Write(line []byte) (int, error) { return b.WriteLevel(zerolog.NoLevel, line) }

// WriteLevel implements zerolog.LevelWriter.
func (b *logBatch) WriteLevel(level zerolog.Level, line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, line...)
	switch {
	case level >= zerolog.WarnLevel || len(b.lines) >= logBytes:
		return len(line), b.flushLocked()
	case !b.armed:
		b.armed = true
		time.AfterFunc(logDelay, func() { _ = b.Flush() })
	}
	return len(line), nil
}

// Flush writes what waits.
func (b *logBatch) Flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.armed = false
	return b.flushLocked()
}

func (b *logBatch) flushLocked() error {
	if len(b.lines) == 0 {
		return nil
	}
	_, err := b.out.Write(b.lines)
	if cap(b.lines) > 2*logBytes {
		b.lines = nil // a burst's memory is not kept
	}
	b.lines = b.lines[:0]
	return err
}
