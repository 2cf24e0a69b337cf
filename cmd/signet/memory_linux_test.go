package main

import (
	"os"
	"testing"
)

func TestOnlyUnwrittenReadOnlyMappingsAreDropped(t *testing.T) {
	const smaps = `00400000-00f35000 r-xp 00000000 fe:00 10018828                           /bin/signet
Rss:               10260 kB
Anonymous:             0 kB
00f35000-01ac0000 r--p 00b35000 fe:00 10018828                           /bin/signet
Anonymous:             4 kB
01ac0000-01b7c000 rw-p 016c0000 fe:00 10018828                           /bin/signet
Anonymous:             0 kB
01b7c000-01b7d000 r--p 016c0000 fe:00 10018828                           /lib/libc.so
Anonymous:             0 kB
01b7d000-01b7f000 rw-p 00000000 00:00 0 
Anonymous:             0 kB
01b80000-01b81000 r--p 016c0000 fe:00 10018828                           /bin/signet
Anonymous:             0 kB
`
	got := pristineMappings([]byte(smaps), "/bin/signet")
	if len(got) != 2 || got[0] != (mapping{0x400000, 0xf35000}) || got[1] != (mapping{0x1b80000, 0x1b81000}) {
		t.Errorf("got %x", got)
	}
}

func TestDroppingCodeChangesNothing(t *testing.T) {
	before := buildVersion()
	for range 3 {
		dropCode()
	}
	if after := buildVersion(); after != before {
		t.Errorf("%v became %v", before, after)
	}
	program, _ := os.Readlink("/proc/self/exe")
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	if len(pristineMappings(smaps, program)) == 0 {
		t.Error("no mapping of the program was found: nothing was tried")
	}
}
