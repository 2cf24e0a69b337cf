package handlers

import (
	"fmt"
	"net/http"
	"runtime/debug"

	"signet/issuer"
)

// recovered turns a panic into a 500 and a log line with the stack. When the answer has begun already the connection is
// cut instead, so that nobody takes half an answer for a whole one.
func recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			x := exchangeOf(w)
			if v != http.ErrAbortHandler {
				x.cause = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
			}
			if v == http.ErrAbortHandler || x.status != 0 {
				panic(http.ErrAbortHandler)
			}
			writeProblem(w, r, &issuer.Error{Kind: issuer.KindInternal, Detail: "Something went wrong.", Cause: x.cause})
		}()
		next.ServeHTTP(w, r)
	})
}
