package sqlite

import (
	"context"

	"signet/issuer"
)

type clientDoc struct {
	Name       string `json:"name,omitempty"`
	FirstParty bool   `json:"first_party,omitempty"`
	Disabled   bool   `json:"disabled,omitempty"`
	CreatedAt  millis `json:"created_at,omitempty"`
}

var clients = newCollection("clients", nil,
	func(*issuer.Client) []any { return nil },
	func(c *issuer.Client) clientDoc {
		return clientDoc{c.Name, c.FirstParty, c.Disabled, stamp(c.CreatedAt)}
	},
	func(id string, d *clientDoc) issuer.Client {
		return issuer.Client{ID: id, Name: d.Name, FirstParty: d.FirstParty, Disabled: d.Disabled, CreatedAt: d.CreatedAt.time()}
	})

// InsertClient implements issuer.Clients.
func (s *Store) InsertClient(ctx context.Context, c issuer.Client) error {
	return clients.insert(ctx, s, c.ID, &c)
}

// AllClients implements issuer.Clients.
func (s *Store) AllClients(ctx context.Context) ([]issuer.Client, error) {
	return clients.list(ctx, s, `SELECT id, doc FROM clients ORDER BY id`)
}
