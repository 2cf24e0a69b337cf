//go:build linux

package main

import (
	"context"
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"signet/keys"
)

// ringWatch reads the stored ring many times a second and keeps which key signed when.
type ringWatch struct {
	mu     sync.Mutex
	latest storedRing
	reigns map[keys.Algorithm][]reign
	brief  []reign // those that began and ended between two readings, as the times in the ring tell
	began  map[string]time.Time
}

// reign is a time in which the ring named a key as the signer: at most from the reading before the first that shows it, and at most until the
// first that shows another.
type reign struct {
	kid         string
	from, until time.Time // until is zero while it lasts
}

// storedRing is what the test reads of the document.
type storedRing struct {
	Keys []struct {
		Kid       string
		Alg       keys.Algorithm
		State     keys.State
		WindowAt  time.Time `json:"window_at"`
		SignedAt  time.Time `json:"signed_at"`
		Withdrawn bool
		Prev      string
	}
	Ahead struct{ Value time.Duration }
}

func (f *fleet) watchRing(ctx context.Context) *ringWatch {
	f.t.Helper()
	l := mustLoad(f.t, input{environ: append(slices.Clone(f.environ), "SIGNET_DATA_DIR="+filepath.Join(f.dir, "signet-data"))})
	st, err := openStore(ctx, &l.Config, false)
	if err != nil {
		f.t.Fatal(err)
	}
	w := &ringWatch{reigns: map[keys.Algorithm][]reign{}, began: map[string]time.Time{}}
	stop := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		before := time.Now()
		for {
			before = w.read(f, st, before)
			select {
			case <-stop:
				return
			case <-time.After(40 * time.Millisecond):
			}
		}
	}()
	f.t.Cleanup(func() {
		close(stop)
		<-ended
		_ = st.Close(context.Background())
	})
	return w
}

// read takes one reading and returns when it began.
func (w *ringWatch) read(f *fleet, st keys.RingStore, before time.Time) time.Time {
	began := time.Now()
	document, err := st.LoadRing(context.Background())
	ended := time.Now()
	if err != nil {
		f.fault("read the ring: %v", err)
		return before
	}
	var ring storedRing
	if err := json.Unmarshal(document.Body, &ring); err != nil {
		f.fault("read the ring: %v", err)
		return before
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range w.latest.Keys {
		if k.State == keys.Published && !ring.has(k.Kid) { // revoked, and it may have signed just before
			w.brief = append(w.brief, reign{k.Kid, before, ended})
		}
	}
	w.latest = ring
	for _, k := range ring.Keys {
		fresh := !k.SignedAt.Equal(w.began[k.Kid])
		w.began[k.Kid] = k.SignedAt
		if k.State != keys.Signing {
			if fresh {
				w.brief = append(w.brief, reign{k.Kid, before, ended})
			}
			continue
		}
		list := w.reigns[k.Alg]
		if n := len(list); n == 0 || list[n-1].kid != k.Kid {
			if n > 0 {
				list[n-1].until = ended
			}
			w.reigns[k.Alg] = append(list, reign{kid: k.Kid, from: before})
		}
	}
	return began
}

func (w *ringWatch) now() storedRing {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.latest
}

// signed says whether the ring named a key as the signer at some time between two, and if not, when it last did before.
func (w *ringWatch) signed(kid string, from, to time.Time) (yes bool, last time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, list := range append(slices.Collect(maps.Values(w.reigns)), w.brief) {
		for _, r := range list {
			if r.kid != kid || r.from.After(to) {
				continue
			}
			if r.until.IsZero() || !r.until.Before(from) {
				return true, from
			}
			last = r.until
		}
	}
	return false, last
}

// changed says whether the signing key was replaced for certain between two times.
func (w *ringWatch) changed(alg keys.Algorithm, from, to time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.reigns[alg]
	for i := 1; i < len(list); i++ {
		if list[i].from.After(from) && list[i-1].until.Before(to) {
			return true
		}
	}
	return false
}

// rotations are how often another key began to sign.
func (w *ringWatch) rotations() map[keys.Algorithm]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[keys.Algorithm]int{}
	for alg, list := range w.reigns {
		all[alg] = len(list) - 1
	}
	return all
}

func (r storedRing) has(kid string) bool {
	for _, k := range r.Keys {
		if k.Kid == kid {
			return true
		}
	}
	return false
}
