package mongodb

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"signet/issuer"
)

// clientDocument is a registered application.
type clientDocument struct {
	ID         string    `bson:"_id"`
	Name       string    `bson:"name"`
	FirstParty bool      `bson:"first_party"`
	Disabled   bool      `bson:"disabled"`
	CreatedAt  time.Time `bson:"created_at"`
}

func (d clientDocument) client() issuer.Client {
	return issuer.Client{ID: d.ID, Name: d.Name, FirstParty: d.FirstParty, Disabled: d.Disabled, CreatedAt: d.CreatedAt}
}

// InsertClient implements issuer.Clients.
func (s *Store) InsertClient(ctx context.Context, c issuer.Client) error {
	return insert(ctx, s.clients, "insert client", clientDocument{
		ID: c.ID, Name: readable(c.Name), FirstParty: c.FirstParty, Disabled: c.Disabled, CreatedAt: c.CreatedAt,
	})
}

// AllClients implements issuer.Clients.
func (s *Store) AllClients(ctx context.Context) ([]issuer.Client, error) {
	found, err := listAll[clientDocument](ctx, s.clients, "list clients", bson.M{}, byID)
	return mapAll(found, clientDocument.client), err
}
