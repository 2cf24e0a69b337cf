package sqlite

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"signet/issuer"
)

var benchNow = time.UnixMilli(1_800_000_000_000).UTC()

// benchSession is as large as a session in use.
func benchSession(n int) issuer.Session {
	s := issuer.Session{
		ID: fmt.Sprintf("%08x%014d", n*2654435761%(1<<32), n), UserID: "0198c1de-7c5a-7000-8000-0123456789ab", ClientID: issuer.FirstPartyID, Scope: "openid profile email account",
		Roles: []string{"user"}, Secret: "k3", Exp: benchNow.Add(time.Hour), At: benchNow, By: "Qm9uam91ciBsZSBtb25kZQ", IdleAt: benchNow.Add(time.Hour),
		AbsAt: benchNow.Add(1000 * time.Hour), AuthTime: benchNow, CreatedAt: benchNow, IP: "2001:db8::1234",
		UserAgent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
	}
	for g := range int64(issuer.RecentKept) {
		s.Gen = g + 1
		s.Recent = append(s.Recent, issuer.Superseded{Gen: g, At: benchNow})
	}
	return s
}

func benchStore(b *testing.B, n int) (*Store, []issuer.Session) {
	s, list := openAt(b, fileIn(b)), make([]issuer.Session, n)
	done := make(chan error)
	for i := range list {
		list[i] = benchSession(i)
		go func() { done <- s.InsertSession(b.Context(), list[i]) }()
	}
	for range list {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	return s, list
}

func benchRotate(b *testing.B, s *Store, d *issuer.Session) {
	r := issuer.Rotation{SID: d.ID, Gen: d.Gen, Secret: d.Secret, ClientIDs: []string{issuer.FirstPartyID}, Now: benchNow, Next: "k3", Idle: time.Hour, Att: "Qm9uam91ciBsZSBtb25kZQ"}
	after, hit, err := s.RotateSession(b.Context(), r)
	if err != nil || !hit {
		b.Errorf("%v, %v", hit, err)
	}
	*d = after
}

// BenchmarkRotateSession rotates 10,000 sessions in turn: by one caller, which waits for a sync each time, and by many, who share it.
func BenchmarkRotateSession(b *testing.B) {
	b.Run("serial", func(b *testing.B) {
		s, list := benchStore(b, 10_000)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			benchRotate(b, s, &list[i%len(list)])
		}
	})
	for _, callers := range []int{16, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s, list := benchStore(b, 10_000)
			var next atomic.Int64
			done := make(chan struct{})
			before := s.Stats()
			b.ReportAllocs()
			b.ResetTimer()
			for c := range callers {
				go func() {
					// Each caller has sessions of its own, so that every rotation is the next of its session.
					for i := c; next.Add(1) <= int64(b.N); i += callers {
						benchRotate(b, s, &list[i%(len(list)/callers*callers)])
					}
					done <- struct{}{}
				}()
			}
			for range callers {
				<-done
			}
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "cas/s")
			stats := s.Stats()
			b.ReportMetric(float64(stats.Operations-before.Operations)/float64(stats.Commits-before.Commits), "cas/commit")
		})
	}
}

// BenchmarkOpen opens and closes a database that is there.
func BenchmarkOpen(b *testing.B) {
	path := fileIn(b)
	s, err := Open(b.Context(), path, Options{})
	for b.Loop() {
		if err == nil {
			err = s.Close()
		}
		if err == nil {
			s, err = Open(b.Context(), path, Options{})
		}
		if err == nil {
			err = s.Ping(b.Context())
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	_ = s.Close()
}

// BenchmarkSession reads one of 10,000 sessions.
func BenchmarkSession(b *testing.B) {
	s, list := benchStore(b, 10_000)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for i := 0; p.Next(); i++ {
			if _, err := s.Session(b.Context(), list[i%len(list)].ID); err != nil {
				b.Error(err)
			}
		}
	})
}
