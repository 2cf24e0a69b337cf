package mongodb

import (
	"errors"
	"net/url"
	"strings"
)

// defaultDatabase is used when the URI names none.
const defaultDatabase = "signet"

// databaseName is the path of a connection string. Its authority may list several hosts, so package net/url doesn't
// read it.
func databaseName(uri string) (string, error) {
	_, rest, _ := strings.Cut(uri, "://")
	rest, _, _ = strings.Cut(rest, "?")
	_, path, _ := strings.Cut(rest, "/")
	name, err := url.PathUnescape(path)
	if err != nil {
		return "", errors.New("mongodb: the database in the URI is not percent-encoded")
	}
	if name == "" {
		return defaultDatabase, nil
	}
	return name, nil
}

// withoutPassword is an error about a connection string that doesn't quote its secret part: all from the first ':' of the
// user information to its '@', as written and decoded.
func withoutPassword(uri string, err error) error {
	text := err.Error()
	_, rest, _ := strings.Cut(uri, "://")
	if end := strings.LastIndex(rest, "@"); end >= 0 {
		if _, secret, found := strings.Cut(rest[:end], ":"); found && secret != "" {
			text = strings.ReplaceAll(text, secret, "***")
			if decoded, err := url.PathUnescape(secret); err == nil {
				text = strings.ReplaceAll(text, decoded, "***")
			}
		}
	}
	return errors.New("mongodb: " + text)
}
