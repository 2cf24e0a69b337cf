package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/smtp"
	"os"
	"strings"
	"time"

	"signet/issuer/mail"
	"signet/keys"
)

// checkConfiguration is one finding for each fault, or one that all is well.
func checkConfiguration(l *loaded, wrong faults, dev bool) []finding {
	wrong = l.checkServe(dev, wrong)
	if len(wrong) == 0 {
		return []finding{ok("config", "every setting that serve needs is there")}
	}
	var found []finding
	for _, f := range wrong {
		found = append(found, fail("config", "expected "+f.Expected, "%s", f.brief()))
	}
	return found
}

// checkKEKs reads the key-encryption keys. No sealer comes back when it can't.
func checkKEKs(c *Config) (*keys.Sealer, finding) {
	sealer, err := readSealer(c)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, warn("kek", makeKEKHint, "there is no %s", c.KEKFile)
	case err != nil:
		return nil, fail("kek", "chmod 600 it, and have one base64 key of 32 bytes a line in it", "%s", oneLineOf(err))
	}
	return sealer, ok("kek", "%s holds %s", c.KEKFile, strings.Join(sealer.KEKIDs(), ", "))
}

// checkStore opens the store as it is; one that a server has yet to make is no failure.
func checkStore(ctx context.Context, l *loaded, sealer *keys.Sealer) []finding {
	c := &l.Config
	if c.MongoDBURI == "" {
		if _, err := os.Stat(c.embeddedFile()); errors.Is(err, os.ErrNotExist) {
			return []finding{warn("store", "it is made when the server first starts", "there is no %s yet", c.embeddedFile())}
		}
	}
	st, err := openStore(ctx, c, false)
	if err != nil {
		return []finding{fail("store", "see that it can be reached from here, and that no newer release has written to it", "%s", oneLineOf(err))}
	}
	defer st.Close(context.WithoutCancel(ctx))
	began := time.Now()
	if err := st.Ping(ctx); err != nil {
		return []finding{fail("store", "see that it can be reached from here", "%s", oneLineOf(err))}
	}
	found := []finding{ok("store", "%s answers in %s", c.storeName(), time.Since(began).Round(10*time.Microsecond))}
	found = append(found, checkClock(ctx, c, st), checkReplicas(ctx, c, st))
	vault, more := checkVault(ctx, c)
	found = append(found, more...)
	if sealer != nil {
		found = append(found, checkRing(ctx, c, st, sealer, c.examined(vault)))
	}
	return found
}

// checkClock compares this machine's clock with the store's, at the middle of the asking.
func checkClock(ctx context.Context, c *Config, st keys.RingStore) finding {
	began := time.Now()
	theirs, err := st.StoreTime(ctx)
	if err != nil {
		return fail("clock", "see that the store answers", "%s", oneLineOf(err))
	}
	took := time.Since(began)
	offset := began.Add(took / 2).Sub(theirs).Round(time.Millisecond)
	if offset.Abs() > c.ClockSkew+took {
		return fail("clock", "set the clocks by NTP; until then no replica here serves", "this machine's is %s off the store's, and %s is allowed", offset, formatDuration(c.ClockSkew))
	}
	return ok("clock", "this machine's is %s off the store's", offset)
}

// checkReplicas counts the servers that live on this store.
func checkReplicas(ctx context.Context, c *Config, st keys.RingStore) finding {
	beats, err := st.Heartbeats(ctx)
	if err != nil {
		return fail("replicas", "see that the store answers", "%s", oneLineOf(err))
	}
	now, err := st.StoreTime(ctx)
	if err != nil {
		return fail("replicas", "see that the store answers", "%s", oneLineOf(err))
	}
	var live []string
	for _, b := range beats {
		if now.Sub(b.At) < c.keyPolicy().R() {
			live = append(live, fmt.Sprintf("%s (ring %d)", b.Replica, b.RingVersion))
		}
	}
	if len(live) == 0 {
		return warn("replicas", "start the server; without one no key is rotated", "no server runs on this store")
	}
	return ok("replicas", "%d: %s", len(live), strings.Join(live, ", "))
}

// readOnly is a ring store that keeps what it is given to itself, so that a replica sees what it would if it started here now.
type readOnly struct{ keys.RingStore }

func (readOnly) SaveRing(context.Context, int64, keys.RingDocument) (bool, error) { return true, nil }
func (readOnly) PutHeartbeat(context.Context, keys.Heartbeat) error               { return nil }
func (readOnly) DeleteHeartbeat(context.Context, string) error                    { return nil }

// checkRing opens every key as a replica does, standby keys included, and says when the next rotation is due.
func checkRing(ctx context.Context, c *Config, st keys.RingStore, sealer *keys.Sealer, keeping keys.Keeping) finding {
	document, err := st.LoadRing(ctx)
	if err != nil {
		return fail("ring", "see that the store answers", "%s", oneLineOf(err))
	}
	if document.Version == 0 {
		return warn("ring", "it is made when the server first starts", "there is no key ring yet")
	}
	replica, err := keys.NewReplica(keys.ReplicaConfig{ID: "doctor", Store: readOnly{st}, Sealer: sealer, Policy: c.keyPolicy(), Algorithms: algorithms, Wall: time.Now,
		Keeping: keeping})
	if err != nil {
		return fail("ring", "mend the key policy", "%s", oneLineOf(err))
	}
	if err := replica.Start(ctx); err != nil {
		return fail("ring", "see that SIGNET_KEK_FILE holds the keys that sealed it", "%s", oneLineOf(err))
	}
	if err := replica.Ready(); err != nil {
		return fail("ring", "see that SIGNET_KEK_FILE holds the keys that sealed it", "%s", oneLineOf(err))
	}
	var next []string
	for _, a := range replica.Status().Algorithms {
		next = append(next, fmt.Sprintf("%s rotates at %s", a.Algorithm, a.DueAt.UTC().Format(time.RFC3339)))
	}
	return ok("ring", "version %d; every key opens; %s", document.Version, strings.Join(next, ", "))
}

const checkTime = 5 * time.Second

// checkMailServer greets the mail server and sends nothing.
func checkMailServer(ctx context.Context, raw string) finding {
	const remedy = "see that SIGNET_SMTP_URL is right and the server reachable from here; until then codes wait in the outbox"
	u, err := mail.ParseSMTPURL(raw)
	if err != nil {
		return fail("smtp", remedy, "there is no usable SIGNET_SMTP_URL")
	}
	if u.Scheme == "smtps" {
		return checkPort(ctx, net.JoinHostPort(u.Hostname(), portOr(u.Port(), "465")), remedy)
	}
	address := net.JoinHostPort(u.Hostname(), portOr(u.Port(), "587"))
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return fail("smtp", remedy, "%v", err)
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(checkTime))
	client, err := smtp.NewClient(connection, u.Hostname())
	if err == nil {
		err = client.Hello("localhost")
	}
	if err != nil {
		return fail("smtp", remedy, "%s does not greet: %v", address, err)
	}
	defer client.Close()
	encrypted, _ := client.Extension("STARTTLS")
	_ = client.Quit()
	if !encrypted && !isLoopbackHost(u.Hostname()) {
		return fail("smtp", "signet sends nothing unencrypted: use a server with STARTTLS, or smtps://", "%s offers no STARTTLS", address)
	}
	return ok("smtp", "%s greets", address)
}

func portOr(port, otherwise string) string {
	if port == "" {
		return otherwise
	}
	return port
}

// checkPort opens a connection and closes it.
func checkPort(ctx context.Context, address, remedy string) finding {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return fail("smtp", remedy, "%v", err)
	}
	_ = connection.Close()
	return ok("smtp", "%s accepts connections", address)
}

// checkIssuerAnswers asks the issuer for its metadata, as verifiers do. From here that may be impossible for good reasons, so that it
// only warns.
func checkIssuerAnswers(ctx context.Context, issuer string) finding {
	const remedy = "see that verifiers reach the issuer by that URL, and that it comes out here"
	if issuer == "" {
		return warn("issuer", "set SIGNET_ISSUER", "no issuer is set")
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, issuer+"/.well-known/openid-configuration", nil)
	if err != nil {
		return warn("issuer", remedy, "%v", err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return warn("issuer", remedy, "%v", err)
	}
	defer answer.Body.Close()
	var metadata struct {
		Issuer string `json:"issuer"`
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, jwksLimit)).Decode(&metadata); err != nil || answer.StatusCode != http.StatusOK {
		return warn("issuer", remedy, "%s answers %s, and no metadata", issuer, answer.Status)
	}
	if metadata.Issuer != issuer {
		return fail("issuer", "verifiers compare byte for byte: make them the same", "%s says that it is %q", issuer, metadata.Issuer)
	}
	return ok("issuer", "%s answers", issuer)
}
