// A service behind signet: it verifies access tokens offline, by the issuer's published keys.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	issuer := flag.String("issuer", setting("ISSUER", "http://localhost:8080"), "the issuer's URL, exactly as it is in iss (ISSUER)")
	audience := flag.String("audience", setting("AUDIENCE", "https://api.example.com"), "this service, as it is named in aud (AUDIENCE)")
	listen := flag.String("listen", setting("LISTEN", "127.0.0.1:8090"), "address and port (LISTEN)")
	origin := flag.String("allowed-origin", setting("ALLOWED_ORIGIN", ""), "origin of the app whose pages may call (ALLOWED_ORIGIN)")
	refresh := flag.String("jwks-refresh", setting("JWKS_REFRESH", "5m"), "how often the keys are fetched (JWKS_REFRESH)")
	flag.Parse()
	every, err := time.ParseDuration(*refresh)
	if err != nil {
		log.Fatal(err)
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	verify, err := newVerifier(ctx, *issuer, *audience, every)
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("listening on http://%s", listener.Addr())
	server := &http.Server{Handler: cors(*origin, routes(verify)), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.Serve(listener); err != http.ErrServerClosed {
		log.Fatal(err)
	}
}

func routes(verify *verifier) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /public", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{"message": "anybody may read this"})
	})
	mux.Handle("GET /me", verify.require("", func(w http.ResponseWriter, _ *http.Request, who caller) {
		reply(w, map[string]any{"sub": who.Subject, "client_id": who.ClientID, "scope": who.Scope, "roles": who.Roles})
	}))
	mux.Handle("GET /reports", verify.require("analyst", func(w http.ResponseWriter, _ *http.Request, who caller) {
		reply(w, map[string]any{"reports": []string{"for the eyes of an analyst"}, "sub": who.Subject})
	}))
	return mux
}

func reply(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(body)
}

// cors lets the pages of one origin call with a bearer token. Without an origin it lets nobody.
func cors(origin string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		if origin != "" && r.Header.Get("Origin") == origin {
			w.Header().Set("Access-Control-Allow-Origin", origin)
			w.Header().Set("Access-Control-Expose-Headers", "WWW-Authenticate")
			if r.Method == http.MethodOptions {
				w.Header().Set("Access-Control-Allow-Headers", "Authorization")
				w.Header().Set("Access-Control-Max-Age", "600")
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
