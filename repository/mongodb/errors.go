package mongodb

import (
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"signet/issuer"
)

// ErrNewerSchema: the database was brought forward by a later version of signet than this one.
var ErrNewerSchema = errors.New("the database has a newer schema")

// ErrOlderSchema: no server of this version has made or migrated the database yet, and a command does neither.
var ErrOlderSchema = errors.New("the database is not this version's: start its server once, which makes it or brings it up to date")

// errNotText: a string is not UTF-8, so no document can hold it.
var errNotText = errors.New("not valid UTF-8")

// mapped turns an error of the driver into one of the ports. A duplicate key whose write was not acknowledged by a
// majority is unknown, not there: the other document may yet be rolled back.
func mapped(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, mongo.ErrNoDocuments):
		return issuer.ErrNotFound
	case mongo.IsDuplicateKeyError(err) && !unacknowledged(err):
		return issuer.ErrExists
	}
	return fmt.Errorf("mongodb: %s: %w: %w", what, issuer.ErrUnknown, err)
}

func unacknowledged(err error) bool {
	var w mongo.WriteException
	return errors.As(err, &w) && w.WriteConcernError != nil
}

// contended: a step was tried contendedTries times, and each time another caller came between.
func contended(what string) error {
	return fmt.Errorf("mongodb: %s: %w: contended", what, issuer.ErrUnknown)
}
