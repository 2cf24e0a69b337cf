package issuer_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/issuer"
	"signet/repository/conformance"
)

func wantKind(t *testing.T, err error, kind issuer.Kind) {
	t.Helper()
	if issuer.KindOf(err) != kind || err == nil {
		t.Fatalf("error %v, want %s", err, kind)
	}
}

func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	_, text, _ := strings.Cut(token, "~")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// Requirements 12 to 16: the claims of RFC 9068, no personal data.
func TestAccessTokenClaims(t *testing.T) {
	w := newWorld(t)
	s := w.signUp("ada@example.org")
	if !strings.HasPrefix(s.AccessToken, "at+jwt~") {
		t.Errorf("typ of %q", s.AccessToken)
	}
	c := claimsOf(t, s.AccessToken)
	want := []string{"iss", "sub", "aud", "client_id", "iat", "exp", "jti", "scope", "sid", "auth_time", "amr"}
	if got := slices.Sorted(maps.Keys(c)); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("claims %v", got)
	}
	if c["iss"] != "https://id.example.com" || c["aud"] != "https://id.example.com" || c["client_id"] != "first-party" || c["scope"] != "account" || c["sid"] != s.SID {
		t.Errorf("claims %v", c)
	}
	if c["exp"].(float64)-c["iat"].(float64) != 300 || s.ExpiresIn != 300 || s.RefreshExpiresIn != 14*24*3600 {
		t.Errorf("times: %v, %d, %d", c, s.ExpiresIn, s.RefreshExpiresIn)
	}
	w.set.Audience, w.set.SimpleJWT = []string{"https://api.example.com"}, true
	s2, err := w.replica(w.store).Refresh(t.Context(), who, s.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	c = claimsOf(t, s2.AccessToken)
	if aud, _ := json.Marshal(c["aud"]); string(aud) != `["https://api.example.com","https://id.example.com"]` || c["token_type"] != "access" || c["user_id"] != c["sub"] {
		t.Errorf("claims with an audience and the compatibility on: %v", c)
	}
}

// Requirements 58, 60, 63, 64: rotated at every use, the grace, idle and absolute lifetimes.
func TestRefreshLifetimes(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	first := w.signUp("ada@example.org")
	second, err := p.Refresh(ctx, who, first.RefreshToken)
	if err != nil || second.RefreshToken == first.RefreshToken {
		t.Fatalf("refresh: %v", err)
	}
	w.clock.advance(29 * time.Second)
	if again, err := p.Refresh(ctx, who, first.RefreshToken); err != nil || again.RefreshToken != second.RefreshToken {
		t.Fatalf("inside the grace: %v", err)
	}
	w.clock.advance(14*24*time.Hour - 30*time.Second)
	third, err := p.Refresh(ctx, who, second.RefreshToken)
	if err != nil {
		t.Fatalf("just before the idle end: %v", err)
	}
	w.clock.advance(14 * 24 * time.Hour)
	_, err = p.Refresh(ctx, who, third.RefreshToken)
	wantKind(t, err, issuer.KindInvalidToken)

	s := w.signUp("bob@example.org")
	end := w.session(s.SID).AbsAt
	for {
		w.clock.advance(13 * 24 * time.Hour)
		next, err := p.Refresh(ctx, who, s.RefreshToken)
		if !w.clock.Now().Before(end) {
			wantKind(t, err, issuer.KindInvalidToken)
			return
		}
		if err != nil || w.clock.Now().Add(time.Duration(next.RefreshExpiresIn)*time.Second).After(end) {
			t.Fatalf("a rotation extends the absolute lifetime: %v, %+v", err, next)
		}
		s = next
	}
}

// Requirement 59: reuse after the grace ends the session, tells the owner once and is in the audit log.
func TestTheft(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	first := w.signUp("ada@example.org")
	second, err := p.Refresh(ctx, who, first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	w.clock.advance(30 * time.Second)
	_, err = p.Refresh(ctx, who, first.RefreshToken)
	wantKind(t, err, issuer.KindTokenReused)
	for _, token := range []string{first.RefreshToken, second.RefreshToken} {
		_, err = p.Refresh(ctx, who, token)
		wantKind(t, err, issuer.KindSessionRevoked)
	}
	if err := p.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	told := 0
	for _, l := range w.mails.letters("ada@example.org") {
		if l.Kind == issuer.LetterReuse {
			told++
		}
	}
	events, err := w.store.ListAudit(ctx, issuer.AuditQuery{}, issuer.Place{}, 100)
	if err != nil || told != 1 || !slices.ContainsFunc(events, func(e issuer.AuditEvent) bool { return e.Type == "token.reuse" && e.SID == first.SID }) {
		t.Errorf("told %d times, audit %+v, %v", told, events, err)
	}
}

// A theft whose process died before it told anybody is told by the next poll.
func TestTheftIsToldAfterACrash(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	first := w.signUp("ada@example.org")
	if _, err := w.replica(w.store).Refresh(ctx, who, first.RefreshToken); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(time.Minute)
	c := w.begin("thief", refreshing(first.RefreshToken))
	for c.next != "RevokeSession" {
		c.step(conformance.None)
	}
	c.step(conformance.None)
	c.crash()
	if err := w.replica(w.store).Settle(ctx); err != nil {
		t.Fatal(err)
	}
	letters := w.mails.letters("ada@example.org")
	if len(letters) == 0 || letters[len(letters)-1].Kind != issuer.LetterReuse || w.session(first.SID).Notice {
		t.Errorf("letters %+v, session %+v", letters, w.session(first.SID))
	}
}

// A rotation that was applied and not answered, and is answered later than the grace, is dated anew: its caller, who may not get that
// answer either, can ask again.
func TestLateAnswerIsNoTheft(t *testing.T) {
	w := newWorld(t)
	first := w.signUp("ada@example.org")
	c := w.begin("slow", refreshing(first.RefreshToken))
	c.step(conformance.AnswerLost)
	w.clock.advance(time.Minute)
	c.finish()
	if c.err != nil {
		t.Fatal(c.err)
	}
	w.clock.advance(29 * time.Second)
	again, err := w.replica(w.store).Refresh(t.Context(), who, first.RefreshToken)
	if err != nil || again.RefreshToken != c.tokens.RefreshToken {
		t.Fatalf("asked again: %v", err)
	}
}

// Without a grace a lost answer is still no theft: the rotation is this attempt's own.
func TestLostAnswerWithoutGrace(t *testing.T) {
	w := newWorld(t)
	w.set.RefreshGrace = 0
	first := w.signUp("ada@example.org")
	c := w.begin("refresh", refreshing(first.RefreshToken))
	c.step(conformance.AnswerLost)
	c.finish()
	if c.err != nil {
		t.Fatal(c.err)
	}
	_, err := w.replica(w.store).Refresh(t.Context(), who, first.RefreshToken)
	wantKind(t, err, issuer.KindTokenReused)
}

// So many rotations within the grace that the oldest is forgotten: its bearer gets nothing and is no thief.
func TestForgottenGenerationWithinGrace(t *testing.T) {
	w := newWorld(t)
	p := w.replica(w.store)
	first := w.signUp("ada@example.org")
	last := first
	for range issuer.RecentKept + 2 {
		w.clock.advance(time.Second)
		next, err := p.Refresh(t.Context(), who, last.RefreshToken)
		if err != nil {
			t.Fatal(err)
		}
		last = next
	}
	_, err := p.Refresh(t.Context(), who, first.RefreshToken)
	wantKind(t, err, issuer.KindInvalidToken)
	if _, err := p.Refresh(t.Context(), who, last.RefreshToken); err != nil {
		t.Fatalf("the session did not stay: %v", err)
	}
}

// One storage operation on the normal path of a refresh, two on a retry inside the grace; a forged token costs none.
func TestRefreshOperations(t *testing.T) {
	w := newWorld(t)
	s := w.signUp("ada@example.org")
	counted := conformance.Counting(w.store)
	p := w.replica(counted)
	next, err := p.Refresh(t.Context(), who, s.RefreshToken)
	if got := counted.Operations(); err != nil || !maps.Equal(got, map[string]int{"RotateSession": 1}) {
		t.Errorf("a refresh costs %v, %v", got, err)
	}
	counted.Reset()
	if _, err := p.Refresh(t.Context(), who, s.RefreshToken); err != nil || counted.Total() != 2 {
		t.Errorf("a retry costs %v, %v", counted.Operations(), err)
	}
	counted.Reset()
	forged := next.RefreshToken[:20] + "ABCD" + next.RefreshToken[24:]
	for _, bad := range []string{forged, "", "srt_", "x", next.AccessToken, strings.Repeat("A", 4000)} {
		_, err := p.Refresh(t.Context(), who, bad)
		wantKind(t, err, issuer.KindInvalidToken)
	}
	if counted.Total() != 0 {
		t.Errorf("forgeries cost %v", counted.Operations())
	}
}

// Requirement 86 at the store and the hash: known and unknown addresses, names and states cost the same operations and hashes, and
// get the same answer.
func TestNoEnumeration(t *testing.T) {
	w := newWorld(t)
	w.signUp("known@example.org")
	w.clock.advance(time.Hour)
	cost := func(run func(p *issuer.Provider) error) (map[string]int, int, error) {
		counted := conformance.Counting(w.store)
		mails := w.mails.count()
		err := run(w.replica(counted))
		return counted.Operations(), w.mails.count() - mails, err
	}
	same := func(what string, a, b func(p *issuer.Provider) error) {
		t.Helper()
		opsA, mailsA, errA := cost(a)
		opsB, mailsB, errB := cost(b)
		if !maps.Equal(opsA, opsB) || mailsA != mailsB || issuer.KindOf(errA) != issuer.KindOf(errB) || (errA == nil) != (errB == nil) {
			t.Errorf("%s: known %v, %d mails, %v; unknown %v, %d mails, %v", what, opsA, mailsA, errA, opsB, mailsB, errB)
		}
	}
	login := func(r issuer.LoginRequest) func(p *issuer.Provider) error {
		return func(p *issuer.Provider) error { _, err := p.Login(t.Context(), who, r); return err }
	}
	tickets := map[string]string{}
	register := func(email string) func(p *issuer.Provider) error {
		return func(p *issuer.Provider) error {
			tk, err := p.Register(t.Context(), who, issuer.RegisterRequest{Email: email, Password: password})
			if tk.ExpiresIn != 600 || tk.ResendIn != 30 || tk.CodeLength != 6 || len(tk.ChallengeID) != 22 {
				t.Errorf("ticket %+v", tk)
			}
			tickets[email] = tk.ChallengeID
			return err
		}
	}
	same("login, wrong password", login(issuer.LoginRequest{Email: "known@example.org", Password: "wrong password"}),
		login(issuer.LoginRequest{Email: "unknown@example.org", Password: "wrong password"}))
	same("login by username", login(issuer.LoginRequest{Email: "known@example.org", Password: "wrong password"}),
		login(issuer.LoginRequest{Username: "nobody", Password: "wrong password"}))
	same("register", register("known@example.org"), register("unknown@example.org"))
	w.clock.advance(time.Minute)
	resend := func(email string) func(p *issuer.Provider) error {
		return func(p *issuer.Provider) error { _, err := p.Resend(t.Context(), who, tickets[email]); return err }
	}
	same("resend", resend("known@example.org"), resend("unknown@example.org"))
	guess := func(email string) func(p *issuer.Provider) error {
		return func(p *issuer.Provider) error {
			code := "000000"
			if email == "unknown@example.org" && w.mails.code(t, email) == code {
				code = "000001"
			}
			_, err := p.Verify(t.Context(), who, issuer.VerifyRequest{ChallengeID: tickets[email], Code: code})
			return err
		}
	}
	same("verify, wrong code", guess("known@example.org"), guess("unknown@example.org"))
	for _, l := range w.mails.letters("known@example.org")[1:] {
		if l.Kind != issuer.LetterTaken || l.Code != "" {
			t.Errorf("the owner of a taken address got %+v", l)
		}
	}
}

// Requirement 95: nothing token-like before the code, and an unfinished challenge opens nothing.
func TestNothingBeforeTheCode(t *testing.T) {
	w := newWorld(t)
	p := w.replica(w.store)
	tk, err := p.Register(t.Context(), who, issuer.RegisterRequest{Email: "ada@example.org", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Identifier(t.Context(), issuer.EmailKey("ada@example.org")); !errors.Is(err, issuer.ErrNotFound) {
		t.Errorf("an identifier before the code: %v", err)
	}
	users, err := w.store.ListUsers(t.Context(), issuer.UserQuery{}, issuer.Place{}, 10)
	if err != nil || len(users) != 0 {
		t.Errorf("users before the code: %v, %v", users, err)
	}
	if _, err := p.Refresh(t.Context(), who, tk.ChallengeID); issuer.KindOf(err) != issuer.KindInvalidToken {
		t.Errorf("a challenge id as a refresh token: %v", err)
	}
}

// Requirement 93 and the parallel case: of 100 wrong codes at once five are compared, and the right one fails after.
func TestParallelGuesses(t *testing.T) {
	w := newWorld(t)
	w.set.LimitGuesses = issuer.Limit{N: 200, Window: time.Hour}
	w.signUp("ada@example.org")
	w.clock.advance(time.Hour)
	p, ctx := w.replica(w.store), t.Context()
	for what, c := range map[string]struct {
		open func() (issuer.Ticket, error)
		give func(id, code string) error
	}{
		"sign-in": {
			func() (issuer.Ticket, error) {
				return p.Login(ctx, who, issuer.LoginRequest{Email: "ada@example.org", Password: password})
			},
			func(id, code string) error {
				_, err := p.Verify(ctx, who, issuer.VerifyRequest{ChallengeID: id, Code: code})
				return err
			},
		},
		"reset": {
			func() (issuer.Ticket, error) { return p.ForgotPassword(ctx, who, "ada@example.org") },
			func(id, code string) error {
				return p.ResetPassword(ctx, who, issuer.ResetRequest{ChallengeID: id, Code: code, NewPassword: newPassword})
			},
		},
	} {
		tk, err := c.open()
		if err != nil {
			t.Fatal(err)
		}
		right := w.mails.code(t, "ada@example.org")
		wrong := strings.Map(func(r rune) rune { return '0' + (r-'0'+1)%10 }, right)
		var mu sync.Mutex
		kinds := map[issuer.Kind]int{}
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				err := c.give(tk.ChallengeID, wrong)
				mu.Lock()
				kinds[issuer.KindOf(err)]++
				mu.Unlock()
			})
		}
		wg.Wait()
		if kinds[issuer.KindInvalidCode] != 5 || kinds[issuer.KindTooManyAttempts] != 95 {
			t.Errorf("%s: 100 wrong codes: %v", what, kinds)
		}
		wantKind(t, c.give(tk.ChallengeID, right), issuer.KindTooManyAttempts)
	}
}

// Requirements 85 and 116: a stranger burns the account's budgets and the owner still signs in, from a device seen before.
func TestOwnerBehindAnAttack(t *testing.T) {
	w := newWorld(t)
	owner := w.signUp("ada@example.org")
	w.clock.advance(time.Hour)
	p := w.replica(w.store)
	attack := issuer.LoginRequest{Email: "ada@example.org", Password: "wrong password"}
	for n := range 12 {
		_, err := p.Login(t.Context(), who, attack)
		if n < 10 {
			wantKind(t, err, issuer.KindInvalidCredentials)
		} else {
			wantKind(t, err, issuer.KindRateLimited)
		}
	}
	_, err := p.Login(t.Context(), who, issuer.LoginRequest{Email: "ada@example.org", Password: password})
	wantKind(t, err, issuer.KindRateLimited)
	tk, err := p.Login(t.Context(), who, issuer.LoginRequest{Email: "ada@example.org", Password: password, DeviceToken: owner.DeviceToken})
	if err != nil {
		t.Fatalf("the owner's own device: %v", err)
	}
	if _, err := p.Verify(t.Context(), who, issuer.VerifyRequest{ChallengeID: tk.ChallengeID, Code: w.mails.code(t, "ada@example.org")}); err != nil {
		t.Fatalf("the owner's code: %v", err)
	}
	other := w.signUp("eve@example.org")
	_, err = p.Login(t.Context(), who, issuer.LoginRequest{Email: "ada@example.org", Password: password, DeviceToken: other.DeviceToken})
	wantKind(t, err, issuer.KindRateLimited)
	w.clock.advance(16 * time.Minute)
	if _, err := p.Login(t.Context(), who, issuer.LoginRequest{Email: "ada@example.org", Password: password}); err != nil {
		t.Fatalf("after the window: %v", err)
	}
}

// The source's limit counts networks, not addresses, and comes before everything of an account.
func TestSourceLimit(t *testing.T) {
	w := newWorld(t)
	w.set.LimitSource = issuer.Limit{N: 3, Window: time.Minute}
	counted := conformance.Counting(w.store)
	p := w.replica(counted)
	try := func(ip string) error {
		_, err := p.Login(t.Context(), issuer.Requester{IP: ip}, issuer.LoginRequest{Email: "x@example.org", Password: "wrong password"})
		return err
	}
	for _, ip := range []string{"198.51.100.1", "198.51.100.2", "198.51.100.250"} {
		wantKind(t, try(ip), issuer.KindInvalidCredentials)
	}
	err := try("198.51.100.77")
	wantKind(t, err, issuer.KindRateLimited)
	var e *issuer.Error
	if !errors.As(err, &e) || e.RetryAfter <= 0 || e.RetryAfter > time.Minute {
		t.Errorf("retry after %v", e.RetryAfter)
	}
	counted.Reset()
	wantKind(t, try("::ffff:198.51.100.1"), issuer.KindRateLimited)
	if counted.Total() != 0 {
		t.Errorf("a full budget is asked of the store again: %v", counted.Operations())
	}
	wantKind(t, try("2001:db8:1:2::1"), issuer.KindInvalidCredentials)
	w.clock.advance(time.Minute)
	wantKind(t, try("198.51.100.1"), issuer.KindInvalidCredentials)
}

// Resending: not before its time, same id, expiry and tries; only the newest code counts.
func TestResend(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	tk, err := p.Register(ctx, who, issuer.RegisterRequest{Email: "ada@example.org", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	old := w.mails.code(t, "ada@example.org")
	_, err = p.Resend(ctx, who, tk.ChallengeID)
	wantKind(t, err, issuer.KindRateLimited)
	for {
		w.clock.advance(30 * time.Second)
		again, err := p.Resend(ctx, who, tk.ChallengeID)
		if err != nil || again.ChallengeID != tk.ChallengeID || again.ExpiresIn >= tk.ExpiresIn {
			t.Fatalf("resend: %+v, %v", again, err)
		}
		if w.mails.code(t, "ada@example.org") != old {
			break
		}
	}
	_, err = p.Verify(ctx, who, issuer.VerifyRequest{ChallengeID: tk.ChallengeID, Code: old})
	wantKind(t, err, issuer.KindInvalidCode)
	if _, err := p.Verify(ctx, who, issuer.VerifyRequest{ChallengeID: tk.ChallengeID, Code: w.mails.code(t, "ada@example.org")}); err != nil {
		t.Fatal(err)
	}
	_, err = p.Verify(ctx, who, issuer.VerifyRequest{ChallengeID: tk.ChallengeID, Code: w.mails.code(t, "ada@example.org")})
	wantKind(t, err, issuer.KindChallengeExpired)
	_, err = p.Resend(ctx, who, tk.ChallengeID)
	wantKind(t, err, issuer.KindChallengeExpired)
	_, err = p.Resend(ctx, who, "no such challenge")
	wantKind(t, err, issuer.KindChallengeExpired)
}

func TestChallengeExpires(t *testing.T) {
	w := newWorld(t)
	p := w.replica(w.store)
	tk, err := p.Register(t.Context(), who, issuer.RegisterRequest{Email: "ada@example.org", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	w.clock.advance(10 * time.Minute)
	_, err = p.Verify(t.Context(), who, issuer.VerifyRequest{ChallengeID: tk.ChallengeID, Code: w.mails.code(t, "ada@example.org")})
	wantKind(t, err, issuer.KindChallengeExpired)
}

// Requirements 17, 66, 75: after logout the API refuses the access token at once, and its introspection is inactive.
func TestLogout(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	s, other := w.signUp("ada@example.org"), w.signUp("bob@example.org")
	if claims, active, err := p.VerifyToken(ctx, s.AccessToken); err != nil || !active || !strings.Contains(string(claims), s.SID) {
		t.Fatalf("before: %s, %v, %v", claims, active, err)
	}
	for range 2 {
		if err := p.Logout(ctx, who, s.RefreshToken); err != nil {
			t.Fatal(err)
		}
	}
	_, err := p.Authenticate(ctx, s.AccessToken)
	wantKind(t, err, issuer.KindSessionRevoked)
	if _, active, err := p.VerifyToken(ctx, s.AccessToken); active || err != nil {
		t.Errorf("after: %v, %v", active, err)
	}
	_, err = p.Refresh(ctx, who, s.RefreshToken)
	wantKind(t, err, issuer.KindSessionRevoked)
	for _, nothing := range []string{"", "nonsense", other.RefreshToken[:20]} {
		if err := p.Logout(ctx, who, nothing); err != nil {
			t.Errorf("logout of %q: %v", nothing, err)
		}
	}
	if _, err := p.Authenticate(ctx, other.AccessToken); err != nil {
		t.Errorf("somebody else's session: %v", err)
	}
}

func TestLogoutAll(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	w.signUp("ada@example.org")
	w.clock.advance(time.Hour)
	var sets []issuer.TokenSet
	for range 3 {
		tk, err := p.Login(ctx, who, issuer.LoginRequest{Email: "ada@example.org", Password: password})
		if err != nil {
			t.Fatal(err)
		}
		s, err := p.Verify(ctx, who, issuer.VerifyRequest{ChallengeID: tk.ChallengeID, Code: w.mails.code(t, "ada@example.org")})
		if err != nil {
			t.Fatal(err)
		}
		sets = append(sets, s)
	}
	pending, err := p.Login(ctx, who, issuer.LoginRequest{Email: "ada@example.org", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	me, err := p.Authenticate(ctx, sets[0].AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.LogoutAll(ctx, who, me); err != nil {
		t.Fatal(err)
	}
	for _, s := range sets {
		_, err := p.Refresh(ctx, who, s.RefreshToken)
		wantKind(t, err, issuer.KindSessionRevoked)
		_, err = p.Authenticate(ctx, s.AccessToken)
		wantKind(t, err, issuer.KindSessionRevoked)
	}
	_, err = p.Verify(ctx, who, issuer.VerifyRequest{ChallengeID: pending.ChallengeID, Code: w.mails.code(t, "ada@example.org")})
	wantKind(t, err, issuer.KindChallengeExpired) // its password check saw an older Cred
	if u, _ := w.store.User(ctx, me.User.ID); u.Pending != 0 {
		t.Errorf("the mark stays: %+v", u)
	}
}

// Requirement 17: this API refuses another typ, audience, issuer, scope, and times out of bounds.
func TestAuthenticateRefuses(t *testing.T) {
	w := newWorld(t)
	p := w.replica(w.store)
	s := w.signUp("ada@example.org")
	good := claimsOf(t, s.AccessToken)
	forge := func(typ string, change func(c map[string]any)) string {
		c := maps.Clone(good)
		change(c)
		raw, _ := json.Marshal(c)
		return typ + "~" + base64.RawURLEncoding.EncodeToString(raw)
	}
	keep := func(map[string]any) {}
	if _, err := p.Authenticate(t.Context(), forge("at+jwt", keep)); err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{
		"typ":          forge("JWT", keep),
		"no typ":       forge("", keep),
		"issuer":       forge("at+jwt", func(c map[string]any) { c["iss"] = "https://id.example.com/" }),
		"audience":     forge("at+jwt", func(c map[string]any) { c["aud"] = "https://other.example" }),
		"audiences":    forge("at+jwt", func(c map[string]any) { c["aud"] = []string{"a", "b"} }),
		"aud number":   forge("at+jwt", func(c map[string]any) { c["aud"] = 7 }),
		"expired":      forge("at+jwt", func(c map[string]any) { c["exp"] = epoch.Unix() }),
		"future":       forge("at+jwt", func(c map[string]any) { c["iat"] = epoch.Add(time.Hour).Unix() }),
		"no sid":       forge("at+jwt", func(c map[string]any) { delete(c, "sid") }),
		"no session":   forge("at+jwt", func(c map[string]any) { c["sid"] = "AAAAAAAAAAAAAAAAAAAAAA" }),
		"another user": forge("at+jwt", func(c map[string]any) { c["sub"] = "somebody" }),
		"a string":     "at+jwt~" + base64.RawURLEncoding.EncodeToString([]byte(`"x"`)),
		"nothing":      "",
	} {
		_, err := p.Authenticate(t.Context(), token)
		if issuer.KindOf(err) != issuer.KindInvalidToken {
			t.Errorf("%s: %v", name, err)
		}
		if _, active, err := p.VerifyToken(t.Context(), token); active || err != nil {
			t.Errorf("%s: active %v, %v", name, active, err)
		}
	}
	for name, token := range map[string]string{
		"scope":  forge("at+jwt", func(c map[string]any) { c["scope"] = "admin" }),
		"client": forge("at+jwt", func(c map[string]any) { c["client_id"] = "somebody-elses" }),
	} {
		_, err := p.Authenticate(t.Context(), token)
		if issuer.KindOf(err) != issuer.KindForbidden {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProfile(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	me := func(s issuer.TokenSet) issuer.Principal {
		pr, err := p.Authenticate(ctx, s.AccessToken)
		if err != nil {
			t.Fatal(err)
		}
		return pr
	}
	ada, bob := w.signUp("ada@example.org"), w.signUp("bob@example.org")
	name, given, locale := "Countess", " Augusta ", "pt-br"
	u, err := p.UpdateMe(ctx, me(ada), issuer.ProfileUpdate{Username: &name, GivenName: &given, Locale: &locale})
	if err != nil || u.Username != "Countess" || u.GivenName != "Augusta" || u.Locale != "pt-BR" {
		t.Fatalf("%+v, %v", u, err)
	}
	taken := "COUNTESS"
	_, err = p.UpdateMe(ctx, me(bob), issuer.ProfileUpdate{Username: &taken})
	wantKind(t, err, issuer.KindConflict)
	same := "countess"
	if u, err = p.UpdateMe(ctx, me(ada), issuer.ProfileUpdate{Username: &same}); err != nil || u.Username != "countess" {
		t.Fatalf("another case of one's own name: %+v, %v", u, err)
	}
	if _, err := p.Login(ctx, who, issuer.LoginRequest{Username: "CountesS", Password: password}); err != nil {
		t.Fatalf("sign-in by username: %v", err)
	}
	none := ""
	if u, err = p.UpdateMe(ctx, me(ada), issuer.ProfileUpdate{Username: &none}); err != nil || u.Username != "" {
		t.Fatalf("%+v, %v", u, err)
	}
	if u, err = p.UpdateMe(ctx, me(bob), issuer.ProfileUpdate{Username: &taken}); err != nil || u.Username != "COUNTESS" {
		t.Fatalf("a name that came free: %+v, %v", u, err)
	}
	bad, long := "a b", strings.Repeat("x", 200)
	_, err = p.UpdateMe(ctx, me(bob), issuer.ProfileUpdate{Username: &bad, GivenName: &long, Locale: &bad})
	wantKind(t, err, issuer.KindInvalidRequest)
	var e *issuer.Error
	if errors.As(err, &e); len(e.Fields) != 3 {
		t.Errorf("not all fields are named: %+v", e.Fields)
	}
}

func TestCreateUser(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	u, err := p.CreateUser(ctx, issuer.NewUser{Email: "Root@Example.org", Username: "root", Password: password, Roles: []string{"admin"}, Verified: true})
	if err != nil || u.Email != "root@example.org" || u.Username != "root" || !u.EmailVerified {
		t.Fatalf("%+v, %v", u, err)
	}
	_, err = p.CreateUser(ctx, issuer.NewUser{Email: "root@example.org", Password: password})
	wantKind(t, err, issuer.KindConflict)
	_, err = p.CreateUser(ctx, issuer.NewUser{Email: "other@example.org", Username: "ROOT", Password: password})
	wantKind(t, err, issuer.KindConflict)
	_, err = p.CreateUser(ctx, issuer.NewUser{Email: "x", Username: "a b", Roles: []string{"Bad Role"}})
	wantKind(t, err, issuer.KindInvalidRequest)
	tk, err := p.Login(ctx, who, issuer.LoginRequest{Username: "root", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.Verify(ctx, who, issuer.VerifyRequest{ChallengeID: tk.ChallengeID, Code: w.mails.code(t, "root@example.org")})
	if err != nil || s.Scope != "account admin" {
		t.Fatalf("%+v, %v", s, err)
	}
	if c := claimsOf(t, s.AccessToken); c["scope"] != "account admin" || len(c["roles"].([]any)) != 1 {
		t.Errorf("claims %v", c)
	}
}

// Requirement 84: a hash of an older cost is brought up to date at sign-in.
func TestRehashAtSignIn(t *testing.T) {
	w := newWorld(t)
	s := w.signUp("ada@example.org")
	before, err := w.store.User(t.Context(), s.UserID)
	if err != nil {
		t.Fatal(err)
	}
	old, err := issuer.NewHasher(issuer.HasherConfig{MemoryKiB: 16, Time: 2, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	hash, err := old.Hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := w.store.RehashPassword(t.Context(), s.UserID, before.PasswordHash, hash); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if _, err := w.replica(w.store).Login(t.Context(), who, issuer.LoginRequest{Email: "ada@example.org", Password: password}); err != nil {
		t.Fatal(err)
	}
	after, err := w.store.User(t.Context(), s.UserID)
	if err != nil || after.PasswordHash == hash || !strings.HasPrefix(after.PasswordHash, "$argon2id$v=19$m=8,t=1,p=1$") {
		t.Errorf("hash %q, %v", after.PasswordHash, err)
	}
}

func TestBadRequests(t *testing.T) {
	w := newWorld(t)
	p, ctx := w.replica(w.store), t.Context()
	_, err := p.Register(ctx, who, issuer.RegisterRequest{Email: "nope", Password: "x", GivenName: "a\x00", ClientID: "unknown"})
	wantKind(t, err, issuer.KindInvalidRequest)
	var e *issuer.Error
	if errors.As(err, &e); len(e.Fields) != 3 {
		t.Errorf("fields %+v", e.Fields)
	}
	_, err = p.Register(ctx, who, issuer.RegisterRequest{Email: "ada@example.org", Password: "password1"})
	wantKind(t, err, issuer.KindWeakPassword)
	for _, r := range []issuer.LoginRequest{{}, {Email: "a@b.org", Username: "a", Password: "x"}, {Email: "a@b.org"}, {Username: "a", Password: "x", ClientID: "?"}, {Username: "a", Password: strings.Repeat("x", 2000)}} {
		_, err := p.Login(ctx, who, r)
		wantKind(t, err, issuer.KindInvalidRequest)
	}
	counted := conformance.Counting(w.store)
	_, _ = w.replica(counted).Register(ctx, who, issuer.RegisterRequest{Email: strings.Repeat("x", 10_000), Password: password})
	if counted.Total() != 0 {
		t.Errorf("a bad request costs %v", counted.Operations())
	}
}
