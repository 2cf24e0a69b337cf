package handlers

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"signet/issuer"
)

// pingTime is how long the store may take to say that it is there.
const pingTime = 2 * time.Second

type healthJSON struct {
	Status string `json:"status"`
}

// healthz is GET /healthz: the process serves requests.
func (a *api) healthz() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		writeAnswer(w, r, answer{http.StatusOK, healthJSON{"ok"}})
	})
}

// readyz is GET /readyz: it serves them well. When not, the body says why, without what the store said, which may
// name hosts and users.
func (a *api) readyz() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var reasons []string
		if err := a.keys.Ready(); err != nil {
			reasons = append(reasons, err.Error())
		}
		ctx, cancel := context.WithTimeout(r.Context(), pingTime)
		defer cancel()
		cause := a.store.Ping(ctx)
		if cause != nil {
			reasons = append(reasons, "the store can't be reached")
		}
		if len(reasons) > 0 {
			detail := fmt.Sprintf("Not ready: %s.", strings.Join(reasons, "; "))
			writeProblem(w, r, &issuer.Error{Kind: issuer.KindUnavailable, Detail: detail, Cause: cause})
			return
		}
		writeAnswer(w, r, answer{http.StatusOK, healthJSON{"ready"}})
	})
}
