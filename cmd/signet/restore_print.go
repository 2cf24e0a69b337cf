package main

import (
	"fmt"
	"strings"
	"time"
)

// say tells, before anything is changed, what a restore costs.
func (r restoredStore) say(p *program, replacing bool) {
	line := func(format string, args ...any) { fmt.Fprintf(p.err, format+"\n", args...) }
	switch {
	case r.interrupted:
		line("A restore of this store was interrupted; this goes on with it.")
	case r.MadeAt != nil:
		line("The store is from about %s UTC, %s ago.", when(r.MadeAt), time.Since(*r.MadeAt).Round(time.Second))
	default:
		line("When the store was backed up is not known.")
	}
	line("- Every session ends (%d): everybody signs in again.", r.outstanding)
	line("- Codes that were mailed, and mails on their way (%d), are dropped.", r.queued)
	line("- What happened since is lost: new accounts, changes of passwords, addresses, names and roles. Accounts deleted or disabled since are back.")
	if r.LostUsers != nil {
		line("  Accounts of the store in place that the backup lacks: %d.", *r.LostUsers)
	}
	if len(r.LostKeys) > 0 {
		line("- Tokens signed by keys made since fail, until their public halves are imported ('signet keys import'): %s.", strings.Join(r.LostKeys, ", "))
	}
	switch {
	case len(r.Revoked) > 0:
		line("- Known to be revoked, and kept so: %s.", strings.Join(r.Revoked, ", "))
	default:
		line("- No key is known to be revoked since; name those that were with --revoked.")
	}
	if len(r.unmet) > 0 {
		line("  Of these the backup has no key %s: right for one made since, else look at the spelling.", strings.Join(r.unmet, ", "))
	}
	if r.unread != nil {
		line("- The store in place can't be read (%s): what it knows of revoked keys is lost, too.", oneLineOf(r.unread))
	}
	if replacing {
		line("- Access tokens of ended sessions are refused here; services that verify offline take them until they expire.")
	}
}

// printRestored says what was done.
func (p *program) printRestored(r restoredStore, asJSON bool) error {
	if asJSON {
		return writeJSON(p.out, r)
	}
	printChanges(p.out, r.KeyChanges)
	fmt.Fprintf(p.out, "restored: %d accounts; %d sessions ended\n", r.Users, r.Sessions)
	if r.Released+r.Inserted > 0 {
		fmt.Fprintf(p.out, "addresses and usernames: %d let go, %d given back to their accounts\n", r.Released, r.Inserted)
	}
	for _, id := range r.Conflicts {
		fmt.Fprintf(p.out, "account %s: another one has its address or username; look at it with 'signet users show %s'\n", id, id)
	}
	if r.Replaced != "" {
		fmt.Fprintf(p.out, "the store from before is kept at %s\n", r.Replaced)
	}
	fmt.Fprintln(p.out, "the store can be served")
	return nil
}
