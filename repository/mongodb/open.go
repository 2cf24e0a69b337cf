package mongodb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"signet/issuer"
	"signet/keys"
)

// Options of a store; the zero value is good.
type Options struct {
	Database string                // instead of the one that the URI names
	AppName  string                // in the server's log; "" is `signet`, unless the URI says
	Monitor  *event.CommandMonitor // sees every command; nil is none
	Timeout  time.Duration         // of operations whose context has no deadline; 0 is 10 s
	AsIs     bool                  // a command beside a server: nothing is made or migrated, else ErrOlderSchema
}

// Store is a MongoDB database. Safe for concurrent use.
type Store struct {
	client   *mongo.Client
	topology *topology
	stale    time.Duration // see StaleReads; fixed at Open

	users, identifiers, sessions, challenges, outbox *mongo.Collection
	throttles, clients, audit                        *mongo.Collection
	keyring, keyringLinearizable                     *mongo.Collection
}

var (
	_ issuer.Store   = (*Store)(nil)
	_ keys.RingStore = (*Store)(nil)
)

// Limits of the connection, where the URI sets none. A server that is down should make callers wait for seconds, not
// for the driver's half minute.
const (
	selectWithin  = 3 * time.Second
	connectWithin = 3 * time.Second
	idleFor       = 5 * time.Minute
	poolSize      = 64
	dialsAtOnce   = 4
	defaultWithin = 10 * time.Second
)

// Open connects to the database that uri names (`mongodb://` or `mongodb+srv://`; its path, else `signet`), brings its schema
// forward, makes missing indexes and inserts the first-party client. It fails when no server answers, or with
// ErrNewerSchema. No error holds the password of the URI.
func Open(ctx context.Context, uri string, o Options) (*Store, error) {
	t := new(topology)
	settings, err := clientOptions(uri, o, t)
	if err != nil {
		return nil, err
	}
	name := o.Database
	if name == "" {
		if name, err = databaseName(uri); err != nil {
			return nil, err
		}
	}
	client, err := mongo.Connect(settings)
	if err != nil {
		return nil, withoutPassword(uri, err)
	}
	s := newStore(client, client.Database(name), t)
	if err := s.prepare(ctx, client.Database(name), o.AsIs); err != nil {
		_ = client.Disconnect(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("mongodb at %v, database %q: %w", settings.Hosts, name, err)
	}
	return s, nil
}

func clientOptions(uri string, o Options, t *topology) (*options.ClientOptions, error) {
	c := options.Client().ApplyURI(uri)
	if err := c.Validate(); err != nil {
		return nil, withoutPassword(uri, err)
	}
	setDefault(&c.ServerSelectionTimeout, selectWithin)
	setDefault(&c.ConnectTimeout, connectWithin)
	setDefault(&c.MaxConnIdleTime, idleFor)
	setDefault(&c.MaxPoolSize, poolSize)
	setDefault(&c.MaxConnecting, dialsAtOnce)
	setDefault(&c.RetryWrites, true)
	setDefault(&c.RetryReads, true)
	setDefault(&c.AppName, "signet")
	if o.AppName != "" {
		c.SetAppName(o.AppName)
	}
	if o.Timeout > 0 {
		c.SetTimeout(o.Timeout)
	}
	setDefault(&c.Timeout, defaultWithin)

	journaled := true
	c.SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journaled})
	c.SetReadPreference(readpref.Primary()).SetReadConcern(&readconcern.ReadConcern{})
	c.SetRegistry(registry()).SetServerMonitor(t.monitor())
	if o.Monitor != nil {
		c.SetMonitor(o.Monitor)
	}
	return c, nil
}

func setDefault[T any](option **T, value T) {
	if *option == nil {
		*option = &value
	}
}

func newStore(client *mongo.Client, db *mongo.Database, t *topology) *Store {
	return &Store{
		client: client, topology: t,
		users: db.Collection("users"), identifiers: db.Collection("identifiers"), sessions: db.Collection("sessions"),
		challenges: db.Collection("challenges"), outbox: db.Collection("outbox"), throttles: db.Collection("throttles"),
		clients: db.Collection("clients"), audit: db.Collection("audit"), keyring: db.Collection("keyring"),
		keyringLinearizable: db.Collection("keyring", options.Collection().SetReadConcern(readconcern.Linearizable())),
	}
}

// prepare makes the database ready for use, or, with asIs, makes sure that it is. Several replicas may do so at once.
func (s *Store) prepare(ctx context.Context, db *mongo.Database, asIs bool) error {
	if err := s.Ping(ctx); err != nil {
		return err
	}
	if asIs {
		if err := upToDate(ctx, db, len(migrations)); err != nil {
			return err
		}
		return s.learnStaleReads(ctx)
	}
	if err := migrate(ctx, db, migrations); err != nil {
		return err
	}
	// The indexes, and what a replica of an older version wrote during the last upgrade; indexes answer at once
	// what needs a date or keys, and what has ended takes one look at the sessions that have not.
	for _, again := range []migration{dateSessions, makeLists} {
		if err := again(ctx, db); err != nil {
			return err
		}
	}
	first := issuer.Client{ID: issuer.FirstPartyID, Name: "First-party apps", FirstParty: true, CreatedAt: time.Now()}
	if err := s.InsertClient(ctx, first); err != nil && !errors.Is(err, issuer.ErrExists) {
		return err
	}
	return s.learnStaleReads(ctx)
}

// learnStaleReads tries the read that LoadRing would like to do. It is tried only here: the bounds of the key ring are
// computed once from StaleReads, so a server that refuses later fails the read instead.
func (s *Store) learnStaleReads(ctx context.Context) error {
	if !s.topology.replicated() {
		return nil
	}
	_, err := loadRing(ctx, s.keyringLinearizable)
	if refused(err) {
		s.stale = deposedFor
		return nil
	}
	return err
}

// Ping asks the primary for a sign of life.
func (s *Store) Ping(ctx context.Context) error {
	return mapped("ping", s.client.Ping(ctx, readpref.Primary()))
}

// Close ends the connections, those in use when ctx ends.
func (s *Store) Close(ctx context.Context) error {
	return s.client.Disconnect(ctx)
}
