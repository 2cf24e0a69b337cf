package mongodb

import (
	"errors"
	"fmt"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo"
)

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{mongo.CommandError{Code: 72, Name: "InvalidOptions"}, true},
		{mongo.CommandError{Code: 115, Name: "CommandNotSupported"}, true},
		{fmt.Errorf("load: %w", mongo.CommandError{Code: 238, Name: "NotImplemented"}), true},
		{mongo.CommandError{Code: 50, Name: "MaxTimeMSExpired"}, false},
		{mongo.CommandError{Code: 13, Name: "Unauthorized"}, false},
		{mongo.CommandError{Code: 10107, Name: "NotWritablePrimary"}, false},
		{mongo.CommandError{Code: 11602, Name: "InterruptedDueToReplStateChange"}, false},
		{mongo.CommandError{Code: 9999, Labels: []string{"RetryableReadError"}}, false},
		{mongo.CommandError{Message: "connection reset", Labels: []string{"NetworkError"}}, false},
		{errors.New("no server"), false},
		{nil, false},
	} {
		if got := refused(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}
