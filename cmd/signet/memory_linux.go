package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dropCode tells the kernel that the pages of the program file, mapped read-only, aren't needed just now. They stay in the page cache, and
// those that are needed after all come back at the cost of a minor fault. A mapping of which any page was written (relocations, a
// debugger's breakpoints) is left alone, because that page could not come back. Trouble is of no consequence: the pages stay.
func dropCode() {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return
	}
	for _, m := range pristineMappings(maps, program) {
		_ = unix.Madvise(m.bytes(), unix.MADV_DONTNEED)
	}
}

type mapping struct{ start, end uintptr }

// pristineMappings finds in /proc/self/smaps (see proc(5)) the read-only mappings of a file that hold nothing but the file.
func pristineMappings(smaps []byte, file string) []mapping {
	var found []mapping
	var current mapping
	lines := bufio.NewScanner(bytes.NewReader(smaps))
	for lines.Scan() {
		line := lines.Text()
		var m mapping
		var perms string
		if n, _ := fmt.Sscanf(line, "%x-%x %4s", &m.start, &m.end, &perms); n == 3 {
			current = mapping{}
			if strings.HasSuffix(line, " "+file) && perms[:2] == "r-" {
				current = m
			}
			continue
		}
		if rest, ok := strings.CutPrefix(line, "Anonymous:"); ok && current.end > 0 && strings.TrimSpace(rest) == "0 kB" {
			found = append(found, current)
		}
	}
	return found
}

// bytes is the mapping as a slice. It is not memory of Go's heap.
func (m mapping) bytes() []byte {
	p := *(*unsafe.Pointer)(unsafe.Pointer(&m.start)) // not a conversion, which would hide that this is no Go pointer
	return unsafe.Slice((*byte)(p), m.end-m.start)
}
