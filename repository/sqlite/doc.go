// Package sqlite is the embedded store: issuer.Store and keys.RingStore in one SQLite file, with a driver that is Go
// alone. It needs no server and no setting up, and it is as durable as the MongoDB store: what was answered is on the disk.
//
// How a write goes:
//
//  1. A method of users.go, sessions.go, ... (one file per collection) puts its condition as a few lines of Go into a
//     change of one document (collection.go): read the document, decide, write it back with one statement.
//  2. The change waits in the queue of the one writer (writer.go), which takes all that wait into one BEGIN IMMEDIATE ...
//     COMMIT and answers nobody before it is synced. Whoever comes meanwhile is in the next one: many callers share an fsync,
//     and between them no change is ever tried twice, because they run one after the other.
//  3. A second process on the same file (an operator's command beside the server) waits for SQLite's write lock, and
//     each condition is decided under it.
//
// Reads go through a few connections of their own (reader.go) and see everything that was answered before they began.
//
// A document is JSON in one column, in the words of this package's *Doc types, so that renaming a Go field elsewhere changes
// nothing that is stored. Beside it are the columns that lists need, which are all made from the document. schema.go holds the
// tables and how an older file comes to have them; sweep.go deletes what has long expired.
package sqlite
