// Package mail carries letters from the outbox to a mail server.
//
// The issuer inserts a letter into the outbox, sealed and already leased by the request that made it, and hands it to
// Worker.Dispatch, which returns at once. A worker then takes each mail through the same steps, whether it came straight
// from a request or was found by the poll after an earlier try failed: ask the challenge whether the code is still the
// valid one, open the letter, lay it out (Composer), hold one dialogue with the server (Sender), and delete it. A server
// that is down, stalls or refuses costs nothing but time: the mail goes back to the outbox and is tried again until its
// code has expired.
//
// worker.go is the protocol and its invariants, attempt.go one try of it, slots.go bounds how many run at once and
// outage.go says in the log, once, that mail is not leaving. compose.go lays letters out from locales/ (what is said, by
// language) and templates/ (how it looks); device.go names the asking device without repeating a stranger's words.
// smtp.go is the Sender of production, url.go its address, failure.go what went wrong with a dialogue; console.go and
// mailbox.go serve development.
//
// Neither an address nor a code is ever logged or put into an error, nor is what a server replied, since that may repeat
// an address.
package mail
