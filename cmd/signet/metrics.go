package main

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"signet/issuer/mail"
)

// metrics counts for Prometheus, in a registry of its own. It is what the issuer, the handlers and the mail worker tell of what happens;
// gauges.go adds what is read from them when asked. Labels are from small fixed sets, never a caller's data. Safe for concurrent use.
type metrics struct {
	registry    *prometheus.Registry
	requests    *prometheus.CounterVec
	durations   *prometheus.HistogramVec
	keySets     map[int]prometheus.Counter // requests for the JWKS, by status
	signIns     *prometheus.CounterVec
	refreshes   *prometheus.CounterVec
	mailQueued  prometheus.Counter
	mails       *prometheus.CounterVec
	mailWait    prometheus.Histogram
	mailWaiting prometheus.Gauge
}

// durationBuckets in seconds: a refresh takes a millisecond or a few, a sign-in one password hash, and ten seconds is the end of patience.
var durationBuckets = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "signet_http_requests_total", Help: "Requests answered, by route, method and class of status."}, []string{"route", "method", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "signet_http_request_duration_seconds", Help: "Time from request to answer.", Buckets: durationBuckets}, []string{"route"}),
		signIns: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "signet_sign_ins_total", Help: "Steps of sign-ins and registrations, by step and outcome."}, []string{"step", "outcome"}),
		refreshes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "signet_refreshes_total", Help: "Refresh tokens presented, by outcome."}, []string{"outcome"}),
		mailQueued: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "signet_mails_queued_total", Help: "Mails put into the outbox."}),
		mails: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "signet_mails_total", Help: "Tries to deliver a mail, by outcome: sent, failed_<stage of SMTP> (tried again), dropped_<reason>."}, []string{"outcome"}),
		mailWait: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "signet_mail_wait_seconds", Help: "Time from making a mail to its delivery.", Buckets: []float64{0.01, 0.05, 0.25, 1, 5, 15, 60, 300, 600}}),
		mailWaiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "signet_mail_queue", Help: "Mails in the outbox of the store, decoys included, as of the last poll."}),
	}
	m.keySets = countKeySets(m.registry)
	m.registry.MustRegister(m.requests, m.durations, m.signIns, m.refreshes, m.mailQueued, m.mails, m.mailWait, m.mailWaiting,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo())
	return m
}

// countKeySets has one counter for each status that the JWKS is answered with. Each is there from the start, at zero, so that a rate
// over them never lacks its first request.
func countKeySets(in *prometheus.Registry) map[int]prometheus.Counter {
	all := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "signet_jwks_requests_total", Help: "Requests for the JWKS, by status: 200 in full, 304 for a copy that is still right, 503 when the ring is too old."}, []string{"status"})
	in.MustRegister(all)
	by := map[int]prometheus.Counter{}
	for _, status := range []int{http.StatusOK, http.StatusNotModified, http.StatusServiceUnavailable} {
		by[status] = all.WithLabelValues(strconv.Itoa(status))
	}
	return by
}

// buildInfo is always 1; its labels say what runs.
func buildInfo() prometheus.Collector {
	v := buildVersion()
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "signet_build_info", Help: "What runs; always 1.",
		ConstLabels: prometheus.Labels{"version": v.Version, "revision": v.Revision, "go": v.Go}})
	g.Set(1)
	return g
}

// handler answers GET /metrics.
func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 5 * time.Second})
}

// keySetPath is the route of the JWKS.
const keySetPath = "/.well-known/jwks.json"

// Request implements handlers.Observer.
func (m *metrics) Request(route, method string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, method, strconv.Itoa(status/100)+"xx").Inc()
	m.durations.WithLabelValues(route).Observe(took.Seconds())
	if route == keySetPath {
		if n := m.keySets[status]; n != nil {
			n.Inc()
		}
	}
}

// SignIn implements issuer.Observer.
func (m *metrics) SignIn(step, outcome string) { m.signIns.WithLabelValues(step, outcome).Inc() }

// Refresh implements issuer.Observer.
func (m *metrics) Refresh(outcome string) { m.refreshes.WithLabelValues(outcome).Inc() }

// MailQueued implements issuer.Observer.
func (m *metrics) MailQueued() { m.mailQueued.Inc() }

// MailSent implements mail.Observer.
func (m *metrics) MailSent(waited time.Duration) {
	m.mails.WithLabelValues("sent").Inc()
	m.mailWait.Observe(waited.Seconds())
}

// MailFailed implements mail.Observer.
func (m *metrics) MailFailed(stage mail.Stage) {
	m.mails.WithLabelValues("failed_" + string(stage)).Inc()
}

// MailDropped implements mail.Observer.
func (m *metrics) MailDropped(reason mail.DropReason) {
	m.mails.WithLabelValues("dropped_" + string(reason)).Inc()
}

// MailWaiting implements mail.Observer.
func (m *metrics) MailWaiting(count int64) { m.mailWaiting.Set(float64(count)) }
