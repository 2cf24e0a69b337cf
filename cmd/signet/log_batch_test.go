package main

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// syncedBuffer counts the writes that reach it.
type syncedBuffer struct {
	mu     sync.Mutex
	writes int
	bytes.Buffer
}

func (b *syncedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.writes++
	return b.Buffer.Write(p)
}

func (b *syncedBuffer) state() (writes, lines int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.writes, strings.Count(b.String(), "\n")
}

func TestLogLinesAreWrittenTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &syncedBuffer{}
		batch := &logBatch{out: out}
		log := zerolog.New(batch)
		expect := func(when string, writes, lines int) {
			t.Helper()
			if w, l := out.state(); w != writes || l != lines {
				t.Errorf("%s: %d writes of %d lines, want %d of %d", when, w, l, writes, lines)
			}
		}
		for range 10 {
			log.Info().Msg("request")
		}
		expect("at first", 0, 0)
		time.Sleep(2 * logDelay)
		synctest.Wait()
		expect("after the delay", 1, 10)
		log.Info().Msg("before")
		log.Warn().Msg("trouble")
		expect("a warning", 2, 12)
		log.Info().Str("long", strings.Repeat("x", logBytes)).Msg("much")
		expect("a full batch", 3, 13)
		log.Info().Msg("last")
		if err := batch.Flush(); err != nil {
			t.Fatal(err)
		}
		expect("flushed", 4, 14)
		time.Sleep(2 * logDelay)
		synctest.Wait()
		expect("nothing is written twice", 4, 14)
	})
}
