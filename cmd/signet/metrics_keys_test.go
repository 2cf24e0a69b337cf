package main

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

var sampleLine = regexp.MustCompile(`(?m)^(signet_[a-z_]+(?:\{[^}]*\})?) (\S+)$`)

// samples are the values of /metrics by name and labels.
func samples(t *testing.T, url string) map[string]float64 {
	t.Helper()
	found := map[string]float64{}
	for _, line := range sampleLine.FindAllStringSubmatch(get(t, url+"/metrics", 200), -1) {
		value, err := strconv.ParseFloat(line[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		found[line[1]] = value
	}
	return found
}

// The metrics of the key ring, through a rotation by schedule: before it the time until it falls, after it the age starts anew.
func TestMetricsTellOfARotation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, dir, append(quickPolicy, "SIGNET_KEY_SIGNING_PERIOD=8s")...)
	if status, _ := fetch(t, p.url, ""); status != http.StatusOK {
		t.Fatalf("the key set is answered with %d", status)
	}
	before := samples(t, p.url)
	between(t, before, `signet_key_next_rotation_seconds{alg="ES256"}`, 0, 8)
	between(t, before, `signet_key_age_seconds{alg="ES256"}`, 0, 8)
	between(t, before, "signet_ring_age_seconds", 0, 2)
	between(t, before, "signet_ring_age_limit_seconds", 2, 2)
	between(t, before, "signet_jwks_age_limit_seconds", 2, 2)
	between(t, before, "signet_clock_offset_limit_seconds", 0.5, 0.5)
	between(t, before, "signet_clock_offset_seconds", -0.5, 0.5)
	between(t, before, "signet_seal_failures_total", 0, 0)
	between(t, before, `signet_jwks_requests_total{status="200"}`, 1, 1)
	between(t, before, `signet_jwks_requests_total{status="304"}`, 0, 0)
	between(t, before, `signet_key_rotations_total{alg="RS256"}`, 0, 0)

	var after map[string]float64
	waitFor(t, "rotations of both algorithms", startTime, func() bool {
		after = samples(t, p.url)
		return after[`signet_key_rotations_total{alg="ES256"}`] >= 1 && after[`signet_key_rotations_total{alg="RS256"}`] >= 1
	})
	got := map[int]float64{http.StatusOK: 1}
	waitFor(t, "an answer that the key set is still right", startTime, func() bool {
		status, etag := fetch(t, p.url, "")
		got[status]++
		status, _ = fetch(t, p.url, etag)
		got[status]++
		return status == http.StatusNotModified
	})
	after = samples(t, p.url)
	between(t, after, `signet_jwks_requests_total{status="200"}`, got[http.StatusOK], got[http.StatusOK])
	between(t, after, `signet_jwks_requests_total{status="304"}`, got[http.StatusNotModified], got[http.StatusNotModified])
	if after["signet_ring_version"] <= before["signet_ring_version"] {
		t.Error("the ring's version did not rise")
	}
	for _, alg := range []string{"ES256", "RS256"} {
		if was, is := before[`signet_key_signed_at_seconds{alg="`+alg+`"}`], after[`signet_key_signed_at_seconds{alg="`+alg+`"}`]; is <= was {
			t.Errorf("%s: signed since %v, then since %v", alg, was, is)
		}
	}
}

func between(t *testing.T, of map[string]float64, name string, least, most float64) {
	t.Helper()
	if value, there := of[name]; !there || value < least || value > most {
		t.Errorf("%s is %v (there: %t), want %v to %v", name, value, there, least, most)
	}
}

// fetch asks for the key set, unless it is still that of etag.
func fetch(t *testing.T, url, etag string) (status int, current string) {
	t.Helper()
	r, err := http.NewRequest("GET", url+keySetPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	if etag != "" {
		r.Header.Set("If-None-Match", etag)
	}
	got, err := testHTTP.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	return got.StatusCode, got.Header.Get("ETag")
}

// The KEK is replaced by another under a running server: it counts what does not open and is not ready, until the right one is back.
func TestMetricsTellOfALostKEK(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, dir, quickPolicy...)
	file := filepath.Join(dir, "signet-data", "kek")
	right, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	between(t, samples(t, p.url), "signet_ready", 1, 1)
	if err := os.WriteFile(file, []byte("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "word of the lost KEK", startTime, func() bool {
		now := samples(t, p.url)
		return now["signet_seal_failures_total"] > 0 && now["signet_ready"] == 0
	})
	get(t, p.url+keySetPath, http.StatusOK)
	if err := os.WriteFile(file, right, 0o600); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "readiness", startTime, func() bool { return samples(t, p.url)["signet_ready"] == 1 })
}
