package handlers

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"signet/issuer"
)

// route is one line of the route table. A GET route serves HEAD too.
type route struct {
	method, path string
	event        string // what the access log calls it
	handler      http.Handler
}

// table is the route table as a handler. What it does not have is a problem: 404, or 405 with Allow.
type table struct {
	router *mux.Router
	direct map[directRoute]http.Handler // routes without variables: found without a regular expression for each route before
}

type directRoute struct{ method, path string }

func newTable(routes []route) *table {
	t := &table{router: mux.NewRouter(), direct: map[directRoute]http.Handler{}}
	t.router.NotFoundHandler = http.HandlerFunc(notFound)
	t.router.MethodNotAllowedHandler = http.HandlerFunc(t.methodNotAllowed)
	for _, r := range routes {
		t.add(r)
	}
	return t
}

// add appends a route. The router tries them in order, so of those with variables the busiest come first.
func (t *table) add(r route) {
	methods := []string{r.method}
	if r.method == http.MethodGet {
		methods = append(methods, http.MethodHead)
	}
	named := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		x := exchangeOf(w)
		x.route, x.event = r.path, r.event
		r.handler.ServeHTTP(w, req)
	})
	t.router.Handle(r.path, named).Methods(methods...)
	if !strings.Contains(r.path, "{") {
		for _, method := range methods {
			t.direct[directRoute{method, r.path}] = named
		}
	}
}

// ServeHTTP matches the path as sent. The router's own ServeHTTP would clean it by a redirect, after which a POST arrives as a GET, and
// would copy the request twice, which is most of what the key set costs.
func (t *table) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := t.direct[directRoute{r.Method, r.URL.Path}]; h != nil {
		h.ServeHTTP(w, r)
		return
	}
	var m mux.RouteMatch
	t.router.Match(r, &m) // there is a handler for what does not match
	if len(m.Vars) > 0 {
		r = mux.SetURLVars(r, m.Vars)
	}
	m.Handler.ServeHTTP(w, r)
}

func notFound(w http.ResponseWriter, r *http.Request) {
	writeProblem(w, r, &issuer.Error{Kind: issuer.KindNotFound, Detail: "There is nothing at this path."})
}

// methodNotAllowed answers a path that has other methods: OPTIONS with what they are, anything else with 405
// (RFC 9110, sections 9.3.7 and 15.5.6).
func (t *table) methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	allowed := t.methods(r)
	w.Header().Set("Allow", strings.Join(append(allowed, http.MethodOptions), ", "))
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	writeProblem(w, r, &issuer.Error{Kind: kindMethodNotAllowed, Detail: "This path takes " + strings.Join(allowed, ", ") + "."})
}

// methods are those that the router has for the path of r.
func (t *table) methods(r *http.Request) []string {
	all := []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
	return slices.DeleteFunc(all, func(method string) bool {
		probe := *r
		probe.Method = method
		var m mux.RouteMatch
		return !t.router.Match(&probe, &m) || m.MatchErr != nil
	})
}
