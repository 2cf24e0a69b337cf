package sqlite

import (
	"os"
	"sync/atomic"
	"time"
)

// Stats is what a store has done since it was opened, for metrics.
type Stats struct {
	Commits    uint64        // transactions that were made durable
	Operations uint64        // what they carried; Operations / Commits callers shared a sync
	Failures   uint64        // transactions that failed, busy ones too
	CommitTime time.Duration // spent in Commits
	Waiting    int           // operations in the queue now
	FileBytes  int64         // size of the database file now
	LogBytes   int64         // size of the write-ahead log now
}

type writerStats struct{ commits, operations, failures, nanoseconds atomic.Uint64 }

// Stats reads counters and file sizes; it does not touch the database.
func (s *Store) Stats() Stats {
	w := &s.writer.stats
	return Stats{
		Commits: w.commits.Load(), Operations: w.operations.Load(), Failures: w.failures.Load(), CommitTime: time.Duration(w.nanoseconds.Load()),
		Waiting: len(s.writer.queue), FileBytes: size(s.path), LogBytes: size(s.path + "-wal"),
	}
}

// size asks by name: opening and closing the file would drop its locks.
func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
