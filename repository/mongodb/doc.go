// Package mongodb is the production store: the ports of packages issuer and keys on a MongoDB, version 5.0 or later,
// or on a server compatible with it.
//
// # One command, one document
//
// Every method of a port is one command on one document, found by its `_id` (lists aside): an insert, a read, a
// findOneAndUpdate whose filter holds the whole precondition and which returns the document after, or a delete under
// such a filter. Only throttles, the clock and heartbeats are upserted. Three methods may need more than one command, each
// again of this kind: TakeBudget reads the log that refused it, SaveRing the ring that was there before the first, and
// ClearRelease tells the last entry from one of several. What has to follow
// on other documents is the issuer's to record and to complete, so there is no transaction, no change stream, no update by
// pipeline, no partial index and no write to many documents. A single mongod, a replica set, a sharded cluster and
// compatible servers all do.
//
// Writes are acknowledged by a majority and journaled, and reads go to the primary, whatever the URI says. The driver
// resends both once, writes only where the server has sessions and so knows them again; a URI may turn that off
// (`retryWrites=false`), for nothing depends on it. A write whose answer did not come is reported as issuer.ErrUnknown, never
// as failed.
//
// # Collections
//
// users, identifiers, sessions, challenges, outbox, throttles, clients, audit; keyring holds the key ring (`ring`), the
// clock (`clock`) and the replicas' heartbeats (`replica:...`); schema holds the version of all this. Uniqueness is on `_id`
// alone, the only place where a sharded cluster can enforce it. Secondary indexes only find lists: what belongs to a user,
// what is due, the sessions of an hour and later (`active_hour`: a moment would change at every refresh, and its index with it),
// and the markers of work to be completed (`pending`, `release`, `notice`, `open_since`), which are sparse and so cost nothing
// while there is none; a marker is absent when it is not set.
//
// Whether something has expired is decided by the filter that acts on it. TTL indexes on `ttl_at` only save space: it is the
// last moment at which any step may need the document, and a day more.
//
// # Sharding
//
// Nothing has to be sharded. A cluster that is to spread the load shards by hashed `_id`, before or after the data is there:
//
//	sh.shardCollection("signet.users",       { _id: "hashed" })
//	sh.shardCollection("signet.identifiers", { _id: "hashed" })
//	sh.shardCollection("signet.sessions",    { _id: "hashed" })
//	sh.shardCollection("signet.challenges",  { _id: "hashed" })
//	sh.shardCollection("signet.outbox",      { _id: "hashed" })
//	sh.shardCollection("signet.throttles",   { _id: "hashed" })
//	sh.shardCollection("signet.audit",       { _id: "hashed" })
//
// Then every step of a sign-in and every refresh goes to one shard. Lists go to all of them: the sessions of a user
// (`user_id`), those refreshed since a moment (`active_hour`), due mail, the markers, the users and the audit log in order of time. keyring, clients and schema are a few
// documents and stay where they are.
//
// # Fresh reads of the key ring
//
// A primary that has been deposed may answer reads for as long as an election takes. On replica sets and clusters LoadRing
// therefore reads linearizably, which makes the primary prove first that it still is one. Where the server refuses that,
// StaleReads adds the length of an election to the bounds of the key ring.
package mongodb
