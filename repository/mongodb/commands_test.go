package mongodb_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"signet/issuer"
	"signet/keys"
	"signet/repository/conformance"
	"signet/repository/mongodb/mongotest"
)

// commandCase is one call of a port and the commands it may send. Those of a name run in order, each on what those before
// left.
type commandCase struct {
	method string
	call   func(ctx context.Context, s conformance.Store) error
	sends  string // names of commands; "" is none at all
}

// ignore drops what a method returns beside its error.
func ignore[A any](_ A, err error) error { return err }

var text = "text"

var commandCases = []commandCase{
	{"InsertUser", func(ctx context.Context, s conformance.Store) error {
		u := theUser
		u.Release, u.Pending = []string{"email:x", "name:x"}, 1
		return s.InsertUser(ctx, u)
	}, "insert"},
	{"InsertUser", func(ctx context.Context, s conformance.Store) error { return inserted(s.InsertUser(ctx, theUser)) }, "insert"},
	{"User", func(ctx context.Context, s conformance.Store) error { return ignore(s.User(ctx, "u")) }, "find"},
	{"RehashPassword", func(ctx context.Context, s conformance.Store) error {
		return ignore(s.RehashPassword(ctx, "u", "", "h"))
	}, "findAndModify"},
	{"RehashPassword", func(ctx context.Context, s conformance.Store) error {
		return ignore(s.RehashPassword(ctx, "u", "no", "h"))
	}, "findAndModify"},
	{"RecordSignIn", func(ctx context.Context, s conformance.Store) error {
		return answered(s.RecordSignIn(ctx, "u", 0, noon))
	}, "findAndModify"},
	{"ActOnUser", func(ctx context.Context, s conformance.Store) error {
		return answered(s.ActOnUser(ctx, "u", theAct("a")))
	}, "findAndModify"},
	{"ClearUserNotice", func(ctx context.Context, s conformance.Store) error { return ignore(s.ClearUserNotice(ctx, "u", 1)) }, "findAndModify"},
	{"HashKinds", func(ctx context.Context, s conformance.Store) error { return ignore(s.HashKinds(ctx)) }, "find"},
	{"Counts", func(ctx context.Context, s conformance.Store) error { return ignore(s.Counts(ctx, noon)) }, "aggregate aggregate aggregate aggregate aggregate"},
	{"ClearPending", func(ctx context.Context, s conformance.Store) error { return ignore(s.ClearPending(ctx, "u", 1)) }, "findAndModify"},
	{"PendingUsers", func(ctx context.Context, s conformance.Store) error { return ignore(s.PendingUsers(ctx, "", 200)) }, "find"},
	{"PendingUsers", func(ctx context.Context, s conformance.Store) error { return ignore(s.PendingUsers(ctx, "", 0)) }, ""},
	{"UpdateProfile", func(ctx context.Context, s conformance.Store) error {
		return answered(s.UpdateProfile(ctx, "u", issuer.ProfileChange{GivenName: &text}))
	}, "findAndModify"},
	{"MoveUsername", func(ctx context.Context, s conformance.Store) error {
		return answered(s.MoveUsername(ctx, "u", 0, "n", "name:y", noon))
	}, "findAndModify"},
	{"ClearRelease", func(ctx context.Context, s conformance.Store) error {
		return ignore(s.ClearRelease(ctx, "u", "email:x", 0))
	}, "findAndModify findAndModify"},
	{"ClearRelease", func(ctx context.Context, s conformance.Store) error {
		return ignore(s.ClearRelease(ctx, "u", "name:x", 1))
	}, "findAndModify findAndModify"},
	{"ClearRelease", func(ctx context.Context, s conformance.Store) error {
		return ignore(s.ClearRelease(ctx, "u", "name:y", 1))
	}, "findAndModify"},
	{"ClearRelease", func(ctx context.Context, s conformance.Store) error {
		return ignore(s.ClearRelease(ctx, "u", "name:y", 1))
	}, "findAndModify findAndModify find"},
	{"ReleasingUsers", func(ctx context.Context, s conformance.Store) error { return ignore(s.ReleasingUsers(ctx, "", 200)) }, "find"},
	{"ListUsers", func(ctx context.Context, s conformance.Store) error {
		return ignore(s.ListUsers(ctx, issuer.UserQuery{}, issuer.Place{}, 200))
	}, "find"},

	{"InsertIdentifier", func(ctx context.Context, s conformance.Store) error {
		return s.InsertIdentifier(ctx, issuer.Identifier{ID: "email:a", Claim: "c", OpenSince: noon, Payload: &theUser})
	}, "insert"},
	{"Identifier", func(ctx context.Context, s conformance.Store) error { return ignore(s.Identifier(ctx, "email:a")) }, "find"},
	{"FirmIdentifier", func(ctx context.Context, s conformance.Store) error {
		return ignore(s.FirmIdentifier(ctx, "email:a", "c"))
	}, "findAndModify"},
	{"ReclaimIdentifier", func(ctx context.Context, s conformance.Store) error {
		return ignore(s.ReclaimIdentifier(ctx, "c", issuer.Identifier{ID: "email:a", Claim: "d"}))
	}, "findAndModify"},
	{"ListIdentifiers", func(ctx context.Context, s conformance.Store) error { return ignore(s.ListIdentifiers(ctx, "", 200)) }, "find"},
	{"OpenIdentifiers", func(ctx context.Context, s conformance.Store) error { return ignore(s.OpenIdentifiers(ctx, "", 200)) }, "find"},
	{"DeleteIdentifier", func(ctx context.Context, s conformance.Store) error {
		return ignore(s.DeleteIdentifier(ctx, "email:a", "d"))
	}, "delete"},

	{"InsertChallenge", func(ctx context.Context, s conformance.Store) error { return s.InsertChallenge(ctx, theChallenge) }, "insert"},
	{"Challenge", func(ctx context.Context, s conformance.Store) error { return ignore(s.Challenge(ctx, "c")) }, "find"},
	{"CountTry", func(ctx context.Context, s conformance.Store) error {
		return answered(s.CountTry(ctx, "c", issuer.PurposeLogin, "a", 5, noon))
	}, "findAndModify"},
	{"Resend", func(ctx context.Context, s conformance.Store) error {
		return answered(s.Resend(ctx, "c", issuer.Resending{Send: 1, NextSendAt: noon}, noon))
	}, "findAndModify"},
	{"FinishChallenge", func(ctx context.Context, s conformance.Store) error {
		return answered(s.FinishChallenge(ctx, "c", 2, "a"))
	}, "findAndModify"},

	{"InsertSession", func(ctx context.Context, s conformance.Store) error { return s.InsertSession(ctx, theSession) }, "insert"},
	{"Session", func(ctx context.Context, s conformance.Store) error { return ignore(s.Session(ctx, "s")) }, "find"},
	{"RaiseSession", func(ctx context.Context, s conformance.Store) error {
		return answered(s.RaiseSession(ctx, "s", 2, []string{"r"}, 1, "s"))
	}, "findAndModify"},
	{"RotateSession", func(ctx context.Context, s conformance.Store) error {
		return answered(s.RotateSession(ctx, issuer.Rotation{SID: "s", Secret: "k", ClientIDs: []string{"c"}, Now: noon, Next: "k2", Idle: time.Hour, Att: "a"}))
	}, "findAndModify"},
	{"RotateSession", func(ctx context.Context, s conformance.Store) error {
		return answered(s.RotateSession(ctx, issuer.Rotation{SID: "s", Secret: "k", Now: noon}))
	}, "findAndModify"},
	{"RedateRotation", func(ctx context.Context, s conformance.Store) error {
		return ignore(s.RedateRotation(ctx, "s", 1, "a", noon))
	}, "findAndModify"},
	{"RevokeSession", func(ctx context.Context, s conformance.Store) error {
		gen, ver := int64(0), int64(9)
		return answered(s.RevokeSession(ctx, "s", issuer.Revoking{At: noon, Why: issuer.RevokedReuse, Notice: true, GenAbove: &gen, VerBelow: &ver}))
	}, "findAndModify"},
	{"Reauthenticate", func(ctx context.Context, s conformance.Store) error {
		return answered(s.Reauthenticate(ctx, "s", noon, noon))
	}, "findAndModify"},
	{"ScrubSession", func(ctx context.Context, s conformance.Store) error { return ignore(s.ScrubSession(ctx, "s")) }, "findAndModify"},
	{"ListSessions", func(ctx context.Context, s conformance.Store) error {
		return ignore(s.ListSessions(ctx, issuer.SessionQuery{UserID: "u", Now: noon}, issuer.Place{}, 200))
	}, "find"},
	{"SessionsOf", func(ctx context.Context, s conformance.Store) error { return ignore(s.SessionsOf(ctx, "u", "", 200)) }, "find"},
	{"NoticeSessions", func(ctx context.Context, s conformance.Store) error { return ignore(s.NoticeSessions(ctx, "", 200)) }, "find"},
	{"SessionsActiveSince", func(ctx context.Context, s conformance.Store) error {
		return ignore(s.SessionsActiveSince(ctx, noon, issuer.SessionCursor{Hour: 1, ID: "a"}, 200))
	}, "find"},
	{"SessionsActiveSince", func(ctx context.Context, s conformance.Store) error {
		return ignore(s.SessionsActiveSince(ctx, noon, issuer.SessionCursor{}, 0))
	}, ""},
	{"ClearNotice", func(ctx context.Context, s conformance.Store) error { return ignore(s.ClearNotice(ctx, "s")) }, "findAndModify"},

	{"InsertMail", func(ctx context.Context, s conformance.Store) error { return s.InsertMail(ctx, theMail) }, "insert"},
	{"DueMails", func(ctx context.Context, s conformance.Store) error { return ignore(s.DueMails(ctx, noon, 200)) }, "find"},
	{"ClaimMail", func(ctx context.Context, s conformance.Store) error {
		return answered(s.ClaimMail(ctx, "m", noon, noon.Add(time.Minute), "w"))
	}, "findAndModify"},
	{"DeferMail", func(ctx context.Context, s conformance.Store) error {
		return ignore(s.DeferMail(ctx, "m", "w", noon, noon))
	}, "findAndModify"},
	{"Mails", func(ctx context.Context, s conformance.Store) error { return ignore(s.Mails(ctx, "", 200)) }, "find"},
	{"ResealMail", func(ctx context.Context, s conformance.Store) error {
		return ignore(s.ResealMail(ctx, "m", theMail.Sealed, []byte("next")))
	}, "findAndModify"},
	{"ResealMail", func(ctx context.Context, s conformance.Store) error {
		return ignore(s.ResealMail(ctx, "m", nil, []byte("next")))
	}, "findAndModify"},
	{"QueuedMails", func(ctx context.Context, s conformance.Store) error { return ignore(s.QueuedMails(ctx, noon)) }, "aggregate"},
	{"DeleteMail", func(ctx context.Context, s conformance.Store) error { return ignore(s.DeleteMail(ctx, "m", "w")) }, "delete"},

	{"TakeBudget", func(ctx context.Context, s conformance.Store) error { return take(ctx, s, "a") }, "findAndModify"},
	{"TakeBudget", func(ctx context.Context, s conformance.Store) error { return take(ctx, s, "full") }, "findAndModify find"},
	{"GiveBack", func(ctx context.Context, s conformance.Store) error { return s.GiveBack(ctx, "k", "a") }, "findAndModify"},
	{"CountSource", func(ctx context.Context, s conformance.Store) error { return ignore(s.CountSource(ctx, "n", noon)) }, "findAndModify"},

	{"InsertClient", func(ctx context.Context, s conformance.Store) error {
		return s.InsertClient(ctx, issuer.Client{ID: "c"})
	}, "insert"},
	{"AllClients", func(ctx context.Context, s conformance.Store) error { return ignore(s.AllClients(ctx)) }, "find"},
	{"AppendAudit", func(ctx context.Context, s conformance.Store) error {
		return s.AppendAudit(ctx, issuer.AuditEvent{ID: "e", At: noon})
	}, "insert"},
	{"ScrubAudit", func(ctx context.Context, s conformance.Store) error { return ignore(s.ScrubAudit(ctx, "e")) }, "findAndModify"},
	{"PurgeAudit", func(ctx context.Context, s conformance.Store) error {
		return ignore(s.PurgeAudit(ctx, noon.Add(-time.Hour), 200))
	}, "find"},
	{"PurgeAudit", func(ctx context.Context, s conformance.Store) error {
		return ignore(s.PurgeAudit(ctx, noon.Add(time.Hour), 200))
	}, "find delete"},
	{"ListAudit", func(ctx context.Context, s conformance.Store) error {
		return ignore(s.ListAudit(ctx, issuer.AuditQuery{Since: noon}, issuer.Place{}, 200))
	}, "find"},

	{"LoadRing", func(ctx context.Context, s conformance.Store) error { return ignore(s.LoadRing(ctx)) }, "find"},
	{"SaveRing", func(ctx context.Context, s conformance.Store) error {
		return ignore(s.SaveRing(ctx, 0, keys.RingDocument{Version: 1, By: "a"}))
	}, "insert"},
	{"SaveRing", func(ctx context.Context, s conformance.Store) error {
		return ignore(s.SaveRing(ctx, 0, keys.RingDocument{Version: 1, By: "b"}))
	}, "insert find"},
	{"SaveRing", func(ctx context.Context, s conformance.Store) error {
		return ignore(s.SaveRing(ctx, 1, keys.RingDocument{Version: 2, By: "a"}))
	}, "findAndModify"},
	{"StoreTime", func(ctx context.Context, s conformance.Store) error { return ignore(s.StoreTime(ctx)) }, "findAndModify"},
	{"PutHeartbeat", func(ctx context.Context, s conformance.Store) error {
		return s.PutHeartbeat(ctx, keys.Heartbeat{Replica: "r", At: noon})
	}, "findAndModify"},
	{"Heartbeats", func(ctx context.Context, s conformance.Store) error { return ignore(s.Heartbeats(ctx)) }, "find"},
	{"DeleteHeartbeat", func(ctx context.Context, s conformance.Store) error { return s.DeleteHeartbeat(ctx, "r") }, "delete"},
	{"StaleReads", func(_ context.Context, s conformance.Store) error { s.StaleReads(); return nil }, ""},
	{"EffectDelay", func(_ context.Context, s conformance.Store) error { s.EffectDelay(); return nil }, ""},
}

func take(ctx context.Context, s conformance.Store, att string) error {
	return answeredAt(s.TakeBudget(ctx, "k", att, 1, time.Hour, noon))
}

func answeredAt(_ bool, _ time.Time, err error) error { return err }

// lists are the methods whose filters need no _id.
var lists = strings.Fields("PendingUsers ReleasingUsers ListUsers HashKinds Counts ListIdentifiers OpenIdentifiers SessionsOf ListSessions NoticeSessions SessionsActiveSince DueMails Mails QueuedMails AllClients ListAudit PurgeAudit Heartbeats")

// purges are the methods that delete many at once, which no driver resends: what they leave, the next call deletes.
var purges = strings.Fields("PurgeAudit")

// upserts are the methods that may insert what they don't find.
var upserts = strings.Fields("TakeBudget CountSource StoreTime PutHeartbeat")

// TestCommands: every method of the ports sends the commands named above and no other; each has the form that the package
// comment promises, and is one that the driver resends.
func TestCommands(t *testing.T) {
	uri := mongotest.URI(t)
	_, s, sent := elected(t, uri)
	missing := map[string]bool{}
	for m := range reflect.TypeFor[conformance.Store]().Methods() {
		missing[m.Name] = true
	}
	for _, c := range commandCases {
		delete(missing, c.method)
		if err := c.call(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", c.method, err)
		}
		var names []string
		for _, command := range sent.take() {
			names = append(names, nameOf(command))
			for _, wrong := range faultsOf(command, c.method) {
				t.Errorf("%s: %s: %v", c.method, wrong, command)
			}
		}
		if got := strings.Join(names, " "); got != c.sends {
			t.Errorf("%s sends %q, want %q", c.method, got, c.sends)
		}
	}
	for m := range missing {
		t.Errorf("%s is not tried", m)
	}
}

// faultsOf says what is wrong with a command of a method.
func faultsOf(command bson.Raw, method string) (wrong []string) {
	fault := func(ok bool, format string, a ...any) {
		if !ok {
			wrong = append(wrong, fmt.Sprintf(format, a...))
		}
	}
	one := func(array string) bson.Raw {
		all, _ := command.Lookup(array).ArrayOK()
		values, _ := all.Values()
		fault(len(values) == 1, "%d %s", len(values), array)
		if len(values) == 0 {
			return nil
		}
		return values[0].Document()
	}
	byID := func(filter bson.RawValue) {
		id, _ := filter.DocumentOK()
		fault(id.Lookup("_id").Type == bson.TypeString || slices.Contains(lists, method), "the filter has no _id")
	}
	name := nameOf(command)
	switch name {
	case "insert":
		fault(one("documents").Lookup("_id").Type == bson.TypeString, "the document has no _id")
	case "find":
		byID(command.Lookup("filter"))
		fault(command.Lookup("readConcern").IsZero() || method == "LoadRing", "a read concern")
	case "aggregate":
		fault(slices.Contains(lists, method), "an aggregation")
	case "findAndModify":
		byID(command.Lookup("query"))
		upsert, _ := command.Lookup("upsert").BooleanOK()
		fault(!upsert || slices.Contains(upserts, method), "an upsert")
		fault(command.Lookup("new").Type == bson.TypeBoolean && command.Lookup("new").Boolean(), "returns the document before")
		fault(command.Lookup("update").Type == bson.TypeEmbeddedDocument, "an update by pipeline")
	case "delete":
		d := one("deletes")
		byID(d.Lookup("q"))
		limit, _ := d.Lookup("limit").AsInt64OK()
		fault(limit == 1 || slices.Contains(purges, method), "a delete of many")
	default:
		fault(false, "a command of another kind")
	}
	if writes := !slices.Contains([]string{"find", "aggregate"}, name); writes {
		fault(command.Lookup("writeConcern").String() == `{"w": "majority","j": true}`, "write concern %s", command.Lookup("writeConcern"))
		fault(!command.Lookup("lsid").IsZero() && !command.Lookup("txnNumber").IsZero() || slices.Contains(purges, method), "can't be resent")
		fault(command.Lookup("startTransaction").IsZero(), "a transaction")
	} else {
		mode, _ := command.Lookup("$readPreference", "mode").StringValueOK()
		fault(mode == "" || strings.HasPrefix(mode, "primary"), "reads from a %s", mode)
	}
	return wrong
}
