package main

import (
	"fmt"
	"io"
	"net"
	"os"
)

// makeDataDir makes the folder of the embedded store, for its owner alone. One that is there keeps its mode.
func makeDataDir(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("SIGNET_DATA_DIR: %w", err)
	}
	return nil
}

// devIssuer is the issuer of a development server that was given none: verifiers and people on this machine reach it by that name.
func devIssuer(l net.Listener, withTLS bool) string {
	scheme := "http"
	if withTLS {
		scheme = "https"
	}
	_, port, _ := net.SplitHostPort(l.Addr().String()) // an address of the system's own
	return scheme + "://localhost:" + port
}

// devBanner says what runs, how unsafe it is, and what to type next.
func devBanner(w io.Writer, issuer, store, policy string) {
	fmt.Fprintf(w, `
!!! UNSAFE: development mode. Mails with codes go to this terminal and to %[1]s/dev/mailbox,
!!! nothing is encrypted on the way, and any page on this machine may call the API. Never expose it.

signet serves %[1]s (store: %[2]s)
%[3]s

Type next, in another terminal:

  curl -s %[1]s/api/v1/register -H 'Content-Type: application/json' \
    -d '{"email":"ada@example.org","password":"violet-otter-plays-cello"}'

and read the code at %[1]s/dev/mailbox

`, issuer, store, policy)
}
