package mongodb

import (
	"errors"
	"strings"
	"sync/atomic"

	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// topology knows what kind of deployment the driver found. It learns from the driver's own handshakes, because not every
// compatible server answers `hello` by hand.
type topology struct{ elects atomic.Bool }

// replicated says whether primaries are elected here: a replica set, or a cluster of them. Once seen it stays so: while
// servers are away the driver doesn't know them, and a single server may be made a replica set.
func (t *topology) replicated() bool { return t.elects.Load() }

func (t *topology) monitor() *event.ServerMonitor {
	return &event.ServerMonitor{TopologyDescriptionChanged: func(e *event.TopologyDescriptionChangedEvent) {
		for _, server := range e.NewDescription.Servers {
			if strings.HasPrefix(server.Kind, "RS") || server.Kind == "Mongos" || server.Kind == "LoadBalancer" {
				t.elects.Store(true)
			}
		}
	}}
}

// Codes of errors by which a server says that it can't answer now, or not us: no verdict on the command itself.
var transientCodes = map[int32]bool{
	6: true, 7: true, 11: true, 13: true, 18: true, 24: true, 50: true, 89: true, 91: true, 133: true, 134: true, 189: true,
	202: true, 262: true, 9001: true, 10058: true, 10107: true, 11600: true, 11601: true, 11602: true, 13435: true, 13436: true,
}

// refused says whether the server understood a command and does not support it.
func refused(err error) bool {
	var c mongo.CommandError
	return errors.As(err, &c) && c.Code != 0 && !transientCodes[c.Code] &&
		!c.HasErrorLabel("NetworkError") && !c.HasErrorLabel("RetryableReadError")
}
