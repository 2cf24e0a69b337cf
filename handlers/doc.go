// Package handlers is the HTTP edge: it turns requests into calls of the issuer and what those return into answers.
// Nothing is decided here that is not about HTTP.
//
// A request passes, from the outside in (routes.go has it on one screen):
//
//  1. accesslog.go gives it an id (requestid.go) and finds out who sent it (clientip.go); when the answer is out, one line is
//     logged and the Observer told. recover.go turns a panic into a 500.
//  2. headers.go sets the headers that every answer carries; cors.go lets listed origins read it.
//  3. The router (table.go) picks the route; what no route matches is a 404 or a 405, rendered like every other error.
//  4. endpoint.go does the rest for every JSON call: time limit, bearer token (bearer.go), administrators, query (params.go) or body (limits.go,
//     decode.go, fields.go), the use case, answer. Each use case is a file of its own: register.go, login.go, verify.go, resend.go, refresh.go,
//     token_verify.go, logout.go, step_up.go, password_*.go, me*.go, admin_*.go. Lists come in pages (page.go). Cookie mode is cookies.go, and
//     crossorigin.go guards it.
//  5. wellknown.go, openapi.go and health.go answer from memory and skip 4.
//  6. simplejwt*.go are the same use cases under the paths of djangorestframework-simplejwt, where they are turned on: bodies by drf_body.go, errors by
//     drf_errors.go.
//
// The API is described by openapi/openapi.json, which is served; tests hold every answer against it (openapitest).
//
// errors.go is the only place where a kind of error becomes a status. Errors are RFC 9457 problems. Causes go to the log,
// never to the client; no body, token, cookie, code or query string goes to either.
package handlers
