package handlers

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/gorilla/mux"

	"signet/issuer"
)

// bodyRule says whether a call has a JSON body.
type bodyRule int

const (
	noBody       bodyRule = iota // what is sent is not read
	needsBody                    // an empty one is a fault
	optionalBody                 // an empty one is an object without fields
)

// endpoint is a call of the API: which request it takes and what it does with it.
type endpoint[Q any] struct {
	bearer bool            // the caller must have an access token; checked before the body is read
	admin  bool            // and be an administrator; of endpoints with bearer
	query  func(*params) Q // of lists: what is asked for is in the query, which is not read otherwise
	body   bodyRule
	decode func(*fields) Q
	call   func(*call, Q) (answer, error)
}

// call is one request to an endpoint. The request's context ends when the call's time is up.
type call struct {
	*exchange
	r         *http.Request
	principal issuer.Principal // of endpoints with bearer
	by        issuer.Admin     // of endpoints with admin
}

func (c *call) ctx() context.Context { return c.r.Context() }

func (c *call) who() issuer.Requester { return c.requester(c.r) }

// inPath is a variable of the route, as the path has it.
func (c *call) inPath(name string) string { return mux.Vars(c.r)[name] }

// answer is what an endpoint says when all went well: a status, and a body that is encoded as JSON unless it is nil.
type answer struct {
	status int
	body   any
}

// serve makes a handler of an endpoint: authenticate, decode, call, encode.
func serve[Q any](a *api, e endpoint[Q]) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), a.timeout)
		defer cancel()
		r = r.WithContext(ctx)
		ans, err := e.run(a, &call{exchange: exchangeOf(w), r: r})
		if err != nil {
			writeProblem(w, r, err)
			return
		}
		writeAnswer(w, r, ans)
	})
}

func (e endpoint[Q]) run(a *api, c *call) (ans answer, err error) {
	if e.bearer {
		if err := a.authenticate(c); err != nil {
			return ans, err
		}
	}
	if e.admin {
		if c.by, err = a.provider.Admin(c.principal, c.who()); err != nil {
			return ans, err
		}
	}
	q, err := e.asked(c)
	if err != nil {
		return ans, err
	}
	return e.call(c, q)
}

// asked is what the caller wants, from the query or the body.
func (e endpoint[Q]) asked(c *call) (q Q, err error) {
	switch {
	case e.query != nil:
		p, err := readParams(c.r.URL.RawQuery)
		if err != nil {
			return q, err
		}
		q = e.query(p)
		return q, p.err()
	case e.body != noBody:
		f, err := readFields(c, e.body)
		if err != nil {
			return q, err
		}
		q = e.decode(f)
		return q, f.err()
	}
	return q, nil
}

// readFields reads the body. Its size is checked first and its type second, but an empty one needs no type.
func readFields(c *call, rule bodyRule) (*fields, error) {
	body, err := readBody(c.exchange, c.r)
	if err != nil {
		return nil, err
	}
	if len(body) == 0 {
		if rule == optionalBody {
			return &fields{}, nil
		}
		return nil, badBody("The body is empty; this call needs a JSON object.")
	}
	if err := isJSON(c.r.Header); err != nil {
		return nil, err
	}
	return decodeObject(body)
}

func writeAnswer(w http.ResponseWriter, r *http.Request, a answer) {
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	b, err := json.Marshal(a.body)
	if err != nil {
		writeProblem(w, r, fmt.Errorf("encode the answer: %w", err))
		return
	}
	w.Header()["Content-Type"] = jsonValue
	w.WriteHeader(a.status)
	_, _ = w.Write(b) // a caller who is gone can't be told
}
