package mongodb_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"
)

// fault is what a relay does to a command and its reply.
type fault int

const (
	cutRequest  fault = iota // the connection ends before the server has the command
	halfRequest              // ... after half of the command
	cutReply                 // the server has done the command, and the connection ends before its reply
	halfReply                // ... after half of its reply
	stallReply               // the reply does not come until the relay is told to go on
	slowReply                // the reply comes, a few bytes at a time
	weakReply                // the reply comes, and says that no majority has the write
	refuseReply              // the reply says that the server knows no such option
	electReply               // the reply says that the server is not the primary now
)

func (f fault) String() string {
	return [...]string{"cut request", "half a request", "cut reply", "half a reply", "stalled reply", "slow reply", "write concern error", "refused", "not primary"}[f]
}

// reachesServer says whether the server does the command.
func (f fault) reachesServer() bool { return f > halfRequest }

// relay passes messages between driver and server, and does an armed fault to the next command of the armed name.
type relay struct {
	uri    string
	server string
	mu     sync.Mutex
	armed  func(command bson.Raw) bool // nil is none
	todo   fault
	always bool          // stays armed
	struck int           // commands that a fault was done to
	resume chan struct{} // ends stalls
	conns  map[net.Conn]bool
	closed bool
	elects bool // says that the server is the primary of a replica set, and has sessions
}

// newRelay starts a relay to the primary of the server that uri names.
func newRelay(t *testing.T, uri string) *relay {
	t.Helper()
	parsed, err := connstring.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{server: primary(t, uri, parsed.Hosts[0]), resume: make(chan struct{}), conns: map[net.Conn]bool{}}
	r.uri = throughHost(uri, listener.Addr().String())
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { r.serve(client) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		r.release()
		r.closeAll()
		running.Wait()
	})
	return r
}

// primary is the address to write to.
func primary(t *testing.T, uri, host string) string {
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(context.Background()) }()
	var hello struct {
		Primary string `bson:"primary"`
	}
	_ = client.Database("admin").RunCommand(t.Context(), bson.M{"isMaster": 1}).Decode(&hello)
	if hello.Primary != "" {
		return hello.Primary
	}
	return host
}

// throughHost replaces the hosts of a connection string, and has the driver keep to them.
func throughHost(uri, host string) string {
	rest, query, _ := strings.Cut(strings.TrimPrefix(uri, "mongodb://"), "?")
	hosts, path, _ := strings.Cut(rest, "/")
	user := ""
	if at := strings.LastIndex(hosts, "@"); at >= 0 {
		user = hosts[:at+1]
	}
	keep := []string{"directConnection=true"}
	for option := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(option, "=")
		if option != "" && name != "directConnection" && name != "replicaSet" && name != "compressors" {
			keep = append(keep, option)
		}
	}
	return "mongodb://" + user + host + "/" + path + "?" + strings.Join(keep, "&")
}

// elect makes the server pass for the primary of a replica set, on connections to come.
func (r *relay) elect() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.elects = true
}

// arm has the next command that is one of those meet f.
func (r *relay) arm(those func(command bson.Raw) bool, f fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.armed, r.todo, r.always, r.struck = those, f, false, 0
	r.resume = make(chan struct{})
}

// armAlways has all of them meet f.
func (r *relay) armAlways(those func(command bson.Raw) bool, f fault) {
	r.arm(those, f)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.always = true
}

// release ends the stalls, disarms, and says how many commands were struck.
func (r *relay) release() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.armed = nil
	select {
	case <-r.resume:
	default:
		close(r.resume)
	}
	return r.struck
}

func (r *relay) closeAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for c := range r.conns {
		_ = c.Close()
	}
}

// strike takes the armed fault if it is meant for this message.
func (r *relay) strike(message []byte) (fault, chan struct{}, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.armed == nil || !isOpMsg(message) || !r.armed(bodyOf(message)) {
		return 0, nil, false
	}
	if !r.always {
		r.armed = nil
	}
	r.struck++
	return r.todo, r.resume, true
}

func (r *relay) keep(conns ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range conns {
		r.conns[c] = true
	}
	return !r.closed
}

// serve relays one connection, a command and its replies at a time.
func (r *relay) serve(client net.Conn) {
	defer client.Close()
	r.mu.Lock()
	address, elects := r.server, r.elects
	r.mu.Unlock()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	if !r.keep(client, server) {
		return
	}
	for {
		request, err := readMessage(client)
		if err != nil {
			return
		}
		f, resume, struck := r.strike(request)
		if struck && !f.reachesServer() {
			if f == halfRequest {
				_, _ = server.Write(request[:len(request)/2])
			}
			return
		}
		if _, err := server.Write(request); err != nil {
			return
		}
		for more := true; more; {
			reply, err := readMessage(server)
			if err != nil {
				return
			}
			more = moreToCome(reply)
			if elects {
				reply = asPrimary(reply)
			}
			if struck {
				reply = spoil(client, reply, f, resume)
			}
			if _, err := client.Write(reply); reply == nil || err != nil {
				return
			}
		}
	}
}

// spoil does f to a reply and returns what is left to be sent; nil ends the connection.
func spoil(client net.Conn, reply []byte, f fault, resume chan struct{}) []byte {
	switch f {
	case halfReply:
		_, _ = client.Write(reply[:len(reply)/2])
		return nil
	case stallReply:
		<-resume
		return reply
	case slowReply:
		for len(reply) > 8 {
			if _, err := client.Write(reply[:8]); err != nil {
				return nil
			}
			reply = reply[8:]
			time.Sleep(time.Millisecond)
		}
		return reply
	case weakReply:
		return rewritten(reply, func(d bson.D) bson.D {
			return append(d, bson.E{Key: "writeConcernError", Value: bson.M{"code": 64, "errmsg": "waiting for replication timed out"}})
		})
	case refuseReply:
		return rewritten(reply, func(bson.D) bson.D { return failure(72, "no such read concern here") })
	case electReply:
		return rewritten(reply, func(bson.D) bson.D { return failure(11602, "interrupted by an election") })
	}
	return nil
}

func failure(code int, text string) bson.D {
	return bson.D{{Key: "ok", Value: 0.0}, {Key: "code", Value: code}, {Key: "errmsg", Value: text}}
}

// asPrimary makes a handshake's answer that of the primary of a replica set.
func asPrimary(reply []byte) []byte {
	handshake := bodyOf(reply)
	if _, err := handshake.LookupErr("ismaster"); err != nil {
		return reply
	}
	if _, err := handshake.LookupErr("setName"); err == nil {
		return reply
	}
	return rewritten(reply, func(d bson.D) bson.D {
		return append(d, bson.E{Key: "setName", Value: "rs0"}, bson.E{Key: "hosts", Value: bson.A{"127.0.0.1:1"}},
			bson.E{Key: "logicalSessionTimeoutMinutes", Value: 30})
	})
}

// A message begins with its length, request id, the id it answers, and its kind, 4 bytes each. Kind 2013 (OP_MSG) goes on with
// flags, and a section of kind 0 that is the command or reply; kind 1 (OP_REPLY), which answers first handshakes, with
// 20 bytes of its own before the document.
const (
	headerLength = 16
	msgBodyAt    = headerLength + 4 + 1
	replyBodyAt  = headerLength + 20
	opReply      = 1
	opMsg        = 2013
)

func readMessage(from net.Conn) ([]byte, error) {
	message := make([]byte, headerLength)
	if _, err := io.ReadFull(from, message); err != nil {
		return nil, err
	}
	length := binary.LittleEndian.Uint32(message)
	if length < headerLength || length > 48<<20 {
		return nil, io.ErrUnexpectedEOF
	}
	message = append(message, make([]byte, length-headerLength)...)
	_, err := io.ReadFull(from, message[headerLength:])
	return message, err
}

func kindOf(message []byte) uint32 { return binary.LittleEndian.Uint32(message[12:]) }

func isOpMsg(message []byte) bool {
	return kindOf(message) == opMsg && len(message) > msgBodyAt && message[msgBodyAt-1] == 0
}

func moreToCome(message []byte) bool {
	return isOpMsg(message) && binary.LittleEndian.Uint32(message[headerLength:])&2 != 0
}

// bodyOf is the command or reply in a message; nil when there is none.
func bodyOf(message []byte) bson.Raw {
	at := bodyAt(message)
	if at < 0 {
		return nil
	}
	return bson.Raw(message[at : at+int(binary.LittleEndian.Uint32(message[at:]))])
}

func bodyAt(message []byte) int {
	switch {
	case isOpMsg(message):
		return msgBodyAt
	case kindOf(message) == opReply && len(message) > replyBodyAt:
		return replyBodyAt
	}
	return -1
}

// rewritten is a reply with another document in it.
func rewritten(reply []byte, change func(bson.D) bson.D) []byte {
	var d bson.D
	if err := bson.Unmarshal(bodyOf(reply), &d); err != nil {
		return nil
	}
	body, err := bson.Marshal(change(d))
	if err != nil {
		return nil
	}
	out := append(append([]byte{}, reply[:bodyAt(reply)]...), body...)
	if isOpMsg(out) {
		binary.LittleEndian.PutUint32(out[headerLength:], 0) // no checksum follows
	}
	binary.LittleEndian.PutUint32(out, uint32(len(out)))
	return out
}

// named picks the commands of a name.
func named(name string) func(bson.Raw) bool {
	return func(command bson.Raw) bool { return nameOf(command) == name }
}

func nameOf(command bson.Raw) string {
	elements, err := command.Elements()
	if err != nil || len(elements) == 0 {
		return ""
	}
	return elements[0].Key()
}

// unplug ends all connections and has new ones go to another address; it returns the one before.
func (r *relay) unplug(to string) (from string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	from, r.server = r.server, to
	for c := range r.conns {
		_ = c.Close()
	}
	clear(r.conns)
	return from
}
