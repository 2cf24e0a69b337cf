package handlers

import (
	"errors"
	"fmt"

	"signet/issuer"
)

// Errors as Django REST framework renders them: {"field": ["what is wrong"]} of the fields of a request, {"detail", "code"} of everything else.
// Statuses and headers are those of errors.go.

type detailJSON struct {
	Detail string `json:"detail"`
	Code   string `json:"code"`
}

// drfWords are the words that its clients know. Kinds without any are told as under /api/v1.
var drfWords = map[issuer.Kind]detailJSON{
	issuer.KindInvalidCredentials: {"No active account found with the given credentials", "no_active_account"},
	issuer.KindInvalidToken:       {"Token is invalid or expired", "token_not_valid"},
	issuer.KindTokenReused:        {"Token is blacklisted", "token_not_valid"},
	issuer.KindSessionRevoked:     {"Token is blacklisted", "token_not_valid"},
	issuer.KindForbidden:          {"You do not have permission to perform this action.", "permission_denied"},
}

// drfRefusal is an error that is told in other words than its kind's.
type drfRefusal struct {
	error
	detail, code string
}

func (e drfRefusal) Unwrap() error { return e.error }

// drfError is the body of the answer to a request that failed.
func drfError(method string, err error, e *issuer.Error, p problem) any {
	var told drfRefusal
	if errors.As(err, &told) {
		return detailJSON{told.detail, told.code}
	}
	if words, known := drfWords[e.Kind]; known {
		return words
	}
	switch e.Kind {
	case issuer.KindInvalidRequest:
		if len(e.Fields) == 0 {
			return detailJSON{p.Detail, "parse_error"}
		}
		fields := map[string][]string{}
		for _, f := range e.Fields {
			fields[f.Field] = append(fields[f.Field], f.Message)
		}
		return fields
	case issuer.KindRateLimited:
		return detailJSON{fmt.Sprintf("Request was throttled. Expected available in %d %s.", p.RetryAfter, plural(p.RetryAfter, "second")), "throttled"}
	case kindMethodNotAllowed:
		return detailJSON{fmt.Sprintf("Method %q not allowed.", knownMethod(method)), string(e.Kind)}
	}
	return detailJSON{p.Detail, string(e.Kind)}
}

func plural(n int64, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
