package handlers

import (
	"context"
	"time"

	"signet/issuer"
)

// The account half of the scripted Provider. What a call was asked comes as one value: the request, or the arguments in order.

type asked []any

func (s *scripted) ChangePassword(ctx context.Context, who issuer.Requester, p issuer.Principal, current, next string) error {
	return s.call(ctx, "ChangePassword", who, asked{p.Session.ID, current, next})
}

func (s *scripted) ForgotPassword(ctx context.Context, who issuer.Requester, email string) (issuer.Ticket, error) {
	return aTicket, s.call(ctx, "ForgotPassword", who, email)
}

func (s *scripted) ResetPassword(ctx context.Context, who issuer.Requester, r issuer.ResetRequest) error {
	return s.call(ctx, "ResetPassword", who, r)
}

func (s *scripted) ChangeEmail(ctx context.Context, who issuer.Requester, p issuer.Principal, email, password string) (issuer.Ticket, error) {
	return aTicket, s.call(ctx, "ChangeEmail", who, asked{p.Session.ID, email, password})
}

func (s *scripted) VerifyEmail(ctx context.Context, who issuer.Requester, p issuer.Principal, r issuer.VerifyRequest) (issuer.User, error) {
	return s.user, s.call(ctx, "VerifyEmail", who, asked{p.Session.ID, r})
}

func (s *scripted) StepUp(ctx context.Context, who issuer.Requester, p issuer.Principal, password string) (issuer.Ticket, error) {
	return aTicket, s.call(ctx, "StepUp", who, asked{p.Session.ID, password})
}

func (s *scripted) VerifyStepUp(ctx context.Context, who issuer.Requester, p issuer.Principal, r issuer.VerifyRequest) (issuer.TokenSet, error) {
	return s.set, s.call(ctx, "VerifyStepUp", who, asked{p.Session.ID, r})
}

func (s *scripted) DeleteMe(ctx context.Context, who issuer.Requester, p issuer.Principal, password string) error {
	return s.call(ctx, "DeleteMe", who, asked{p.Session.ID, password})
}

func (s *scripted) MySessions(ctx context.Context, p issuer.Principal, after issuer.Place, limit int) (issuer.Page[issuer.Session], error) {
	return part(s.sessions, sessionPlace, after, limit), s.call(ctx, "MySessions", issuer.Requester{}, asked{p.User.ID, after, limit})
}

func (s *scripted) EndSession(ctx context.Context, who issuer.Requester, p issuer.Principal, sid string) error {
	return s.call(ctx, "EndSession", who, asked{p.Session.ID, sid})
}

// anAdmin is what Admin makes of a caller; every call of an administrator must come with it.
var anAdmin = issuer.Operator()

func (s *scripted) Admin(p issuer.Principal, who issuer.Requester) (issuer.Admin, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, "Admin "+p.User.ID)
	s.who = who
	if s.admin != nil {
		return issuer.Admin{}, s.admin
	}
	return anAdmin, nil
}

// by is a call that only an administrator may make; who asks was said to Admin.
func (s *scripted) by(ctx context.Context, name string, by issuer.Admin, req any) error {
	if by != anAdmin {
		panic(name + " without what Admin returned")
	}
	return s.call(ctx, name, s.who, req)
}

func (s *scripted) ListUsers(ctx context.Context, by issuer.Admin, q issuer.UserQuery, after issuer.Place, limit int) (issuer.Page[issuer.User], error) {
	return part(s.users, userPlace, after, limit), s.by(ctx, "ListUsers", by, asked{q, after, limit})
}

func (s *scripted) GetUser(ctx context.Context, by issuer.Admin, id string) (issuer.User, error) {
	return s.user, s.by(ctx, "GetUser", by, id)
}

func (s *scripted) AdminCreateUser(ctx context.Context, by issuer.Admin, n issuer.NewUser) (issuer.User, error) {
	return s.user, s.by(ctx, "AdminCreateUser", by, n)
}

func (s *scripted) PatchUser(ctx context.Context, by issuer.Admin, id string, p issuer.UserPatch) (issuer.User, error) {
	return s.user, s.by(ctx, "PatchUser", by, asked{id, p})
}

func (s *scripted) DeleteUser(ctx context.Context, by issuer.Admin, id string) error {
	return s.by(ctx, "DeleteUser", by, id)
}

func (s *scripted) LogoutUser(ctx context.Context, by issuer.Admin, id string) error {
	return s.by(ctx, "LogoutUser", by, id)
}

func (s *scripted) RequirePasswordReset(ctx context.Context, by issuer.Admin, id string) error {
	return s.by(ctx, "RequirePasswordReset", by, id)
}

func (s *scripted) ListSessions(ctx context.Context, by issuer.Admin, userID string, revoked bool, after issuer.Place, limit int) (issuer.Page[issuer.Session], error) {
	return part(s.sessions, sessionPlace, after, limit), s.by(ctx, "ListSessions", by, asked{userID, revoked, after, limit})
}

func (s *scripted) EndAnySession(ctx context.Context, by issuer.Admin, sid string) error {
	return s.by(ctx, "EndAnySession", by, sid)
}

func (s *scripted) ListAudit(ctx context.Context, by issuer.Admin, q issuer.AuditQuery, after issuer.Place, limit int) (issuer.Page[issuer.AuditEvent], error) {
	return part(s.events, eventPlace, after, limit), s.by(ctx, "ListAudit", by, asked{q, after, limit})
}

func (s *scripted) Overview(ctx context.Context, by issuer.Admin) (issuer.Overview, error) {
	return s.overview, s.by(ctx, "Overview", by, nil)
}

func sessionPlace(s issuer.Session) issuer.Place  { return issuer.Place{At: s.CreatedAt, ID: s.ID} }
func userPlace(u issuer.User) issuer.Place        { return issuer.Place{At: u.CreatedAt, ID: u.ID} }
func eventPlace(e issuer.AuditEvent) issuer.Place { return issuer.Place{At: e.At, ID: e.ID} }

// part is the page of a list, which is in order, after a place.
func part[T any](list []T, place func(T) issuer.Place, after issuer.Place, limit int) issuer.Page[T] {
	var p issuer.Page[T]
	for _, item := range list {
		at := place(item)
		if d := at.At.Compare(after.At); d < 0 || (d == 0 && at.ID <= after.ID) {
			continue
		}
		if len(p.Items) == limit {
			next := place(p.Items[limit-1])
			p.Next = &next
			break
		}
		p.Items = append(p.Items, item)
	}
	return p
}

var (
	longAgo    = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	aSession   = issuer.Session{ID: "sid-1", UserID: "user-1", ClientID: "first-party", CreatedAt: longAgo, At: longAgo.Add(time.Hour), IdleAt: longAgo.Add(24 * time.Hour), AbsAt: longAgo.Add(48 * time.Hour), UserAgent: "curl/8", IP: "192.0.2.7"}
	anOverview = issuer.Overview{Counts: issuer.Counts{Active: 5, Disabled: 4, Deleted: 3, Outstanding: 2, Revoked: 1}, QueuedMails: 6}
	anEvent    = issuer.AuditEvent{ID: "sign_in:sid-1", Type: "sign_in.ok", At: longAgo, Actor: "user-1", SID: "sid-1", ClientID: "first-party", Source: "192.0.2.7", RequestID: "req-1"}
)
