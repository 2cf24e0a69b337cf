package main

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// rotatingPolicy is the shortest lifecycle that leaves calm between rotations. Both algorithms rotate at the same time, so that an RSA key is made
// each time, beside the requests.
var rotatingPolicy = []string{
	"SIGNET_KEY_POLL=250ms", "SIGNET_CLOCK_SKEW=100ms", "SIGNET_JWKS_MAX_AGE=0s", "SIGNET_KEY_PUBLISH_AHEAD=2s", "SIGNET_KEY_SIGNING_PERIOD=5s",
}

const (
	rotations     = 10
	rotationRate  = 200 // refreshes a second, due whatever becomes of those before
	rotationWide  = time.Second
	rotationEvery = 5 * time.Second
)

// timedRefresh is one refresh: when it began, how long it took, and the key that signed what came of it.
type timedRefresh struct {
	began time.Time
	took  time.Duration
	kid   string
}

// rotatingLoad refreshes for d and returns every refresh in the order in which they began.
func rotatingLoad(b *testing.B, callers []*refresher, d time.Duration) []timedRefresh {
	b.Helper()
	var mu sync.Mutex
	var all []timedRefresh
	_, err := openLoop(len(callers), rotationRate, d, func(i int) error {
		one := timedRefresh{began: time.Now()}
		err := callers[i].refresh()
		one.took = time.Since(one.began)
		if err == nil {
			one.kid, err = kidOfAnswer(callers[i].answer)
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, one)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	slices.SortFunc(all, func(x, y timedRefresh) int { return x.began.Compare(y.began) })
	return all
}

// kidOfAnswer is the kid of the access token of a token set.
func kidOfAnswer(answer []byte) (string, error) {
	var set struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(answer, &set); err != nil {
		return "", err
	}
	token, err := decodeToken(set.AccessToken)
	if err != nil {
		return "", err
	}
	kid, _ := token.Header["kid"].(string)
	return kid, nil
}

// p99Between is the 99th percentile of the refreshes that were under way between two times.
func p99Between(all []timedRefresh, from, to time.Time) time.Duration {
	var m measured
	for _, one := range all {
		if one.began.Add(one.took).After(from) && one.began.Before(to) {
			m.times = append(m.times, one.took)
		}
	}
	slices.Sort(m.times)
	return m.quantile(0.99)
}

// BenchmarkRotation compares the refreshes in flight within a second of a rotation, before and after, with as many between that rotation and
// the next: what a rotation adds to their p99, as the median of ten. One iteration takes a minute.
func BenchmarkRotation(b *testing.B) {
	var added, calm, busy spread
	for b.Loop() {
		s := here.signet(b, b.TempDir(), slices.Concat(unlimited, cheapHashes, rotatingPolicy)...)
		all := rotatingLoad(b, refreshers(b, s, lean, 64), (rotations+1)*rotationEvery+2*rotationWide)
		s.end()
		end := all[len(all)-1].began
		seen := map[string]bool{all[0].kid: true}
		for _, one := range all {
			if !seen[one.kid] && one.began.Add(3*rotationWide).Before(end) && one.began.Sub(all[0].began) > rotationWide && len(added) < rotations {
				at := one.began
				with := p99Between(all, at.Add(-rotationWide), at.Add(rotationWide))
				without := p99Between(all, at.Add(rotationWide), at.Add(3*rotationWide))
				added, calm, busy = append(added, milliseconds(with)-milliseconds(without)), append(calm, milliseconds(without)), append(busy, milliseconds(with))
			}
			seen[one.kid] = true
		}
		if len(added) < rotations {
			b.Fatalf("%d rotations were seen, not %d", len(added), rotations)
		}
	}
	b.ReportMetric(added.median(), "added-p99-ms")
	b.ReportMetric(slices.Max(added), "added-p99-ms-max")
	b.ReportMetric(calm.median(), "calm-p99-ms")
	b.ReportMetric(busy.median(), "rotation-p99-ms")
}

// keySetPairs are many and short, so that whatever else the machine does falls on both sides alike.
const keySetPairs = 100

// publishedKeys is how many keys the busiest key set has.
const publishedKeys = 48

// BenchmarkKeySetOf48 is BenchmarkKeySet with as many keys as are ever published by command, put there by `keys import`.
func BenchmarkKeySetOf48(b *testing.B) {
	dir := b.TempDir()
	signet := here.signet(b, dir, "SIGNET_KEY_POLL=100ms")
	fillRing(b, dir, signet)
	for _, g := range []generator{ordinary, lean} {
		b.Run(strings.ReplaceAll(g.name, " ", "_"), func(b *testing.B) {
			r := &keySetRig{signet: signet}
			r.ask = g.connect(b, signet.addr, keySetPath, 0, keySetConnections)
			answer := answerOf(b, signet.url+keySetPath)
			// Both say the length: beyond what net/http buffers, a handler that does not would answer in chunks.
			answer.Header.Set("Content-Length", strconv.Itoa(len(answer.Body)))
			r.bare = g.connect(b, here.bare(answer, b), keySetPath, 0, keySetConnections)
			if _, _, err := r.pairs(1, func() func() bool { return forTime(200 * time.Millisecond) }); err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			ratio, rate, err := r.pairs(keySetPairs, func() func() bool { return share(max(b.N/2/keySetPairs, 1)) })
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(rate.median(), "req/s")
			b.ReportMetric(ratio.median(), "x-bare")
			b.ReportMetric(float64(len(answer.Body)), "jwks-bytes")
		})
	}
	signet.end()
}

// fillRing imports keys until the set is full, and waits until the server publishes them all.
func fillRing(b *testing.B, dir string, s *subject) {
	b.Helper()
	for n := keysIn(b, s); n < publishedKeys; n++ {
		file, err := makeKeyFile(dir, algorithms[n%len(algorithms)], n)
		if err != nil {
			b.Fatal(err)
		}
		var said strings.Builder
		p := &program{environ: []string{"SIGNET_DATA_DIR=" + dir}, in: strings.NewReader(""), out: &said, err: &said}
		if status := p.execute([]string{"keys", "import", file, "--yes"}); status != exitDone {
			b.Fatal(said.String())
		}
	}
	for end := time.Now().Add(startTime); keysIn(b, s) < publishedKeys; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatal("the keys are not published")
		}
	}
}

func keysIn(b *testing.B, s *subject) int {
	b.Helper()
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(answerOf(b, s.url+keySetPath).Body, &set); err != nil {
		b.Fatal(err)
	}
	return len(set.Keys)
}
